#include "backtest/analysis.hpp"

#include <algorithm>
#include <utility>

#include "backtest/text.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

Run hold(BarsView bars, RunOptions options, const Run& run) {
  options.flat_at_close = false;
  options.protection = {};
  options.broker.max_exposure = 1.0;
  options.end = run.end;
  return run_decisions(bars, same_decisions(bars.size(), {.exposure = 1.0, .reason = "hold"}), options);
}

void measure_run(Analysis& a, const Measurer& measure, const Run& run, BarsView bars, const Context& context) {
  const BarRange measured{run.begin, run.end};
  a.total = measure(measured);
  for (const Period& period : context.periods) {
    const SampleCounts samples =
        count_samples(bars.time_ns.subspan(period.range.begin, period.range.size()), context.spans);
    const double seen = static_cast<double>(seen_bars(samples)) / static_cast<double>(period.range.size());
    a.rows.push_back({period, worst_of(samples), seen, measure(period.range), std::nullopt});
  }
  const EquityCurve curve = measure.curve(measured);
  a.evidence = evidence_of(session_returns(curve), a.periods_per_year.sessions, context.trials);
}

void measure_hold(Analysis& a, const Measurer& measure, BarRange measured) {
  a.buy_and_hold = measure(measured);
  for (PeriodRow& row : a.rows) {
    const EquityCurve held = measure.curve(row.period.range);
    row.buy_and_hold_return = total_return(held.equity, held.start);
  }
}

template <class Figure>
Spread spread_over(const std::vector<PeriodRow>& rows, Figure figure) {
  std::vector<std::optional<double>> values;
  for (const PeriodRow& row : rows) values.push_back(figure(row.measures));
  return spread_of(values);
}

std::vector<std::string> verdict_of(const Analysis& analysis, const Run& run, BarsView bars, bool synthetic) {
  std::vector<std::string> lines;
  const std::string measured = grouped(run.size());
  if (const std::size_t seen = seen_bars(analysis.samples); seen > 0) {
    lines.push_back("IN-SAMPLE: " + grouped(seen) + " of " + measured +
                    " measured bars trained or tuned this model; the figures are no evidence of skill.");
  } else if (worst_of(analysis.samples) == Sample::unknown) {
    lines.emplace_back(
        "UNKNOWN SAMPLE: the artifact does not say what the model was trained on, so the figures may be "
        "in-sample.");
  }
  if (synthetic) lines.emplace_back("SYNTHETIC DATA: the bars were generated; the figures say nothing about a market.");
  if (run.ruined_at) {
    lines.push_back("RUINED: equity was gone at " + format_time(bars.time_ns[*run.ruined_at]) +
                    "; nothing was traded after it.");
  }
  if (!analysis.readiness) return lines;
  const Readiness& readiness = *analysis.readiness;
  lines.push_back("Readiness " + grouped(readiness.score, 0) +
                  " of 100; supported stage: " + std::string(name_of(readiness.stage)) + ".");
  for (const std::string& limit : readiness.limits) lines.push_back("Not above that: " + limit + ".");
  return lines;
}

}  // namespace

Analysis analyse(const Run& run, BarsView bars, const RunOptions& options, const Context& context) {
  const std::vector<std::int32_t> sessions = session_days(bars.time_ns, options.calendar);
  Analysis a;
  a.periods_per_year = periods_per_year(bars.time_ns, sessions);
  a.samples = count_samples(bars.time_ns.subspan(run.begin, run.size()), context.spans);
  const BarRange measured{run.begin, run.end};
  const std::vector<double> forward = forward_returns(bars, measured);
  measure_run(a, Measurer(run, bars, sessions, forward, a.periods_per_year), run, bars, context);
  a.buy_and_hold_run = hold(bars, options, run);
  measure_hold(a, Measurer(a.buy_and_hold_run, bars, sessions, forward, a.periods_per_year), measured);
  std::vector<Decision>().swap(a.buy_and_hold_run.decisions);  // 48 MB for a million, and all the same
  a.returns = spread_over(a.rows, [](const Measures& m) { return m.total_return; });
  a.sharpes = spread_over(a.rows, [](const Measures& m) { return m.sharpe; });
  a.stretch_sharpes = spread_over(a.rows, [](const Measures& m) { return m.sharpe_of_stretch; });
  a.drawdowns = spread_over(a.rows, [](const Measures& m) { return std::optional(m.drawdown.depth); });
  std::swap(a.drawdowns.worst, a.drawdowns.best);  // the least drawdown is the best
  if (!a.rows.empty()) a.readiness = judge(a.rows, a.total, a.buy_and_hold, a.samples, context.synthetic, a.evidence);
  a.verdict = verdict_of(a, run, bars, context.synthetic);
  return a;
}

}  // namespace sentio

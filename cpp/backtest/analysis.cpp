#include "backtest/analysis.hpp"

#include <algorithm>

#include "backtest/text.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

Run hold(BarsView bars, RunOptions options, const Run& run) {
  options.flat_at_close = false;
  options.broker.max_exposure = 1.0;
  options.end = run.end;
  return run_decisions(bars, std::vector<Decision>(bars.size(), {.exposure = 1.0, .reason = "hold"}), options);
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
  const BarRange measured{run.begin, run.end};
  Analysis a;
  a.periods_per_year = periods_per_year(bars.time_ns, sessions);
  a.samples = count_samples(bars.time_ns.subspan(run.begin, run.size()), context.spans);
  a.buy_and_hold_run = hold(bars, options, run);
  const std::vector<double> forward = forward_returns(bars, measured);
  const Measurer measure(run, bars, sessions, forward, a.periods_per_year.value);
  const Measurer measure_hold(a.buy_and_hold_run, bars, sessions, forward, a.periods_per_year.value);
  a.total = measure(measured);
  a.buy_and_hold = measure_hold(measured);
  a.buy_and_hold_run.decisions = {};  // all the same
  const EquityCurve curve = measure.curve(measured);
  a.evidence = evidence_of(session_returns(curve), sessions_per_year(curve, a.periods_per_year.value), context.trials);
  const auto hold_return = [&](BarRange range) {
    const EquityCurve held = measure_hold.curve(range);
    return total_return(held.equity, held.start);
  };
  for (const Period& period : context.periods) {
    const auto times = bars.time_ns.subspan(period.range.begin, period.range.size());
    a.rows.push_back(
        {period, worst_of(count_samples(times, context.spans)), measure(period.range), hold_return(period.range)});
  }
  a.returns = spread_over(a.rows, [](const Measures& m) { return m.total_return; });
  a.sharpes = spread_over(a.rows, [](const Measures& m) { return m.sharpe; });
  a.drawdowns = spread_over(a.rows, [](const Measures& m) { return std::optional(m.drawdown.depth); });
  std::swap(a.drawdowns.worst, a.drawdowns.best);  // the least drawdown is the best
  if (!a.rows.empty()) {
    a.readiness = judge(a.rows, a.total, a.buy_and_hold, a.samples, context.synthetic, a.periods_per_year.value);
  }
  a.verdict = verdict_of(a, run, bars, context.synthetic);
  return a;
}

}  // namespace sentio

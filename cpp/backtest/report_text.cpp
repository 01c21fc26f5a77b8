#include <algorithm>
#include <cmath>

#include "backtest/report.hpp"
#include "backtest/table.hpp"
#include "backtest/text.hpp"
#include "bars/number.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

constexpr std::size_t kLead = 12;
constexpr double kDearCommissionBps = 5.0;  // ten times the half-spread of a liquid share
constexpr double kCoarseUnit = 0.02;        // of the capital: a wanted exposure is missed by up to 1 % on average

std::string interval_text(std::int64_t interval_ns) {
  const double seconds = static_cast<double>(interval_ns) / static_cast<double>(kSecondNs);
  if (seconds >= 86'400.0) return format_number(seconds / 86'400.0) + " d";
  if (seconds >= 3'600.0) return format_number(seconds / 3'600.0) + " h";
  if (seconds >= 60.0) return format_number(seconds / 60.0) + " min";
  return format_number(seconds) + " s";
}

std::string fact(std::string_view name, const std::string& text) {
  return wrapped("  " + std::string(name), text, kLead);
}

std::string bars_text(const Report& report) {
  const auto times = report.bars.time_ns;
  return report.subject.bars_file + ": " + counted(report.bars.size(), "bar") + " of " +
         interval_text(median_interval_ns(times)) + ", " + format_time(times.front()) + " to " +
         format_time(times.back()) + ", " + report.options.calendar.name + " sessions";
}

std::string measured_text(const Report& report) {
  const Run& run = report.run;
  const auto times = report.bars.time_ns;
  std::string text = counted(run.size(), "bar") + " in " + counted(report.analysis.total.sessions.count, "session") +
                     ", " + format_time(times[run.begin]) + " to " + format_time(times[run.end - 1]) + "; " +
                     counted(run.begin, "bar") + " before warm the strategy up";
  const PeriodsPerYear& year = report.analysis.periods_per_year;
  return text + "; a year is " + grouped(year.value, 0) + " bars (" + year.rule + ")";
}

std::string costs_text(const CostModel& costs) {
  std::string text = costs.name + ": half-spread " + format_number(costs.half_spread_bps) + " bps, slippage " +
                     format_number(costs.slippage_bps) + " bps, commission ";
  text += format_number(costs.commission_per_share) + " a share + " + format_number(costs.commission_bps) +
          " bps, at least " + format_number(costs.commission_minimum) + "; shorts pay " + percent(costs.borrow_rate) +
          " a year";
  return text;
}

std::string broker_text(const RunOptions& options) {
  std::string text = "capital " + grouped(options.broker.capital, 2) + ", " +
                     (options.broker.fractional ? "fractional units" : "whole units") + ", max exposure " +
                     format_number(options.broker.max_exposure) + (options.flat_at_close ? ", flat at each close" : "");
  const auto add = [&](const char* name, std::optional<double> value) {
    if (value) text += std::string(", ") + name + " " + percent(*value);
  };
  add("stop loss", options.protection.stop_loss);
  add("take profit", options.protection.take_profit);
  if (const auto share = options.broker.max_volume_share)
    text += ", fills at most " + percent(share) + " of a bar's volume";
  return text;
}

/// "in-sample 40%" where the model has seen a part of the period.
std::string sample_text(const PeriodRow& row) {
  const std::string name(name_of(row.sample));
  if (row.seen_share == 0.0 || row.seen_share == 1.0) return name;
  return name + " " + percent(std::clamp(row.seen_share, 0.01, 0.99), 0);
}

std::string partial_text(const std::vector<PeriodRow>& rows) {
  std::string text;
  for (const PeriodRow& row : rows) {
    if (row.period.partial.empty()) continue;
    text += (text.empty() ? "" : "; ") + row.period.label + " has " + row.period.partial;
  }
  return text.empty() ? "" : wrapped("  * partial:", text + ".", kLead + 1);
}

/// One row a period. The annualised Sharpe ratio is shown where some period is long enough for one.
std::string rows_text(const Report& report, bool colour) {
  const Analysis& a = report.analysis;
  const bool annualised =
      std::ranges::any_of(a.rows, [](const PeriodRow& row) { return !row.measures.not_annualised; });
  const auto sharpe_cell = [&](std::vector<Table::Cell>& cells, std::optional<double> sharpe) {
    if (annualised) cells.push_back({grouped(sharpe, 2)});
  };
  std::vector<std::string> header{"period", "sample", "return", "t"};
  if (annualised) header.emplace_back("Sharpe");
  for (const char* title : {"max DD", "trades", "win", "exposure", "hit", "hold"}) header.emplace_back(title);
  Table table(std::move(header));
  for (const PeriodRow& row : a.rows) {
    const Measures& m = row.measures;
    std::vector<Table::Cell> cells{{row.period.label + (row.period.partial.empty() ? "" : "*")},
                                   {sample_text(row), row.sample >= Sample::unknown ? Tone::bad : Tone::plain},
                                   {percent(m.total_return), tone_of(m.total_return)},
                                   {grouped(m.sharpe_of_stretch, 2)}};
    sharpe_cell(cells, m.not_annualised ? std::nullopt : m.sharpe);
    const std::vector<Table::Cell> rest{
        {percent(m.drawdown.depth)},     {grouped(m.trades.count)},
        {percent(m.trades.win_rate, 0)}, {percent(m.mean_exposure, 0)},
        {percent(m.signal.hit_rate, 1)}, {percent(row.buy_and_hold_return), tone_of(row.buy_and_hold_return)}};
    cells.insert(cells.end(), rest.begin(), rest.end());
    table.add(std::move(cells));
  }
  const auto spread_row = [&](const char* name, std::optional<double> Spread::*figure) {
    std::vector<Table::Cell> cells{{name}, {""}, {percent(a.returns.*figure)}, {grouped(a.stretch_sharpes.*figure, 2)}};
    sharpe_cell(cells, a.sharpes.*figure);
    cells.push_back({percent(a.drawdowns.*figure)});
    table.add(std::move(cells));
  };
  spread_row("mean", &Spread::mean);
  spread_row("std", &Spread::sample_std);
  spread_row("worst", &Spread::worst);
  spread_row("best", &Spread::best);
  return table.text(colour) +
         wrapped("  ", "t: mean / std x sqrt(bars) of a period's bar returns; by chance alone its std is 1.", 2) +
         partial_text(a.rows);
}

std::string drawdown_text(const Drawdown& drawdown, BarsView bars) {
  if (!drawdown.bottom) return "none";
  const auto when = [&](std::optional<std::size_t> bar, const char* otherwise) {
    return bar ? format_time(bars.time_ns[*bar]) : std::string(otherwise);
  };
  return "from " + when(drawdown.peak, "the start") + ", lowest " + when(drawdown.bottom, "") + ", recovered " +
         when(drawdown.recovery, "not yet");
}

std::string totals_text(const Report& report, bool colour) {
  const Measures &s = report.analysis.total, &h = report.analysis.buy_and_hold;
  Table table({"total", report.subject.strategy["name"].get<std::string>(), "buy & hold"});
  const auto row = [&](const char* name, auto show) { table.add({{name}, {show(s)}, {show(h)}}); };
  const auto toned_row = [&](const char* name, auto figure) {
    table.add({{name}, {percent(figure(s)), tone_of(figure(s))}, {percent(figure(h)), tone_of(figure(h))}});
  };
  toned_row("return", [](const Measures& m) { return m.total_return; });
  if (!s.not_annualised) {
    toned_row("annualised return", [](const Measures& m) { return m.annualised_return; });
    toned_row("monthly return (projected)", [](const Measures& m) { return m.monthly_return; });
    row("volatility", [](const Measures& m) { return percent(m.volatility); });
    row("Sharpe", [](const Measures& m) { return grouped(m.sharpe, 2); });
    row("  its standard error", [](const Measures& m) { return grouped(m.sharpe_standard_error, 2); });
    row("  of session returns", [](const Measures& m) { return grouped(m.sessions.sharpe, 2); });
    row("Sortino", [](const Measures& m) { return grouped(m.sortino, 2); });
    row("Calmar", [](const Measures& m) { return grouped(m.calmar, 2); });
  }
  row("Sharpe of the stretch", [](const Measures& m) { return grouped(m.sharpe_of_stretch, 2); });
  row("max drawdown", [](const Measures& m) { return percent(m.drawdown.depth); });
  row("trades completed", [](const Measures& m) { return grouped(m.trades.count); });
  row("  per session", [](const Measures& m) { return grouped(m.trades_per_session, 2); });
  row("  win rate", [](const Measures& m) { return percent(m.trades.win_rate, 1); });
  row("  profit factor", [](const Measures& m) { return grouped(m.trades.profit_factor, 2); });
  row("  average win", [](const Measures& m) { return grouped(m.trades.average_win, 2); });
  row("  average loss", [](const Measures& m) { return grouped(m.trades.average_loss, 2); });
  row("  expectancy", [](const Measures& m) { return grouped(m.trades.expectancy, 2); });
  row("mean exposure", [](const Measures& m) { return percent(m.mean_exposure, 1); });
  row("time in the market", [](const Measures& m) { return percent(m.time_in_market, 1); });
  row("turnover (x equity)", [](const Measures& m) { return grouped(m.turnover, 1); });
  row("longest flat (bars)", [](const Measures& m) { return grouped(m.longest_flat_bars); });
  row("costs paid", [](const Measures& m) { return grouped(m.costs.total(), 2); });
  row("end equity", [](const Measures& m) { return grouped(m.end_equity, 2); });
  row("information coefficient", [](const Measures& m) { return grouped(m.signal.information_coefficient, 4); });
  row("hit rate of the signal", [](const Measures& m) { return percent(m.signal.hit_rate, 1); });
  std::string text = table.text(colour);
  if (s.not_annualised) text += "  " + *s.not_annualised + "\n";
  return text + wrapped("  max drawdown:", drawdown_text(s.drawdown, report.bars), 16);
}

/// What the Sharpe ratio of the strategy proves; nothing where there are too few sessions for it.
std::string evidence_text(const SharpeEvidence& e) {
  if (!e.sharpe_per_session) return "";
  Table table({"evidence of the Sharpe ratio", counted(e.sessions, "session")});
  const std::string interval = e.sharpe_low ? grouped(e.sharpe_low, 2) + " to " + grouped(e.sharpe_high, 2) : "-";
  table.add({{"95% interval, annualised"}, {interval}});
  table.add({{"probability that it is above 0"}, {percent(e.probabilistic_sharpe, 1)}});
  table.add({{"  deflated for " + counted(e.trials.count, "trial")}, {percent(e.deflated_sharpe, 1)}});
  table.add({{"sessions needed for 95%"}, {grouped(e.minimum_track_record, 0)}});
  return table.text(false) + wrapped("  trials:", e.trials.from, 11);
}

std::string readiness_text(const Readiness& readiness, bool colour) {
  Table table({"readiness", "value", "limit", ""});
  for (const Criterion& criterion : readiness.criteria) {
    const auto show = [&](std::optional<double> value) {
      return criterion.is_fraction ? percent(value) : grouped(value, 2);
    };
    table.add({{criterion.name},
               {show(criterion.value)},
               {(criterion.at_least ? ">= " : "<= ") + show(criterion.limit)},
               {criterion.pass() ? "pass" : "FAIL", criterion.pass() ? Tone::good : Tone::bad}});
  }
  return table.text(colour) +
         wrapped("  ", "Trials: " + grouped(readiness.trials.count) + ", " + readiness.trials.from + ".", 2);
}

}  // namespace

std::vector<std::string> notes_of(const Report& report) {
  std::vector<std::string> notes = report.subject.notes;
  const Run& run = report.run;
  if (run.begin < report.subject.warmup) {
    notes.push_back("The strategy wants " + counted(report.subject.warmup, "bar") + " of warm-up and had " +
                    grouped(run.begin) + " before the measured ones.");
  }
  if (run.orders_below_lot > 0) {
    notes.push_back(counted(run.orders_below_lot, "wanted change") + " of exposure were below one " +
                    (report.options.broker.fractional ? "hundred-millionth of a unit" : "unit") + " and not traded.");
  }
  if (run.orders_cut > 0) {
    notes.push_back(counted(run.orders_cut, "time") + " an order found too little volume: fills take at most " +
                    percent(report.options.broker.max_volume_share) +
                    " of a bar's; the rest waited for later bars while it was wanted.");
  }
  const double price = report.bars.close[run.end - 1];
  const CostModel& costs = report.options.broker.costs;
  if (const double bps = costs.commission_per_share / price * 1e4; bps > kDearCommissionBps) {
    notes.push_back("A commission of " + format_number(costs.commission_per_share) + " a share is " + grouped(bps, 1) +
                    " bps of the price; costs '" + costs.name + "' may not be meant for this market.");
  }
  const double unit_share = price / run.capital;
  if (!report.options.broker.fractional && unit_share > kCoarseUnit) {
    notes.push_back("One unit costs " + percent(unit_share, 0) +
                    " of the capital, so whole units follow the wanted exposure coarsely; see --fractional.");
  }
  for (const SkippedBars& kind : report.subject.skipped) {
    notes.push_back("Skipped " + counted(kind.count, "bad bar") + " (" + kind.kind + "), first " + kind.first + ".");
  }
  return notes;
}

std::string to_text(const Report& report, bool colour) {
  const Subject& subject = report.subject;
  std::string text =
      toned(subject.verb + " " + subject.symbol + ": " + subject.strategy_label, Tone::strong, colour) + "\n";
  text += fact("bars", bars_text(report));
  if (!subject.synthetic.is_null()) {
    text += fact("", "SYNTHETIC DATA: generated, not recorded; see " + subject.bars_file + ".synthetic.json");
  }
  text += fact("measured", measured_text(report));
  text += fact("costs", costs_text(report.options.broker.costs));
  text += fact("broker", broker_text(report.options));
  for (const std::string& note : notes_of(report)) text += fact("note", note);
  const auto section = [&](const std::string& body) {
    text += '\n';
    text += body;
  };
  if (!report.analysis.rows.empty()) section(rows_text(report, colour));
  section(totals_text(report, colour));
  if (const std::string evidence = evidence_text(report.analysis.evidence); !evidence.empty()) section(evidence);
  if (report.analysis.readiness) section(readiness_text(*report.analysis.readiness, colour));
  section("");
  for (std::size_t i = 0; i < report.analysis.verdict.size(); ++i) {
    text += wrapped(i == 0 ? "  verdict" : "", report.analysis.verdict[i], kLead);
  }
  text += fact("fills", counted(report.run.fills.size(), "fill") + ", " + fills_hash(report.run));
  return text;
}

}  // namespace sentio

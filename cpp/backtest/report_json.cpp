#include "backtest/json_value.hpp"
#include "backtest/report.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

using nlohmann::ordered_json;

ordered_json bars_json(const Report& report) {
  const auto times = report.bars.time_ns;
  ordered_json skipped = ordered_json::array();
  for (const SkippedBars& kind : report.subject.skipped) {
    skipped.push_back({{"kind", kind.kind}, {"count", kind.count}, {"first", kind.first}});
  }
  const std::string& hash = report.subject.bars_hash;
  return {{"file", report.subject.bars_file},
          {"sha256", hash.empty() ? ordered_json() : ordered_json(hash)},
          {"count", report.bars.size()},
          {"first", format_time(times.front())},
          {"last", format_time(times.back())},
          {"interval_s", static_cast<double>(median_interval_ns(times)) / static_cast<double>(kSecondNs)},
          {"session", report.options.calendar.name},
          {"skipped", skipped},
          {"synthetic", report.subject.synthetic}};
}

ordered_json broker_json(const RunOptions& options) {
  return {{"capital", options.broker.capital},
          {"max_exposure", options.broker.max_exposure},
          {"fractional", options.broker.fractional},
          {"max_volume_share", or_null(options.broker.max_volume_share)},
          {"stop_loss", or_null(options.protection.stop_loss)},
          {"take_profit", or_null(options.protection.take_profit)},
          {"flat_at_close", options.flat_at_close}};
}

ordered_json samples_json(const SampleCounts& counts) {
  ordered_json json;
  for (std::size_t i = 0; i < kSamples; ++i) json[std::string(name_of(static_cast<Sample>(i)))] = counts[i];
  return json;
}

ordered_json measured_json(const Report& report) {
  const Run& run = report.run;
  return {{"first", format_time(report.bars.time_ns[run.begin])},
          {"last", format_time(report.bars.time_ns[run.end - 1])},
          {"bars", run.size()},
          {"bars_before", run.begin},
          {"warmup_bars", report.subject.warmup},
          {"sessions", report.analysis.total.sessions.count},
          {"samples", samples_json(report.analysis.samples)}};
}

ordered_json row_json(const PeriodRow& row, BarsView bars) {
  return {{"label", row.period.label},
          {"first", format_time(bars.time_ns[row.period.range.begin])},
          {"last", format_time(bars.time_ns[row.period.range.end - 1])},
          {"partial", row.period.partial.empty() ? ordered_json() : ordered_json(row.period.partial)},
          {"sample", name_of(row.sample)},
          {"seen_share", row.seen_share},
          {"buy_and_hold_return", or_null(row.buy_and_hold_return)},
          {"metrics", to_json(row.measures, bars)}};
}

ordered_json spread_json(const Spread& spread) {
  return {{"count", spread.count},
          {"mean", or_null(spread.mean)},
          {"sample_std", or_null(spread.sample_std)},
          {"worst", or_null(spread.worst)},
          {"best", or_null(spread.best)}};
}

ordered_json readiness_json(const Readiness& readiness) {
  ordered_json criteria = ordered_json::array();
  for (const Criterion& criterion : readiness.criteria) {
    criteria.push_back({{"name", criterion.name},
                        {"value", or_null(criterion.value)},
                        {"limit", criterion.limit},
                        {"comparison", criterion.at_least ? ">=" : "<="},
                        {"pass", criterion.pass()}});
  }
  return {{"score", readiness.score},
          {"stage", name_of(readiness.stage)},
          {"limits", readiness.limits},
          {"criteria", criteria}};
}

}  // namespace

ordered_json to_json(const Report& report) {
  const Analysis& analysis = report.analysis;
  ordered_json json{
      {"schema_version", kReportSchema},
      {"verb", report.subject.verb},
      {"sentio_version", report.subject.program_version},
      {"symbol", report.subject.symbol},
      {"strategy", report.subject.strategy},
      {"bars", bars_json(report)},
      {"costs", to_json(report.options.broker.costs)},
      {"broker", broker_json(report.options)},
      {"measured", measured_json(report)},
      {"periods_per_year", {{"value", analysis.periods_per_year.value}, {"rule", analysis.periods_per_year.rule}}},
      {"verdict", analysis.verdict},
      {"notes", notes_of(report)},
      {"metrics", to_json(analysis.total, report.bars)},
      {"buy_and_hold", to_json(analysis.buy_and_hold, report.bars)},
      {"evidence", to_json(analysis.evidence)},
  };
  if (analysis.readiness) {
    ordered_json rows = ordered_json::array();
    for (const PeriodRow& row : analysis.rows) rows.push_back(row_json(row, report.bars));
    json["periods"] = rows;
    json["spread"] = {{"return", spread_json(analysis.returns)},
                      {"sharpe", spread_json(analysis.sharpes)},
                      {"sharpe_of_stretch", spread_json(analysis.stretch_sharpes)},
                      {"max_drawdown", spread_json(analysis.drawdowns)}};
    json["readiness"] = readiness_json(*analysis.readiness);
  }
  json["fills_hash"] = fills_hash(report.run);
  return json;
}

}  // namespace sentio

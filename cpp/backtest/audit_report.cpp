#include "backtest/audit_report.hpp"

#include <nlohmann/json.hpp>
#include <vector>

#include "backtest/json_value.hpp"
#include "backtest/table.hpp"
#include "backtest/text.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

using nlohmann::ordered_json;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string memory_of(const AuditStart& start) {
  if (start.to_the_end > 0)
    return "depends on its start: in " + grouped(start.to_the_end) + " of " + counted(start.starts, "start") +
           " it showed to the last bar";
  if (start.longest == 0) return "another start never showed";
  return "another start showed for " + counted(start.longest, "bar") + " at most";
}

/// Columns of which the same can be said are named together.
std::string starts_text(const AuditResult& result) {
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;
  for (const AuditStart& start : result.starts) {
    const std::string memory = memory_of(start);
    if (groups.empty() || groups.back().first != memory) groups.push_back({memory, {}});
    groups.back().second.push_back(start.column);
  }
  std::string text;
  for (const auto& [memory, columns] : groups) text += wrapped("  ", joined(columns) + ": " + memory + ".", 4);
  if (!result.not_compared.empty())
    text += wrapped("  ", joined(result.not_compared) + ": settles later than these bars reach, so not compared.", 4);
  return text;
}

}  // namespace

ordered_json to_json(const AuditResult& result) {
  auto checks = ordered_json::array(), differences = ordered_json::array(), starts = ordered_json::array();
  for (const AuditCheck& check : result.checks)
    checks.push_back(
        {{"name", check.name}, {"trials", check.trials}, {"values", check.cells}, {"differences", check.differences}});
  for (const AuditDifference& d : result.differences)
    differences.push_back({{"check", d.check},
                           {"column", d.column},
                           {"bar", d.bar},
                           {"time", format_time(d.time_ns)},
                           {"value", or_null(d.value)},
                           {"other", or_null(d.other)},
                           {"cut", d.cut},
                           {"cut_time", format_time(d.cut_time_ns)},
                           {"how", d.how},
                           {"trials", d.trials},
                           {"text", describe(d)}});
  for (const AuditStart& start : result.starts)
    starts.push_back({{"column", start.column},
                      {"starts", start.starts},
                      {"longest", start.longest},
                      {"to_the_end", start.to_the_end}});
  return {{"schema_version", kAuditSchema},     {"clean", result.clean()},
          {"columns", result.columns},          {"checks", checks},
          {"differences", differences},         {"starts", starts},
          {"not_compared", result.not_compared}};
}

std::string to_text(const AuditResult& result, bool colour) {
  Table table({"compared", "trials", "values", "differences"});
  for (const AuditCheck& check : result.checks) {
    const bool future = check.name != "start" && check.name != "bar by bar" && check.name != "fill price";
    table.add({{(future ? "future: " : "") + check.name},
               {grouped(check.trials)},
               {grouped(check.cells)},
               {grouped(check.differences), check.differences > 0 ? Tone::bad : Tone::plain}});
  }
  const std::string starts = starts_text(result);
  std::string text = wrapped("", counted(result.columns.size(), "column") + ": " + joined(result.columns), 0);
  text += '\n' + table.text(colour) + (starts.empty() ? "" : '\n' + starts) + '\n';
  if (result.clean()) return text + toned("No look-ahead found.", Tone::good, colour) + '\n';
  text += toned(counted(result.differences.size(), "difference") + ":", Tone::bad, colour) + '\n';
  for (const AuditDifference& d : result.differences)
    text += wrapped("  ", describe(d) + "; in " + counted(d.trials, "trial"), 4);
  return text;
}

}  // namespace sentio

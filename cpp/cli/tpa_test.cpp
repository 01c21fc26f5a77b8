#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "cli/run_command.hpp"
#include "cli/verbs.hpp"

namespace sentio::cli {
namespace {

constexpr std::array kUnits{PeriodUnit::day, PeriodUnit::week, PeriodUnit::month, PeriodUnit::quarter};
constexpr std::int64_t kDefaultDays = 5;

struct Arguments {
  RunArguments run;
  std::array<std::optional<std::int64_t>, kUnits.size()> counts;
};

Measured last_of(const Arguments& arguments, BarsView bars, const SessionCalendar& calendar) {
  PeriodUnit unit = PeriodUnit::day;
  std::int64_t count = kDefaultDays;
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (!arguments.counts[i]) continue;
    unit = kUnits[i];
    count = *arguments.counts[i];
  }
  const std::vector<std::int32_t> sessions = session_days(bars.time_ns, calendar);
  std::vector<Period> periods = last_periods(sessions, unit, count);
  mark_partial(periods, bars.time_ns, sessions, unit, calendar);
  return {periods.front().range.begin, bars.size(), std::move(periods)};
}

}  // namespace

void add_tpa_test(CLI::App& app) {
  auto* verb = app.add_subcommand("tpa_test", "Temporal performance analysis: does it perform the same over time?");
  auto arguments = std::make_shared<Arguments>();
  add_run_options(*verb, arguments->run);
  auto* period = verb->add_option_group("period", "What to measure, at the end of the bars (default: --days 5)");
  period->require_option(0, 1);
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    const std::string name = std::string(name_of(kUnits[i])) + "s";
    period->add_option("--" + name, arguments->counts[i], "The last N " + name + ", one row each");
  }
  verb->callback([arguments] {
    run_and_report("tpa_test", arguments->run, [&](BarsView bars, const SessionCalendar& calendar, std::size_t) {
      return last_of(*arguments, bars, calendar);
    });
  });
}

}  // namespace sentio::cli

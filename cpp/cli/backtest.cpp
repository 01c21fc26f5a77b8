#include <algorithm>
#include <memory>
#include <stdexcept>

#include "backtest/text.hpp"
#include "bars/error.hpp"
#include "bars/time.hpp"
#include "cli/run_command.hpp"
#include "cli/verbs.hpp"

namespace sentio::cli {
namespace {

struct Arguments {
  RunArguments run;
  std::string from, to;
};

/// The first bar at or after `text`.
std::size_t bar_at(BarsView bars, const std::string& option, const std::string& text) {
  const auto time_ns = parse_iso_time(text);
  if (!time_ns) throw std::invalid_argument(option + " must be a time like 2024-03-26T13:30:00Z, found '" + text + "'");
  const auto at = std::ranges::lower_bound(bars.time_ns, *time_ns);
  return static_cast<std::size_t>(at - bars.time_ns.begin());
}

Measured between(const Arguments& arguments, BarsView bars, std::size_t warmup) {
  const std::size_t end = arguments.to.empty() ? bars.size() : bar_at(bars, "--to", arguments.to);
  if (arguments.from.empty() && warmup >= end) {
    throw InputError(counted(end, "bar") + " are no more than the " + grouped(warmup) +
                     " that the strategy wants as warm-up: nothing is left to measure");
  }
  const std::size_t begin = arguments.from.empty() ? warmup : bar_at(bars, "--from", arguments.from);
  if (begin >= end) {
    throw std::invalid_argument("--from and --to leave no bar to measure; the bars cover " +
                                format_time(bars.time_ns.front()) + " to " + format_time(bars.time_ns.back()));
  }
  return {begin, end, {}};
}

}  // namespace

void add_backtest(CLI::App& app) {
  auto* verb = app.add_subcommand("backtest", "Runs a strategy over one stretch of bars");
  auto arguments = std::make_shared<Arguments>();
  add_run_options(*verb, arguments->run);
  verb->add_option("--from", arguments->from, "Measure from this time on (default: the strategy's warm-up)");
  verb->add_option("--to", arguments->to, "Use only bars before this time (default: all)");
  verb->callback([arguments] {
    run_and_report("backtest", arguments->run, [&](BarsView bars, const SessionCalendar&, std::size_t warmup) {
      return between(*arguments, bars, warmup);
    });
  });
}

}  // namespace sentio::cli

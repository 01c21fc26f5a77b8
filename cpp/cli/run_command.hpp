#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backtest/analysis.hpp"
#include "backtest/broker.hpp"
#include "cli/bars_source.hpp"
#include "cli/strategy_source.hpp"

namespace sentio::cli {

/// What tpa_test and backtest have in common.
struct RunArguments {
  std::vector<std::string> symbols, files;
  BarsArguments bars;  ///< what is the same for all symbols
  StrategyArguments strategy;
  std::string costs = "us_equity";
  double capital = BrokerOptions{}.capital, max_exposure = BrokerOptions{}.max_exposure;
  std::optional<double> stop_loss, take_profit, max_volume_share;
  bool fractional = false, flat_at_close = false, bar_by_bar = false;
  std::optional<std::int64_t> trials, jobs;
  std::string json;  ///< a file, "-" for stdout, or empty
  std::string out;   ///< a folder, or empty
};

void add_run_options(CLI::App& verb, RunArguments& arguments);

/// What to measure of the bars.
struct Measured {
  std::size_t begin, end;
  std::vector<Period> periods;  ///< none for a plain backtest
};

/// Chooses the measured bars, given the strategy's warm-up. Asked by several threads at once.
using ChooseMeasured = std::function<Measured(BarsView bars, const SessionCalendar& calendar, std::size_t warmup)>;

/// Loads, runs, reports: a table on stdout, and what --json and --out ask for. Several symbols run at once.
/// @throws SymbolErrors if some of several symbols failed
void run_and_report(const std::string& verb, const RunArguments& arguments, const ChooseMeasured& choose);

}  // namespace sentio::cli

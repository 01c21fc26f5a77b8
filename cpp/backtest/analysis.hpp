#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backtest/evidence.hpp"
#include "backtest/measures.hpp"
#include "backtest/periods.hpp"
#include "backtest/readiness.hpp"
#include "backtest/sample.hpp"
#include "backtest/simulation.hpp"

namespace sentio {

/// What is known of a run besides its bars.
struct Context {
  std::optional<DataSpans> spans;  ///< of the model; none for a strategy that is not trained
  bool synthetic = false;          ///< the bars were generated, not recorded
  std::vector<Period> periods;     ///< of the temporal performance analysis; none for a plain backtest
  Trials trials = {};              ///< that the strategy was picked from
};

/// Everything that a report says about a run.
struct Analysis {
  PeriodsPerYear periods_per_year;
  SampleCounts samples;
  Measures total, buy_and_hold;
  Run buy_and_hold_run;     ///< without its decisions, which are all the same
  SharpeEvidence evidence;  ///< of the strategy's Sharpe ratio
  std::vector<PeriodRow> rows;
  Spread returns, sharpes, drawdowns;  ///< across `rows`
  std::optional<Readiness> readiness;  ///< where there are periods
  std::vector<std::string> verdict;    ///< sentences; a measured bar that the model has seen is in the first
};

/// Measures `run`, its periods, and buy-and-hold over the same bars with the same broker.
[[nodiscard]] Analysis analyse(const Run& run, BarsView bars, const RunOptions& options, const Context& context);

}  // namespace sentio

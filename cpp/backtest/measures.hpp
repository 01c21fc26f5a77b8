#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backtest/equity_figures.hpp"
#include "backtest/metrics.hpp"
#include "backtest/simulation.hpp"
#include "bars/bars.hpp"

namespace sentio {

/// Bars begin to end - 1.
struct BarRange {
  std::size_t begin, end;
  [[nodiscard]] std::size_t size() const { return end - begin; }
};

/// What was paid, in currency.
struct CostsPaid {
  double commission = 0.0, spread = 0.0, slippage = 0.0, borrow = 0.0;
  [[nodiscard]] double total() const { return commission + spread + slippage + borrow; }
};

/// The figures of a stretch of a run.
struct Measures : EquityFigures {
  TradeFigures trades;  ///< trades completed in the stretch
  std::optional<double> trades_per_session;
  std::size_t fills = 0;
  std::optional<double> mean_exposure;    ///< mean of |position x close / equity| over bars
  std::optional<double> time_in_market;   ///< share of bars that close with a position
  std::optional<double> turnover;         ///< sum of |quantity x price| over mean equity
  std::optional<double> annual_turnover;  ///< turnover x bars per year / bars; from kSessionsToAnnualise sessions
  std::size_t longest_flat_bars = 0;
  CostsPaid costs;
  SignalFigures signal;
};

/// What the decision at each bar of `range` could earn: ln(open[t+2] / open[t+1]), NaN where the range ends before.
[[nodiscard]] std::vector<double> forward_returns(BarsView bars, BarRange range);

/// What the decision at each measured bar told: probability - 1/2, NaN where that is not known; the exposure in a run
/// without any probability.
[[nodiscard]] std::vector<double> signals_of(const Run& run);

/// Computes Measures for stretches of one run.
class Measurer {
 public:
  /// All arguments must outlive it.
  /// @param sessions days since 1970 of each bar's session, shape of `bars`
  /// @param forward_returns of the measured bars
  Measurer(const Run& run, BarsView bars, std::span<const std::int32_t> sessions,
           std::span<const double> forward_returns, const PeriodsPerYear& per_year);

  /// @param range within the measured bars, not empty; the drawdown's bars are indices into the file
  [[nodiscard]] Measures operator()(BarRange range) const;

  [[nodiscard]] EquityCurve curve(BarRange range) const;

 private:
  const Run& run_;
  BarsView bars_;
  std::span<const std::int32_t> sessions_;
  std::span<const double> forward_returns_;
  const PeriodsPerYear& per_year_;
  std::vector<Trade> trades_;
  std::vector<double> signals_;
};

/// Undefined figures are null; times are ISO-8601.
[[nodiscard]] nlohmann::ordered_json to_json(const Measures& measures, BarsView bars);

}  // namespace sentio

#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

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

/// Returns by session, from the last close of the session before to its own last close.
struct SessionFigures {
  std::size_t count = 0;
  std::optional<double> mean_return, sample_std, sharpe, best, worst;  ///< sharpe: over the sessions of one year
};

/// A stretch of fewer sessions says nothing of a year: its figures are not annualised.
inline constexpr std::size_t kSessionsToAnnualise = 20;

/// The figures of a stretch of a run. Those of a year or a month (annualised_return, monthly_return, volatility,
/// sharpe, sharpe_standard_error, sortino, calmar, annual_turnover and the sessions' sharpe) need kSessionsToAnnualise
/// sessions.
struct Measures {
  std::size_t bars = 0;
  double start_equity = 0.0, end_equity = 0.0;
  std::optional<std::string> not_annualised;  ///< why not, "not annualised: 5 sessions", where there are too few
  std::optional<double> total_return, annualised_return, monthly_return, volatility, sharpe, sharpe_standard_error,
      sortino, calmar;
  std::optional<double> sharpe_of_stretch;  ///< mean / sample_std x sqrt(n) of the bars' returns: a t-value
  Drawdown drawdown;                        ///< bars are indices into the file
  TradeFigures trades;                      ///< trades completed in the stretch
  std::optional<double> trades_per_session;
  std::size_t fills = 0;
  std::optional<double> mean_exposure;    ///< mean of |position x close / equity| over bars
  std::optional<double> time_in_market;   ///< share of bars that close with a position
  std::optional<double> turnover;         ///< sum of |quantity x price| over mean equity
  std::optional<double> annual_turnover;  ///< turnover x bars per year / bars
  std::size_t longest_flat_bars = 0;
  CostsPaid costs;
  SignalFigures signal;
  SessionFigures sessions;
};

/// For each decision t of the run, the signal and the return that it could earn, ln(open[t+2] / open[t+1]), NaN where
/// the measured bars end before. The signal is probability - 1/2, NaN where that is not known; the exposure in a run
/// without any probability. Index 0 is bar `run.begin`.
struct SignalSeries {
  std::vector<double> signal, forward_return;
};
[[nodiscard]] SignalSeries signal_series(const Run& run, BarsView bars);

/// Computes Measures for stretches of one run.
class Measurer {
 public:
  /// All arguments must outlive it. @param sessions days since 1970 of each bar's session, shape of `bars`
  Measurer(const Run& run, BarsView bars, std::span<const std::int32_t> sessions, double periods_per_year);

  /// @param range within the measured bars, not empty
  [[nodiscard]] Measures operator()(BarRange range) const;

 private:
  [[nodiscard]] SessionFigures session_figures(BarRange range) const;
  [[nodiscard]] double equity_before(std::size_t bar) const;

  const Run& run_;
  BarsView bars_;
  std::span<const std::int32_t> sessions_;
  double periods_per_year_;
  std::vector<Trade> trades_;
  SignalSeries signals_;
};

/// Undefined figures are null; times are ISO-8601.
[[nodiscard]] nlohmann::ordered_json to_json(const Measures& measures, BarsView bars);

}  // namespace sentio

#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backtest/metrics.hpp"

namespace sentio {

/// A stretch of fewer sessions says nothing of a year: its figures are not annualised.
inline constexpr std::size_t kSessionsToAnnualise = 20;

/// Equity at the close of each bar of a stretch.
struct EquityCurve {
  double start;                            ///< equity before the first bar
  std::span<const double> equity;          ///< not empty
  std::span<const std::int32_t> sessions;  ///< days since 1970 of each bar's session, shape of `equity`
};

/// Returns by session, from the last close of the session before to its own last close. One a session, but for those
/// after equity was gone.
[[nodiscard]] std::vector<double> session_returns(const EquityCurve& curve);

/// How many sessions the curve has.
[[nodiscard]] std::size_t count_sessions(const EquityCurve& curve);

/// What session_returns tell; the Sharpe ratio is annualised by the sessions of a year.
struct SessionFigures {
  std::size_t count = 0;
  std::optional<double> mean_return, sample_std, sharpe, best, worst;
};

/// The figures that follow from equity alone. Those of a year or a month (annualised_return, monthly_return,
/// volatility, sharpe, sharpe_standard_error, sortino, calmar and the sessions' sharpe) need kSessionsToAnnualise
/// sessions.
struct EquityFigures {
  std::size_t bars = 0;
  double start_equity = 0.0, end_equity = 0.0;
  std::optional<std::string> not_annualised;  ///< "not annualised: 5 sessions", where there are too few
  std::optional<double> total_return, annualised_return, monthly_return, volatility, sharpe, sharpe_standard_error,
      sortino, calmar;
  std::optional<double> sharpe_of_stretch;  ///< mean / sample_std x sqrt(n) of the bars' returns: a t-value
  Drawdown drawdown;                        ///< bars are indices into the curve
  SessionFigures sessions;
};
[[nodiscard]] EquityFigures equity_figures(const EquityCurve& curve, const PeriodsPerYear& per_year);

/// Undefined figures are null; times are ISO-8601. @param time_ns open times of the bars that the drawdown's index
[[nodiscard]] nlohmann::ordered_json to_json(const EquityFigures& figures, std::span<const std::int64_t> time_ns);

}  // namespace sentio

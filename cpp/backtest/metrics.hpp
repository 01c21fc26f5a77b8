#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backtest/trades.hpp"

namespace sentio {

// Every figure that can be undefined (no return, no spread of returns, no trade) is then not there; never 0.
// r: simple returns per bar, n of them; P: bars per year. The risk-free rate is 0.

/// r[i] = equity[i] / equity[i-1] - 1, with `start` before the first. Ends before the first bar that follows an equity
/// of 0 or below, where returns have no meaning.
[[nodiscard]] std::vector<double> simple_returns(std::span<const double> equity, double start);

/// end / start - 1, which is prod(1 + r) - 1; undefined without a bar or for start <= 0.
[[nodiscard]] std::optional<double> total_return(std::span<const double> equity, double start);

/// (1 + total)^(P / n) - 1; undefined for total <= -1.
[[nodiscard]] std::optional<double> annualised_return(std::optional<double> total, std::size_t n,
                                                      double periods_per_year);

/// (1 + total)^(P / (12 n)) - 1: the return of a month at this pace; undefined for total <= -1.
[[nodiscard]] std::optional<double> monthly_return(std::optional<double> total, std::size_t n, double periods_per_year);

/// Arithmetic mean; undefined for n = 0.
[[nodiscard]] std::optional<double> mean(std::span<const double> values);

/// Sample standard deviation, sqrt(sum (x - mean)^2 / (n - 1)); undefined for n < 2. Exactly 0 if all are equal.
[[nodiscard]] std::optional<double> sample_std(std::span<const double> values);

/// What ratios of returns are made of.
struct Moments {
  std::size_t count = 0;
  std::optional<double> mean, sample_std;
};
[[nodiscard]] Moments moments(std::span<const double> values);

/// sample_std(r) sqrt(P).
[[nodiscard]] std::optional<double> volatility(const Moments& returns, double periods_per_year);

/// mean(r) / sample_std(r) sqrt(P); undefined where no return differs from the others.
[[nodiscard]] std::optional<double> sharpe(const Moments& returns, double periods_per_year);

/// Standard error of the annualised Sharpe ratio S if returns were independent:
/// sqrt((P + S^2 / 2) / n). Lo, The Statistics of Sharpe Ratios, 2002.
[[nodiscard]] std::optional<double> sharpe_standard_error(const Moments& returns, double periods_per_year);

/// mean(r) / sqrt(mean(min(r, 0)^2)) sqrt(P); undefined without a loss. Sortino & Price 1994, target 0.
[[nodiscard]] std::optional<double> sortino(std::span<const double> returns, double periods_per_year);

/// The deepest fall from a peak of equity, the start included among the peaks.
struct Drawdown {
  double depth = 0.0;                   ///< max(1 - equity / peak), at least 0
  std::optional<std::size_t> peak;      ///< bar of the peak; none if it is the start, or if equity never fell
  std::optional<std::size_t> bottom;    ///< bar of the deepest point; none if equity never fell
  std::optional<std::size_t> recovery;  ///< first bar after it back at the peak; none if not yet
};
/// None for start <= 0.
[[nodiscard]] Drawdown max_drawdown(std::span<const double> equity, double start);

/// annualised_return / drawdown depth; undefined without a drawdown.
[[nodiscard]] std::optional<double> calmar(std::optional<double> annualised_return, double drawdown);

/// Figures of completed trades; profits in currency, after all costs.
struct TradeFigures {
  std::size_t count = 0;
  std::optional<double> win_rate;                   ///< trades with profit > 0, over all
  std::optional<double> profit_factor;              ///< sum of profits / sum of losses; undefined without a loss
  std::optional<double> average_win, average_loss;  ///< mean profit > 0; mean profit <= 0, so at most 0
  std::optional<double> expectancy;                 ///< mean profit
};
[[nodiscard]] TradeFigures trade_figures(std::span<const Trade> trades);

/// How well a signal told the return that it could earn.
struct SignalFigures {
  std::size_t count = 0;                          ///< pairs of a known signal and a known return
  std::optional<double> information_coefficient;  ///< Pearson correlation of signal and return
  std::optional<double> hit_rate;                 ///< share of pairs with one sign, among those where neither is 0
};
/// @param signals, returns: one length; pairs with a NaN are left out.
[[nodiscard]] SignalFigures signal_figures(std::span<const double> signals, std::span<const double> returns);

/// The longest run of values equal to 0, in bars.
[[nodiscard]] std::size_t longest_flat(std::span<const double> positions);

/// Bars per year, and how it was found. Both are of the whole file, so that a stretch with fewer trades a session, or
/// fewer sessions a month, has the same year.
struct PeriodsPerYear {
  double value;
  double sessions;  ///< value x sessions / bars
  std::string rule;
};

/// (n - 1) / years between the first bar and the last if that is 90 days or more (a year is 365.25 days). Else the mean
/// number of bars in a session x 252, or x 365 where sessions fall on weekends.
///
/// @param sessions days since 1970 of each bar's session, shape [n], n >= 1
[[nodiscard]] PeriodsPerYear periods_per_year(std::span<const std::int64_t> time_ns,
                                              std::span<const std::int32_t> sessions);

}  // namespace sentio

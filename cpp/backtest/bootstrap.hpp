#pragma once

#include <optional>
#include <span>

namespace sentio {

/// Mean length of the blocks of a stationary bootstrap of `values`, in [1, min(3 sqrt(n), n / 3)], that estimates the
/// variance of their mean best. Politis & White, Automatic Block-Length Selection for the Dependent Bootstrap, 2004,
/// with the correction of Patton, Politis & White, 2009. Values are not all equal.
[[nodiscard]] double mean_block_length(std::span<const double> values);

struct Interval {
  double low, high;
};

/// 95 % interval of sharpe(returns, periods_per_year): the 2.5 % and 97.5 % quantiles over 2,000 resamples of blocks of
/// returns of geometric length, begun anywhere, the end followed by the beginning. Politis & Romano, The Stationary
/// Bootstrap, 1994. Nothing is left to chance: the same returns give
/// the same interval. Undefined for fewer than 2 returns, or
/// where some resample has less than 1e-6 of the spread.
[[nodiscard]] std::optional<Interval> sharpe_interval(std::span<const double> returns, double periods_per_year);

}  // namespace sentio

#pragma once

namespace sentio {

/// Probability that a standard normal value is at most `x`.
[[nodiscard]] double normal_cdf(double x);

/// The x at which normal_cdf(x) is `p`, to about 1e-16 of itself; p in (0, 1). Wichura, Algorithm AS 241: The
/// Percentage Points of the Normal Distribution, 1988, PPND16.
[[nodiscard]] double normal_quantile(double p);

}  // namespace sentio

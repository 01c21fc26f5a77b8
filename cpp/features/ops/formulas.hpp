#pragma once

// Formulas that several ops read.

#include <cmath>

#include "features/graph.hpp"
#include "features/log.hpp"

namespace sentio {

/// No op's value goes beyond this, far above any price or volume: the squares and sums that other ops take of it stay
/// finite.
inline constexpr double kLargestValue = 1e100;

/// For what can outgrow its inputs: sums, products, multiples.
[[nodiscard]] inline double limited(double x) {
  return x > kLargestValue ? kLargestValue : x < -kLargestValue ? -kLargestValue : x;
}

/// numerator / denominator, and 0 where the denominator is 0 or so small that the quotient is beyond kLargestValue.
[[nodiscard]] inline double ratio_or_zero(double numerator, double denominator) {
  const double ratio = numerator / denominator;
  return std::abs(ratio) <= kLargestValue ? ratio : 0.0;
}

struct Minus {
  static constexpr int kInputs = 2;
  int wait = 0;  ///< bars to hold the first value back
  [[nodiscard]] int lookback() const { return wait; }
  [[nodiscard]] double at(const double* a, const double* b) const { return limited(*a - *b); }
  bool operator==(const Minus&) const = default;
};

struct Limited {
  static constexpr int kInputs = 1;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* x) const { return limited(*x); }
  bool operator==(const Limited&) const = default;
};

struct RatioOrZero {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* a, const double* b) const { return ratio_or_zero(*a, *b); }
  bool operator==(const RatioOrZero&) const = default;
};

/// A mean of changes below this has seen none for thousands of bars. It fades until it is stuck among the subnormal
/// numbers, where a ratio of two such means says nothing.
inline constexpr double kFaded = 1e-250;

/// value / base - 1, and 0 where the base is 0.
struct RelativeTo {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* value, const double* base) const {
    return *base != 0.0 ? ratio_or_zero(*value, *base) - 1.0 : 0.0;
  }
  bool operator==(const RelativeTo&) const = default;
};

/// ln((offset + x[t]) / (offset + x[t-lag])), and 0 where either side is not above 0.
struct LogReturn {
  static constexpr int kInputs = 1;
  int lag;
  double offset = 0.0;
  [[nodiscard]] int lookback() const { return lag; }
  [[nodiscard]] double at(const double* x) const {
    constexpr double kSmallest = 0x1p-1022, kLargest = 0x1.fffffffffffffp1023;
    const double now = x[0] + offset, then = x[-lag] + offset;
    const bool defined = now > 0.0 && then > 0.0;
    double ratio = defined ? now / then : 1.0;
    ratio = ratio < kSmallest ? kSmallest : ratio;
    ratio = ratio > kLargest ? kLargest : ratio;
    return log_of(ratio);
  }
  bool operator==(const LogReturn&) const = default;
};

/// x[t] / x[t-lag] - 1, and 0 where x[t-lag] is 0.
struct SimpleReturn {
  static constexpr int kInputs = 1;
  int lag;
  [[nodiscard]] int lookback() const { return lag; }
  [[nodiscard]] double at(const double* x) const { return x[-lag] != 0.0 ? ratio_or_zero(x[0], x[-lag]) - 1.0 : 0.0; }
  bool operator==(const SimpleReturn&) const = default;
};

/// (high + low + close) / 3.
struct TypicalPrice {
  static constexpr int kInputs = 3;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* high, const double* low, const double* close) const {
    return (*high + *low + *close) / 3.0;
  }
  bool operator==(const TypicalPrice&) const = default;
};

/// Wilder's true range: max(high, previous close) - min(low, previous close).
struct TrueRange {
  static constexpr int kInputs = 3;
  [[nodiscard]] int lookback() const { return 1; }
  [[nodiscard]] double at(const double* high, const double* low, const double* close) const {
    const double before = close[-1];
    return (*high > before ? *high : before) - (*low < before ? *low : before);
  }
  bool operator==(const TrueRange&) const = default;
};

/// Where the close lies in the bar's range: ((c - l) - (h - c)) / (h - l), in [-1, 1]; 0 on a flat bar.
[[nodiscard]] inline double close_location(double high, double low, double close) {
  return high > low ? ((close - low) - (high - close)) / (high - low) : 0.0;
}

/// Close location times volume, the money flow volume of Chaikin's indicators.
struct LocatedVolume {
  static constexpr int kInputs = 4;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* high, const double* low, const double* close, const double* volume) const {
    return close_location(*high, *low, *close) * *volume;
  }
  bool operator==(const LocatedVolume&) const = default;
};

[[nodiscard]] inline Column log_return(Graph& graph, Column x, int lag = 1) { return graph.add(LogReturn{lag}, {x}); }

[[nodiscard]] inline Column typical_price(Graph& graph) { return graph.add(TypicalPrice{}, {kHigh, kLow, kClose}); }

[[nodiscard]] inline Column true_range(Graph& graph) { return graph.add(TrueRange{}, {kHigh, kLow, kClose}); }

}  // namespace sentio

#pragma once

#include <cmath>

#include "features/graph.hpp"
#include "features/log.hpp"

namespace sentio {

/// Bars after which a recursive mean that keeps `decay` of its old value each bar has kept less than 2^-56 of it: less
/// than the rounding of a double, far less than that of the float32 output.
[[nodiscard]] inline int bars_to_forget(double decay) {
  constexpr double kLnOfTwoTo56 = 38.816242111356935;
  return decay > 0.0 ? static_cast<int>(std::ceil(kLnOfTwoTo56 / -log_of(decay))) : 0;
}

/// Exponential moving average, alpha = 2 / (window + 1), seeded with the plain mean of its first values.
struct Ema {
  static constexpr int kInputs = 1;

  /// The first mean takes `seed_count` values, after passing over `skip_count`.
  Ema(int window, int seed_count, int skip_count = 0)
      : alpha(2.0 / (window + 1.0)), seed(seed_count), skip(skip_count) {}

  [[nodiscard]] int delay() const { return static_cast<int>(skip + seed) - 1; }
  [[nodiscard]] int settle() const { return delay() + bars_to_forget(1.0 - alpha); }

  double step(double x) {
    ++seen;
    if (seen <= skip) return 0.0;
    const double taken = seen - skip;
    if (taken < seed) return sum += x, 0.0;
    if (taken == seed) return value = (sum + x) / seed;
    return value += alpha * (x - value);
  }

  bool operator==(const Ema&) const = default;

  double alpha, seed, skip;
  double seen = 0.0, sum = 0.0, value = 0.0;
};

/// Wilder's moving average, alpha = 1 / window, seeded with the plain mean of the first `window` values.
/// Wilder, New Concepts in Technical Trading Systems, 1978.
struct Wilder {
  static constexpr int kInputs = 1;

  explicit Wilder(int bars) : window(bars) {}

  [[nodiscard]] int delay() const { return static_cast<int>(window) - 1; }
  [[nodiscard]] int settle() const { return delay() + bars_to_forget(1.0 - 1.0 / window); }

  double step(double x) {
    ++seen;
    if (seen < window) return sum += x, 0.0;
    if (seen == window) return value = (sum + x) / window;
    return value += (x - value) / window;
  }

  bool operator==(const Wilder&) const = default;

  double window;
  double seen = 0.0, sum = 0.0, value = 0.0;
};

}  // namespace sentio

#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include "features/graph.hpp"
#include "features/log.hpp"

namespace sentio {

/// Bars after which a recursive mean that keeps `decay` of its old value each bar has kept less than 2^-56 of it: less
/// than the rounding of a double, far less than that of the float32 output.
[[nodiscard]] inline int bars_to_forget(double decay) {
  constexpr double kLnOfTwoTo56 = 38.816242111356935;
  return decay > 0.0 ? static_cast<int>(std::ceil(kLnOfTwoTo56 / -log_of(decay))) : 0;
}

/// A mean that moves by a share `alpha` of its distance to each new value, from a seed that is the plain mean of the
/// first ones.
struct RecursiveMean {
  static constexpr int kInputs = 1;

  [[nodiscard]] int delay() const { return static_cast<int>(skip + seed + wait) - 1; }
  [[nodiscard]] int settle() const { return delay() + bars_to_forget(1.0 - alpha); }

  double step(double x) {
    if (memory.seen < skip + seed) return take_for_seed(x);
    return memory.value += alpha * (x - memory.value);
  }

  /// What `step` does to each of several means, each with its own values, bar by bar side by side: one mean alone would
  /// spend most of its time waiting for its last value.
  static void run_lanes(std::span<RecursiveMean* const> means, const double* const* in, double* const* out,
                        std::ptrdiff_t begin, std::ptrdiff_t end);

  bool operator==(const RecursiveMean&) const = default;

  double alpha;
  double seed;        ///< values that make the seed
  double divisor;     ///< what their sum is divided by
  double skip = 0.0;  ///< values passed over before them
  double wait = 0.0;  ///< values after them before the mean is defined

  struct Memory {
    double seen = 0.0;  ///< values taken, up to the seed
    double sum = 0.0, value = 0.0;
    bool operator==(const Memory&) const = default;
  } memory = {};

 private:
  double take_for_seed(double x) {
    ++memory.seen;
    if (memory.seen > skip) memory.sum += x;
    if (memory.seen == skip + seed) memory.value = memory.sum / divisor;
    return memory.value;
  }
};

/// Exponential moving average, alpha = 2 / (window + 1), seeded with the plain mean of `seed_count` values after
/// passing over `skip_count`.
[[nodiscard]] inline RecursiveMean exponential_mean(int window, int seed_count, int skip_count = 0) {
  const double seed = seed_count;
  return {.alpha = 2.0 / (window + 1.0), .seed = seed, .divisor = seed, .skip = static_cast<double>(skip_count)};
}

/// Wilder's moving average, alpha = 1 / window, seeded with the plain mean of the first `window` values.
/// Wilder, New Concepts in Technical Trading Systems, 1978.
[[nodiscard]] inline RecursiveMean wilder_mean(int window) {
  const double n = window;
  return {.alpha = 1.0 / n, .seed = n, .divisor = n};
}

}  // namespace sentio

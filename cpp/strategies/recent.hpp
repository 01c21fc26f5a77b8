#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bars/state.hpp"

namespace sentio {

/// The newest values of a series, as many as it has room for. Figures of them are computed afresh, oldest first, so
/// that no rounding of bars long gone stays in them.
class Recent {
 public:
  explicit Recent(std::size_t capacity) : capacity_(capacity), values_(2 * capacity) {}

  void push(double value) {
    values_[next_] = values_[next_ + capacity_] = value;
    if (++next_ == capacity_) next_ = 0;
    if (seen_ < capacity_) ++seen_;
  }

  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] bool full() const { return seen_ == capacity_; }

  /// The newest `n`, oldest first; at most as many as were seen.
  [[nodiscard]] std::span<const double> last(std::size_t n) const {
    return std::span(values_).subspan(next_ + capacity_ - n, n);
  }
  [[nodiscard]] std::span<const double> all() const { return last(seen_); }

  void save(StateWriter& to) const {
    to.values(std::span(values_).first(capacity_));
    to.number(static_cast<std::int64_t>(next_));
    to.number(static_cast<std::int64_t>(seen_));
  }

  void load(StateReader& from) {
    const std::span values(values_);
    from.values(values.first(capacity_));
    std::ranges::copy(values.first(capacity_), values.begin() + static_cast<std::ptrdiff_t>(capacity_));
    const auto capacity = static_cast<std::int64_t>(capacity_);
    next_ = static_cast<std::size_t>(from.whole(0, capacity - 1, "place of the next value"));
    seen_ = static_cast<std::size_t>(from.whole(0, capacity, "values seen"));
  }

 private:
  std::size_t capacity_;
  std::vector<double> values_;  ///< twice, so that the newest always lie in one piece
  std::size_t next_ = 0, seen_ = 0;
};

[[nodiscard]] inline double mean_of(std::span<const double> values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// mean_of each window of `n` values, `out` holding as many as there are, with the same bits: eight windows are summed
/// side by side, each in its own order, so that none waits for its last addition.
inline void rolling_means(std::span<const double> values, std::size_t n, std::span<double> out) {
  constexpr std::size_t kLanes = 8;
  std::size_t i = 0;
  for (; i + kLanes <= out.size(); i += kLanes) {
    std::array<double, kLanes> sums{};
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += values[i + k + lane];
    }
    for (std::size_t lane = 0; lane < kLanes; ++lane) out[i + lane] = sums[lane] / static_cast<double>(n);
  }
  for (; i < out.size(); ++i) out[i] = mean_of(values.subspan(i, n));
}

}  // namespace sentio

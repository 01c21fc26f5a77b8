#include "bars/bars.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

namespace sentio {

void Bars::reserve(std::size_t count) {
  time_ns.reserve(count);
  for (auto* column : {&open, &high, &low, &close, &volume}) column->reserve(count);
}

void Bars::push_back(const Bar& bar) {
  time_ns.push_back(bar.time_ns);
  open.push_back(bar.open);
  high.push_back(bar.high);
  low.push_back(bar.low);
  close.push_back(bar.close);
  volume.push_back(bar.volume);
}

namespace {

/// Whether `fault_of` finds nothing in any bar; without a branch, so that it runs on vectors.
bool all_valid(BarsView bars) {
  const std::size_t n = bars.size();
  std::int64_t faults = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double open = bars.open[i], high = bars.high[i], low = bars.low[i], close = bars.close[i];
    const double volume = bars.volume[i];
    // Open and close lie between low and high, and so within the limits of these two.
    const bool valid = (low >= kMinPrice) & (low <= open) & (low <= close) & (open <= high) & (close <= high) &
                       (high <= kMaxPrice) & (volume >= 0.0) & (volume <= kMaxVolume);
    faults += valid ? 0 : 1;
  }
  for (std::size_t i = 1; i < n; ++i) faults += bars.time_ns[i] > bars.time_ns[i - 1] ? 0 : 1;
  return faults == 0;
}

void require_one_length(BarsView bars) {
  for (const auto column : {bars.open, bars.high, bars.low, bars.close, bars.volume})
    if (column.size() != bars.size())
      throw std::invalid_argument("bar columns must have one length, found " + std::to_string(bars.size()) +
                                  " times and " + std::to_string(column.size()) + " values");
}

}  // namespace

void require_valid(BarsView bars) {
  require_one_length(bars);
  if (all_valid(bars)) return;
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const auto previous = i > 0 ? std::optional(bars.time_ns[i - 1]) : std::nullopt;
    if (const auto fault = fault_of(bars[i], previous))
      throw std::invalid_argument("bar " + std::to_string(i) + ": " + describe(*fault, bars[i], previous));
  }
}

Bars valid_bars(BarsView bars, std::optional<std::int64_t> previous_ns, std::vector<BadBar>& bad) {
  require_one_length(bars);
  Bars valid;
  valid.reserve(bars.size());
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const Bar bar = bars[i];
    if (const auto fault = fault_of(bar, previous_ns)) {
      bad.push_back({i, *fault, describe(*fault, bar, previous_ns)});
    } else {
      valid.push_back(bar);
      previous_ns = bar.time_ns;
    }
  }
  return valid;
}

std::int64_t median_interval_ns(std::span<const std::int64_t> time_ns) {
  if (time_ns.size() < 2) return 0;
  std::vector<std::int64_t> gaps(time_ns.size() - 1);
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    // Two times of int64 can be further apart than int64 reaches.
    const auto gap = static_cast<std::uint64_t>(time_ns[i + 1]) - static_cast<std::uint64_t>(time_ns[i]);
    constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
    gaps[i] = static_cast<std::int64_t>(std::min(gap, static_cast<std::uint64_t>(kLargest)));
  }
  const auto middle = gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2);
  std::nth_element(gaps.begin(), middle, gaps.end());
  return *middle;
}

}  // namespace sentio

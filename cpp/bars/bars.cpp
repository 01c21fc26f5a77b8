#include "bars/bars.hpp"

#include <algorithm>
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

void require_valid(BarsView bars) {
  const std::size_t n = bars.size();
  for (const auto column : {bars.open, bars.high, bars.low, bars.close, bars.volume})
    if (column.size() != n)
      throw std::invalid_argument("bar columns must have one length, found " + std::to_string(n) + " times and " +
                                  std::to_string(column.size()) + " values");
  for (std::size_t i = 0; i < n; ++i) {
    const auto previous = i > 0 ? std::optional(bars.time_ns[i - 1]) : std::nullopt;
    if (const auto fault = fault_of(bars[i], previous))
      throw std::invalid_argument("bar " + std::to_string(i) + ": " + describe(*fault, bars[i], previous));
  }
}

std::int64_t median_interval_ns(std::span<const std::int64_t> time_ns) {
  if (time_ns.size() < 2) return 0;
  std::vector<std::int64_t> gaps(time_ns.size() - 1);
  for (std::size_t i = 0; i < gaps.size(); ++i) gaps[i] = time_ns[i + 1] - time_ns[i];
  const auto middle = gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2);
  std::nth_element(gaps.begin(), middle, gaps.end());
  return *middle;
}

}  // namespace sentio

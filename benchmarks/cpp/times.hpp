#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace sentio::bench {

using Clock = std::chrono::steady_clock;

inline std::uint32_t nanoseconds_since(Clock::time_point began) {
  const auto passed = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - began).count();
  return static_cast<std::uint32_t>(std::min<std::int64_t>(passed, UINT32_MAX));
}

/// Of at least one time; sorts them.
inline nlohmann::json distribution(std::vector<std::uint32_t>& times) {
  std::ranges::sort(times);
  const auto at = [&](double share) {
    return times[std::min(times.size() - 1, static_cast<std::size_t>(share * static_cast<double>(times.size())))];
  };
  return {{"p50", at(0.5)}, {"p99", at(0.99)}, {"p99.9", at(0.999)}, {"max", times.back()}};
}

/// What the clock itself adds to each time.
inline nlohmann::json clock_alone(std::size_t count) {
  std::vector<std::uint32_t> times(count);
  for (std::uint32_t& time : times) time = nanoseconds_since(Clock::now());
  return distribution(times);
}

}  // namespace sentio::bench

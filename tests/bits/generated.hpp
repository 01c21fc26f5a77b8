#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

#include "bars/bars.hpp"
#include "bars/time.hpp"

namespace sentio {

/// Knuth's 64-bit linear congruential generator (MMIX). The distributions of <random> differ between standard
/// libraries.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  /// 0 ... count - 1, for counts below 2^33, from the upper bits, which are the better ones.
  std::int64_t below(std::int64_t count) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::int64_t>((state_ >> 33) * static_cast<std::uint64_t>(count) >> 31);
  }

  /// `count` random bits, at most 62.
  std::uint64_t bits(int count) {
    const auto high = static_cast<std::uint64_t>(below(std::int64_t{1} << 31));
    const auto low = static_cast<std::uint64_t>(below(std::int64_t{1} << 31));
    return (high << 31 | low) >> (62 - count);
  }

 private:
  std::uint64_t state_;
};

/// Minute bars of sessions of 390 bars, five a week: a walk on a grid of cents with gaps between sessions, quiet and
/// restless days, stretches without a trade, bars without volume, spikes of price and of volume.
///
/// Whole-number arithmetic and one division a value, so that every platform and language makes the same bars:
/// tests/python/test_bits.py has the same lines.
inline Bars generated_bars(std::int64_t count) {
  constexpr std::int64_t kFirstNs = 946'909'800 * kSecondNs;  // Monday 2000-01-03 14:30 UTC
  constexpr std::int64_t kSession = 390;
  constexpr std::int64_t kLowest = 2'000;
  Random random(55);
  Bars bars;
  bars.reserve(static_cast<std::size_t>(count));
  std::int64_t price = 40'000, unrest = 1, still = 0;  // in cents; 1 ... 8; bars left without a trade
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t day = i / kSession, minute = i % kSession;
    if (minute == 0) {
      price = std::max(price * (9'800 + random.below(401)) / 10'000, kLowest);
      unrest = 1 + random.below(8);
    }
    if (random.below(400) == 0) still = 1 + random.below(60);

    const std::int64_t reach = 2 + price * unrest / 20'000;
    const std::int64_t open = price + random.below(3) - 1;
    std::int64_t close = open - 2 * (reach - 1);
    for (int k = 0; k < 4; ++k) close += random.below(reach);
    const bool spiked = random.below(3'000) == 0;  // a spike is gone with the next bar
    if (spiked) close = close * (900 + random.below(201)) / 1'000;
    const std::int64_t high = std::max(open, close) + random.below(reach);
    const std::int64_t low = std::min(open, close) - random.below(reach);
    std::int64_t volume = 100 + random.below(900);
    volume <<= random.below(8);
    if (random.below(2'000) == 0) volume *= 1'000;
    if (random.below(50) == 0) volume = 0;

    // Tenths of a unit, because sums of whole numbers are exact and would show no difference in their order.
    Bar bar{kFirstNs + (day / 5 * 7 + day % 5) * kDayNs + minute * kMinuteNs,
            static_cast<double>(open) / 100.0,
            static_cast<double>(high) / 100.0,
            static_cast<double>(low) / 100.0,
            static_cast<double>(close) / 100.0,
            static_cast<double>(volume) / 10.0};
    if (still > 0) {
      --still;
      bar.open = bar.high = bar.low = bar.close = static_cast<double>(price) / 100.0;
      if (minute % 4 != 0) bar.volume = 0.0;
    } else if (!spiked) {
      price = std::max(close, kLowest);
    }
    bars.push_back(bar);
  }
  return bars;
}

/// Edges, then numbers of every binade, numbers a few ulps to a half away from 1, and ratios of prices.
inline std::vector<double> generated_log_points(std::size_t count) {
  constexpr auto kOne = std::bit_cast<std::uint64_t>(1.0);
  constexpr auto kSmallest = std::bit_cast<std::uint64_t>(std::numeric_limits<double>::min());
  constexpr auto kInfinity = std::bit_cast<std::uint64_t>(std::numeric_limits<double>::infinity());
  constexpr std::array<std::uint64_t, 4> kEdges = {kOne, 0x3fe6a09e667f3bcd,
                                                   0x3ff6a09e667f3bcd,  // 1, sqrt(1/2), sqrt(2)
                                                   std::bit_cast<std::uint64_t>(2.0)};
  std::vector<double> points = {std::numeric_limits<double>::min(), std::numeric_limits<double>::max()};
  for (const std::uint64_t edge : kEdges)
    for (std::uint64_t bits = edge - 8; bits <= edge + 8; ++bits) points.push_back(std::bit_cast<double>(bits));
  Random random(1);
  while (points.size() < count) {
    points.push_back(std::bit_cast<double>(kSmallest + random.bits(62) * 2 % (kInfinity - kSmallest)));
    const int reach = 1 + static_cast<int>(random.below(52));
    points.push_back(std::bit_cast<double>(kOne + random.bits(reach) - (std::uint64_t{1} << (reach - 1))));
    const auto bought = static_cast<double>(20'000 + random.below(40'000));
    points.push_back(static_cast<double>(20'000 + random.below(40'000)) / bought);
  }
  return points;
}

}  // namespace sentio

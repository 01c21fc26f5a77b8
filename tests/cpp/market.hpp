#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

#include "backtest/decision.hpp"
#include "bars/bars.hpp"
#include "bars/time.hpp"

namespace sentio::test {

inline constexpr std::int64_t kMonday = 1'704'724'200 * kSecondNs;  // 2024-01-08 14:30 UTC, 09:30 in New York

/// Bars whose open, high, low and close are one price, a minute apart.
inline Bars flat_bars(std::initializer_list<double> prices, std::int64_t interval_ns = kMinuteNs) {
  Bars bars;
  std::int64_t time_ns = kMonday;
  for (const double p : prices) {
    bars.push_back({time_ns, p, p, p, p, 100.0});
    time_ns += interval_ns;
  }
  return bars;
}

/// A random walk with gaps between close and next open; `volatility` per bar.
inline Bars random_bars(std::size_t count, unsigned seed, double volatility = 0.002,
                        std::int64_t interval_ns = kMinuteNs) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  Bars bars;
  bars.reserve(count);
  double price = 100.0;
  for (std::size_t i = 0; i < count; ++i) {
    const double open = price * std::exp(0.3 * volatility * normal(random));
    const double close = open * std::exp(volatility * normal(random));
    const double high = std::max(open, close) * (1.0 + 0.2 * volatility);
    const double low = std::min(open, close) * (1.0 - 0.2 * volatility);
    bars.push_back({kMonday + static_cast<std::int64_t>(i) * interval_ns, open, high, low, close, 1000.0});
    price = close;
  }
  return bars;
}

/// The same times; from `from` on, other prices.
inline Bars with_other_future(const Bars& bars, std::size_t from, unsigned seed) {
  Bars other = random_bars(bars.size(), seed, 0.05);
  for (std::size_t i = 0; i < bars.size(); ++i) {
    other.time_ns[i] = bars.time_ns[i];
    if (i >= from) continue;
    other.open[i] = bars.open[i];
    other.high[i] = bars.high[i];
    other.low[i] = bars.low[i];
    other.close[i] = bars.close[i];
    other.volume[i] = bars.volume[i];
  }
  return other;
}

inline std::vector<Decision> decisions_of(std::initializer_list<double> exposures) {
  std::vector<Decision> decisions;
  for (const double e : exposures) decisions.push_back({.exposure = e, .reason = "test"});
  return decisions;
}

/// Decisions that change now and then, within [lowest, 1].
inline std::vector<Decision> random_decisions(std::size_t count, unsigned seed, double lowest = -1.0) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(lowest, 1.0);
  std::bernoulli_distribution changes(0.2), flat(0.2);
  std::vector<Decision> decisions;
  double exposure = 0.0;
  for (std::size_t i = 0; i < count; ++i) {
    if (changes(random)) exposure = flat(random) ? 0.0 : uniform(random);
    decisions.push_back({.exposure = exposure, .reason = "random"});
  }
  return decisions;
}

}  // namespace sentio::test

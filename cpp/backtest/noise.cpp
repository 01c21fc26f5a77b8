#include "backtest/noise.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace sentio {
namespace {

/// Its draws are spelled out: the distributions of the standard library differ between platforms.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}

  /// Uniform in [low, high).
  double between(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11U) * 0x1.0p-53;
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }

 private:
  std::mt19937_64 engine_;
};

double price_within(double price) { return std::clamp(price, kMinPrice, kMaxPrice); }

/// Mean absolute change from close to close over the last bars kept; 1 % where nothing moved.
double usual_change(BarsView bars, std::size_t kept) {
  constexpr std::size_t kBars = 100;
  constexpr double kFallback = 0.01, kMost = 0.5;
  const std::size_t count = std::min(kept - 1, kBars);
  double sum = 0.0;
  for (std::size_t t = kept - count; t < kept; ++t) sum += std::abs(bars.close[t] / bars.close[t - 1] - 1.0);
  return sum > 0.0 ? std::min(sum / static_cast<double>(count), kMost) : kFallback;
}

/// The future that noise replaces: bars `kept` to the end.
class Future {
 public:
  Future(BarsView bars, std::size_t kept, std::uint64_t seed)
      : bars_(bars), kept_(kept), last_(bars.close[kept - 1]), dice_(seed) {}

  /// A walk of `count` bars. The first opens at `open`.
  void walk(double open, Bars& out) {
    const double step = 2.0 * usual_change(bars_, kept_);
    double close = open;
    for (std::size_t t = kept_; t < bars_.size(); ++t) {
      open = t == kept_ ? open : price_within(close * (1.0 + dice_.between(-0.3, 0.3) * step));
      close = price_within(open * (1.0 + dice_.between(-step, step)));
      push(t, open, close, 1.0 + dice_.between(0.0, step), bars_.volume[dice_.below(kept_)], out);
    }
  }

  void jumps(double open, Bars& out) {
    constexpr double kTimes = 10.0, kVolumes = 1000.0;
    const auto price = [&] {
      const double u = dice_.between(0.0, 1.0);
      return price_within(last_ * (u < 0.5 ? 1.0 / kTimes + 1.8 * u : 1.0 + (kTimes - 1.0) * (2.0 * u - 1.0)));
    };
    for (std::size_t t = kept_; t < bars_.size(); ++t) {
      const double first = t == kept_ ? open : price();
      const double close = price();
      push(t, first, close, dice_.between(1.0, 2.0), bars_.volume[kept_ - 1] * dice_.between(0.0, kVolumes), out);
    }
  }

  void constant(Bars& out) {
    for (std::size_t t = kept_; t < bars_.size(); ++t)
      out.push_back({bars_.time_ns[t], last_, last_, last_, last_, bars_.volume[kept_ - 1]});
  }

  void reordered(bool reverse, Bars& out) {
    std::vector<std::size_t> order(bars_.size() - kept_);
    std::iota(order.begin(), order.end(), kept_);
    if (reverse) {
      std::ranges::reverse(order);
    } else {
      for (std::size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[dice_.below(i + 1)]);
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
      Bar bar = bars_[order[i]];
      bar.time_ns = bars_.time_ns[kept_ + i];
      out.push_back(bar);
    }
  }

  void move_times(Bars& out) {
    constexpr double kLongest = 3.0;
    const auto usual = static_cast<double>(std::max<std::int64_t>(median_interval_ns(bars_.time_ns), 1));
    for (std::size_t t = kept_; t < out.size(); ++t)
      out.time_ns[t] = out.time_ns[t - 1] + 1 + static_cast<std::int64_t>(dice_.between(0.0, kLongest) * usual);
  }

 private:
  /// @param reach how far the wicks go, as a factor above the body and below it
  void push(std::size_t t, double open, double close, double reach, double volume, Bars& out) const {
    const double high = price_within(std::max(open, close) * reach), low = price_within(std::min(open, close) / reach);
    out.push_back({bars_.time_ns[t], open, high, low, close, std::min(volume, kMaxVolume)});
  }

  BarsView bars_;
  std::size_t kept_;
  double last_;
  Dice dice_;
};

}  // namespace

std::string_view name_of(Noise noise) {
  switch (noise) {
    case Noise::walk: return "walk";
    case Noise::shuffled: return "shuffled";
    case Noise::reversed: return "reversed";
    case Noise::constant: return "constant";
    case Noise::jumps: return "jumps";
    case Noise::none: return "none";
    case Noise::other_times: return "other times";
    case Noise::inside_walk: return "inside the bar, walk";
    case Noise::inside_jumps: return "inside the bar, jumps";
  }
  return "";
}

bool keeps_open(Noise noise) { return noise == Noise::inside_walk || noise == Noise::inside_jumps; }

Bars with_noise(BarsView bars, std::size_t kept, Noise noise, std::uint64_t seed) {
  Bars out;
  out.reserve(bars.size());
  for (std::size_t t = 0; t < kept; ++t) out.push_back(bars[t]);
  Future future(bars, kept, seed);
  const double last = bars.close[kept - 1], next_open = bars.open[kept];
  switch (noise) {
    case Noise::walk: future.walk(last, out); break;
    case Noise::shuffled: future.reordered(false, out); break;
    case Noise::reversed: future.reordered(true, out); break;
    case Noise::constant: future.constant(out); break;
    case Noise::jumps: future.jumps(last, out); break;
    case Noise::none: break;
    case Noise::other_times:
      future.walk(last, out);
      future.move_times(out);
      break;
    case Noise::inside_walk: future.walk(next_open, out); break;
    case Noise::inside_jumps: future.jumps(next_open, out); break;
  }
  return out;
}

}  // namespace sentio

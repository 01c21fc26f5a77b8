#pragma once

// Mistakes as people make them, 25 of the 50 that the audit must find; the others are in tests/python/leaks.py.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "backtest/audit.hpp"
#include "bars/bars.hpp"
#include "market.hpp"

namespace sentio::test {

using Values = std::vector<double>;

inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
inline constexpr std::int64_t kQuarterNs = 15 * kMinuteNs;
inline constexpr std::int64_t kTradingDayNs = 96 * kQuarterNs;

/// Ten days of quarters of an hour.
inline Bars leak_market(unsigned seed) { return random_bars(960, seed, 0.01, kQuarterNs); }

inline std::vector<AuditColumn> feature(std::string name, Values values) {
  return {{.name = std::move(name), .values = std::move(values)}};
}

inline Values values_of(BarsView bars, const std::function<double(std::size_t)>& at) {
  Values values(bars.size());
  for (std::size_t t = 0; t < bars.size(); ++t) values[t] = at(t);
  return values;
}

/// close[t] / close[t - n] - 1; 0 while there are too few bars.
inline Values momentum(BarsView bars, std::size_t n) {
  return values_of(bars, [&](std::size_t t) { return t < n ? 0.0 : bars.close[t] / bars.close[t - n] - 1.0; });
}

inline double mean_of(std::span<const double> x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

inline double std_of(std::span<const double> x) {
  const double mean = mean_of(x);
  double sum = 0.0;
  for (const double value : x) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(x.size()));
}

inline double quantile(Values x, double q) {
  std::ranges::sort(x);
  return x[static_cast<std::size_t>(q * static_cast<double>(x.size() - 1))];
}

/// The first bar after `t` that is not of its group.
template <class GroupOf>
std::size_t end_of_group(BarsView bars, std::size_t t, const GroupOf& group) {
  std::size_t end = t + 1;
  while (end < bars.size() && group(bars.time_ns[end]) == group(bars.time_ns[t])) ++end;
  return end;
}

inline std::int64_t day_of(std::int64_t time_ns) { return (time_ns - kMonday) / kTradingDayNs; }
inline std::int64_t hour_of(std::int64_t time_ns) { return (time_ns - kMonday) / (4 * kQuarterNs); }

// Features

inline std::vector<AuditColumn> centred_mean(BarsView bars) {
  return feature("mean_5", values_of(bars, [&](std::size_t t) {
                   const std::size_t begin = t < 2 ? 0 : t - 2, end = std::min(t + 3, bars.size());
                   return mean_of(bars.close.subspan(begin, end - begin));
                 }));
}

inline std::vector<AuditColumn> shifted_return(BarsView bars) {
  return feature("return", values_of(bars, [&](std::size_t t) {
                   return t + 1 < bars.size() ? bars.close[t + 1] / bars.close[t] - 1.0 : 0.0;
                 }));
}

/// A slow indicator, made every eighth bar and joined by straight lines.
inline std::vector<AuditColumn> interpolated(BarsView bars) {
  constexpr std::size_t kEvery = 8;
  const Values slow = momentum(bars, 16);
  return feature("slow", values_of(bars, [&](std::size_t t) {
                   const std::size_t left = t - t % kEvery, right = std::min(left + kEvery, bars.size() - 1);
                   const double part = static_cast<double>(t - left) / kEvery;
                   return (1.0 - part) * slow[left] + part * slow[right];
                 }));
}

/// A high that three bars on both sides do not pass.
inline std::vector<AuditColumn> swing_high(BarsView bars) {
  constexpr std::size_t kShoulder = 3;
  return feature("swing_high", values_of(bars, [&](std::size_t t) {
                   const std::size_t begin = t < kShoulder ? 0 : t - kShoulder;
                   const std::size_t end = std::min(t + kShoulder + 1, bars.size());
                   const double highest = std::ranges::max(bars.high.subspan(begin, end - begin));
                   return bars.high[t] == highest ? 1.0 : 0.0;
                 }));
}

/// How far the price is from the line through the first bar and the last.
inline std::vector<AuditColumn> detrended(BarsView bars) {
  const double slope = (bars.close.back() - bars.close.front()) / static_cast<double>(bars.size());
  return feature("detrended", values_of(bars, [&](std::size_t t) {
                   return bars.close[t] - bars.close.front() - slope * static_cast<double>(t);
                 }));
}

// Labels

/// A strategy that owns its bars, and looks up what it should foretell.
class KnowsLabel final : public Strategy {
 public:
  explicit KnowsLabel(BarsView bars) : bars_(bars) {}
  [[nodiscard]] std::string_view name() const override { return "knows_label"; }
  [[nodiscard]] int warmup() const override { return 0; }
  [[nodiscard]] Decision on_bar(const Bar& bar) override {
    const std::size_t exit = std::min(seen_++ + 4, bars_.size() - 1);
    return {.exposure = bars_.close[exit] > bar.close ? 1.0 : 0.0, .reason = "label"};
  }

 private:
  void save(StateWriter&) const override {}
  void load(StateReader&) override {}

  BarsView bars_;
  std::size_t seen_ = 0;
};

inline std::vector<AuditColumn> label_as_input(BarsView bars) {
  KnowsLabel strategy(bars);
  std::vector<AuditColumn> columns;
  append_columns(run(bars, strategy, RunOptions{}), columns);
  return columns;
}

/// Each hour of the day stands for the mean of the returns that followed it.
inline std::vector<AuditColumn> target_encoded(BarsView bars) {
  constexpr std::size_t kHours = 24;
  Values sum(kHours), count(kHours);
  const auto hour = [&](std::size_t t) { return static_cast<std::size_t>(hour_of(bars.time_ns[t])) % kHours; };
  for (std::size_t t = 0; t + 1 < bars.size(); ++t) {
    sum[hour(t)] += bars.close[t + 1] / bars.close[t] - 1.0;
    ++count[hour(t)];
  }
  return feature("hour_score", values_of(bars, [&](std::size_t t) { return sum[hour(t)] / count[hour(t)]; }));
}

/// A slope learned anew at each bar of all bars before it, though the labels of the last five are not known yet.
inline std::vector<AuditColumn> overlapping_labels(BarsView bars) {
  constexpr std::size_t kHorizon = 5;
  const Values x = momentum(bars, 3);
  double xy = 0.0, xx = 1e-9;
  return feature("prediction", values_of(bars, [&](std::size_t t) {
                   const std::size_t exit = std::min(t + kHorizon, bars.size() - 1);
                   const double prediction = xy / xx * x[t];
                   xy += x[t] * (bars.close[exit] / bars.close[t] - 1.0);
                   xx += x[t] * x[t];
                   return prediction;
                 }));
}

// Scalers

inline std::vector<AuditColumn> standardised(BarsView bars) {
  const Values x = momentum(bars, 4);
  const double mean = mean_of(x), deviation = std_of(x);
  return feature("z_momentum", values_of(bars, [&](std::size_t t) { return (x[t] - mean) / deviation; }));
}

inline std::vector<AuditColumn> min_max_scaled(BarsView bars) {
  const double low = std::ranges::min(bars.low), high = std::ranges::max(bars.high);
  return feature("scaled_close", values_of(bars, [&](std::size_t t) { return (bars.close[t] - low) / (high - low); }));
}

inline std::vector<AuditColumn> robust_scaled(BarsView bars) {
  const Values x = momentum(bars, 4);
  const double median = quantile(x, 0.5), spread = quantile(x, 0.75) - quantile(x, 0.25);
  return feature("robust_momentum", values_of(bars, [&](std::size_t t) { return (x[t] - median) / spread; }));
}

/// Less exposure the wilder the file is.
inline std::vector<AuditColumn> volatility_target(BarsView bars) {
  const Values x = momentum(bars, 1);
  const double deviation = std_of(x);
  return feature("exposure",
                 values_of(bars, [&](std::size_t t) { return x[t] > 0.0 ? std::min(1.0, 0.005 / deviation) : 0.0; }));
}

/// Scales by the bars that it is given at once.
class ScalesBlock final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "scales_block"; }
  [[nodiscard]] int warmup() const override { return 0; }
  [[nodiscard]] Decision on_bar(const Bar& bar) override {
    Decision decision;
    on_bars({{&bar.time_ns, 1}, {&bar.open, 1}, {&bar.high, 1}, {&bar.low, 1}, {&bar.close, 1}, {&bar.volume, 1}},
            {&decision, 1});
    return decision;
  }
  void on_bars(BarsView bars, std::span<Decision> out) override {
    const double mean = mean_of(bars.close);
    for (std::size_t t = 0; t < bars.size(); ++t)
      out[t] = {.exposure = bars.close[t] > mean ? 0.0 : 1.0, .reason = "below the mean"};
  }

 private:
  void save(StateWriter&) const override {}
  void load(StateReader&) override {}
};

inline std::vector<AuditColumn> block_scaled(BarsView bars) {
  return audit_subject([] { return std::make_unique<ScalesBlock>(); }, {}).observe(bars);
}

// Fills

/// When and at which price one unit is traded: `delay` bars after the close that decided.
struct Execution {
  std::size_t delay;
  std::function<double(BarsView, std::size_t, bool buy)> price;
  std::function<double(BarsView, std::size_t)> quantity = [](BarsView, std::size_t) { return 1.0; };
};

/// Holds while the price is above that of eight bars ago.
inline std::vector<AuditColumn> executed(BarsView bars, const Execution& execution) {
  const Values signal = momentum(bars, 8);
  Values quantities(bars.size(), 0.0), prices(bars.size(), kNone), equity(bars.size());
  double cash = 0.0, position = 0.0;
  for (std::size_t t = 0; t < bars.size(); ++t) {
    const bool wanted = t >= execution.delay && signal[t - execution.delay] > 0.0;
    if (wanted != (position > 0.0)) {
      quantities[t] = wanted ? execution.quantity(bars, t) : -position;
      prices[t] = execution.price(bars, t, wanted);
      cash -= quantities[t] * prices[t];
      position += quantities[t];
    }
    equity[t] = cash + position * bars.close[t];
  }
  return {{.name = "signal", .values = signal},
          {.name = "quantity", .values = quantities, .known = Known::at_open},
          {.name = "price", .values = prices, .known = Known::at_open, .is_fill_price = true},
          {.name = "equity", .values = equity}};
}

inline double at_open(BarsView bars, std::size_t t, bool) { return bars.open[t]; }

inline std::vector<AuditColumn> filled_at_deciding_close(BarsView bars) {
  return executed(bars, {.delay = 0, .price = [](BarsView b, std::size_t t, bool) { return b.close[t]; }});
}

inline std::vector<AuditColumn> filled_at_deciding_open(BarsView bars) {
  return executed(bars, {.delay = 0, .price = at_open});
}

inline std::vector<AuditColumn> filled_at_best_price(BarsView bars) {
  return executed(
      bars, {.delay = 1, .price = [](BarsView b, std::size_t t, bool buy) { return buy ? b.low[t] : b.high[t]; }});
}

inline std::vector<AuditColumn> filled_at_typical_price(BarsView bars) {
  return executed(bars, {.delay = 1, .price = [](BarsView b, std::size_t t, bool) {
                           return (b.high[t] + b.low[t] + b.close[t]) / 3.0;
                         }});
}

inline std::vector<AuditColumn> stop_not_reached(BarsView bars) {
  return executed(bars, {.delay = 1, .price = [](BarsView b, std::size_t t, bool buy) {
                           return b.close[t - 1] * (buy ? 1.01 : 0.99);
                         }});
}

inline std::vector<AuditColumn> sized_by_close(BarsView bars) {
  return executed(bars, {.delay = 1, .price = at_open, .quantity = [](BarsView b, std::size_t t) {
                           return std::floor(10'000.0 / b.close[t]);
                         }});
}

// Resampling

/// The close of the hour, joined to each of its quarters.
inline std::vector<AuditColumn> hour_close(BarsView bars) {
  return feature("hour_close",
                 values_of(bars, [&](std::size_t t) { return bars.close[end_of_group(bars, t, hour_of) - 1]; }));
}

/// Where the price is in the range of its day, known in the morning.
inline std::vector<AuditColumn> place_in_day(BarsView bars) {
  return feature("place_in_day", values_of(bars, [&](std::size_t t) {
                   std::size_t begin = t;
                   while (begin > 0 && day_of(bars.time_ns[begin - 1]) == day_of(bars.time_ns[t])) --begin;
                   const std::size_t count = end_of_group(bars, t, day_of) - begin;
                   const double high = std::ranges::max(bars.high.subspan(begin, count));
                   const double low = std::ranges::min(bars.low.subspan(begin, count));
                   return (bars.close[t] - low) / (high - low);
                 }));
}

/// Flat in the last bar of a day, which the next bar's date tells.
inline std::vector<AuditColumn> flat_in_last_bar(BarsView bars) {
  const Values signal = momentum(bars, 8);
  return feature("exposure", values_of(bars, [&](std::size_t t) {
                   const bool last = end_of_group(bars, t, day_of) == t + 1;
                   return signal[t] > -1.0 && !last ? 1.0 : 0.0;
                 }));
}

// Thresholds

/// Of five thresholds the one that would have earned most.
inline std::vector<AuditColumn> best_threshold(BarsView bars) {
  const Values signal = momentum(bars, 4);
  double best = 0.0, most = -std::numeric_limits<double>::infinity();
  for (const double threshold : {-0.02, -0.01, 0.0, 0.01, 0.02}) {
    double earned = 0.0;
    for (std::size_t t = 0; t + 2 < bars.size(); ++t)
      if (signal[t] > threshold) earned += bars.open[t + 2] / bars.open[t + 1] - 1.0;
    if (earned > most) {
      most = earned;
      best = threshold;
    }
  }
  return feature("exposure", values_of(bars, [&](std::size_t t) { return signal[t] > best ? 1.0 : 0.0; }));
}

/// Trades the tenth of the bars with the strongest signal.
inline std::vector<AuditColumn> top_decile(BarsView bars) {
  const Values signal = momentum(bars, 4);
  const double threshold = quantile(signal, 0.9);
  return feature("exposure", values_of(bars, [&](std::size_t t) { return signal[t] >= threshold ? 1.0 : 0.0; }));
}

/// Trades the three days that opened furthest from the close before.
inline std::vector<AuditColumn> top_days(BarsView bars) {
  Values gaps(bars.size(), 0.0), starts;
  for (std::size_t t = 1; t < bars.size(); ++t) {
    const bool opens = day_of(bars.time_ns[t]) != day_of(bars.time_ns[t - 1]);
    gaps[t] = opens ? std::abs(bars.open[t] / bars.close[t - 1] - 1.0) : gaps[t - 1];
    if (opens) starts.push_back(gaps[t]);
  }
  std::ranges::sort(starts, std::greater{});
  const double threshold = starts.size() < 3 ? 0.0 : starts[2];
  return feature("exposure", values_of(bars, [&](std::size_t t) { return gaps[t] >= threshold ? 1.0 : 0.0; }));
}

struct Leak {
  const char *kind, *name;
  const char* column;  ///< in which it shows first
  std::vector<AuditColumn> (*observe)(BarsView);
};

inline constexpr Leak kLeaks[] = {
    {"feature", "centred mean", "mean_5", centred_mean},
    {"feature", "return to the next close", "return", shifted_return},
    {"feature", "interpolation", "slow", interpolated},
    {"feature", "swing high with a right shoulder", "swing_high", swing_high},
    {"feature", "trend line to the last bar", "detrended", detrended},
    {"label", "label as input", "exposure", label_as_input},
    {"label", "target encoding", "hour_score", target_encoded},
    {"label", "overlapping labels", "prediction", overlapping_labels},
    {"scaler", "mean and deviation of the file", "z_momentum", standardised},
    {"scaler", "lowest and highest of the file", "scaled_close", min_max_scaled},
    {"scaler", "median and quartiles of the file", "robust_momentum", robust_scaled},
    {"scaler", "volatility of the file", "exposure", volatility_target},
    {"scaler", "mean of the block", "exposure", block_scaled},
    {"fill", "at the close that decided", "quantity", filled_at_deciding_close},
    {"fill", "at the open of the bar that decided", "quantity", filled_at_deciding_open},
    {"fill", "at the best price of the next bar", "price", filled_at_best_price},
    {"fill", "at the typical price of the next bar", "price", filled_at_typical_price},
    {"fill", "stop that was not reached", "price", stop_not_reached},
    {"fill", "sized by the close", "quantity", sized_by_close},
    {"resample", "close of the hour", "hour_close", hour_close},
    {"resample", "range of the day", "place_in_day", place_in_day},
    {"resample", "last bar of the day", "exposure", flat_in_last_bar},
    {"threshold", "best of the file", "exposure", best_threshold},
    {"threshold", "quantile of the file", "exposure", top_decile},
    {"threshold", "days of the largest gaps", "exposure", top_days},
};

}  // namespace sentio::test

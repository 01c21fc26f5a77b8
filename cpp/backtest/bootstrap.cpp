#include "backtest/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "backtest/metrics.hpp"

namespace sentio {
namespace {

constexpr std::size_t kResamples = 2000;
constexpr double kTailShare = 0.025;
constexpr std::uint64_t kSeed = 20'241'122;
/// A resample's variance below this share of the sample's is rounding.
constexpr double kRounding = 1e-12;

/// Steele, Lea & Flood, Fast Splittable Pseudorandom Number Generators, 2014. Whole numbers only, so that all platforms
/// draw the same.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

/// The high half of `number` as a place below `end`, which is below 2^32.
std::size_t scaled(std::uint64_t number, std::size_t end) {
  return static_cast<std::size_t>(((number >> 32) * end) >> 32);
}

std::vector<double> centred(std::span<const double> values) {
  const double centre = *mean(values);
  std::vector<double> result(values.begin(), values.end());
  for (double& x : result) x -= centre;
  return result;
}

/// sum x[t] x[t+lag] / n
double autocovariance(std::span<const double> x, std::size_t lag) {
  double sum = 0.0;
  for (std::size_t t = lag; t < x.size(); ++t) sum += x[t] * x[t - lag];
  return sum / static_cast<double>(x.size());
}

/// `share` of the way through sorted values, between two of them in proportion.
double quantile(std::span<const double> sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

double mean_block_length(std::span<const double> values) {
  const std::vector<double> x = centred(values);
  const auto n = static_cast<double>(x.size());
  constexpr std::size_t kQuiet = 5;  // lags in a row without correlation, after which there is none
  const std::size_t lags = std::min(static_cast<std::size_t>(std::ceil(std::sqrt(n))) + kQuiet, x.size() - 1);
  std::vector<double> covariance;
  for (std::size_t lag = 0; lag <= lags; ++lag) covariance.push_back(autocovariance(x, lag));

  const double noise = 2.0 * std::sqrt(std::log10(n) / n) * covariance[0];
  std::size_t last = 0;  // the last lag with a correlation, before the first quiet stretch
  for (std::size_t lag = 1; lag <= lags && lag <= last + kQuiet; ++lag) {
    if (std::abs(covariance[lag]) >= noise) last = lag;
  }
  const std::size_t width = std::min(2 * std::max<std::size_t>(last, 1), lags);
  double spectrum = covariance[0], slope = 0.0;
  for (std::size_t lag = 1; lag <= width; ++lag) {
    const double share = static_cast<double>(lag) / static_cast<double>(width);
    const double weight = std::min(1.0, 2.0 * (1.0 - share));  // a flat top, then down to 0
    spectrum += 2.0 * weight * covariance[lag];
    slope += 2.0 * weight * static_cast<double>(lag) * covariance[lag];
  }
  const double longest = std::ceil(std::min(3.0 * std::sqrt(n), n / 3.0));
  const double length = std::cbrt(n * slope * slope / (spectrum * spectrum));
  return std::clamp(std::isfinite(length) ? length : longest, 1.0, std::max(longest, 1.0));
}

std::optional<Interval> sharpe_interval(std::span<const double> returns, double periods_per_year) {
  const Moments sample = moments(returns);
  if (!sharpe(sample, periods_per_year)) return std::nullopt;
  const std::vector<double> x = centred(returns);
  const auto n = static_cast<double>(x.size());
  const double variance = *sample.sample_std * *sample.sample_std;
  const std::size_t size = x.size();
  const auto new_block = static_cast<std::uint64_t>(0x1p32 / mean_block_length(returns));

  SplitMix64 random(kSeed);
  std::vector<double> ratios;
  ratios.reserve(kResamples);
  while (ratios.size() < kResamples) {
    double sum = 0.0, squares = 0.0;
    std::size_t at = scaled(random.next(), size);
    for (std::size_t drawn = 0; drawn < size; ++drawn) {
      sum += x[at];
      squares += x[at] * x[at];
      // One number, two draws: its low half says whether a block begins, its high half where. No branch: nobody can
      // predict it.
      const std::uint64_t number = random.next();
      const std::size_t anywhere = scaled(number, size), following = at + 1 == size ? 0 : at + 1;
      const std::size_t begins = std::size_t{0} - static_cast<std::size_t>((number & 0xffff'ffffU) < new_block);
      at = (anywhere & begins) | (following & ~begins);
    }
    const double drawn_variance = (squares - sum * sum / n) / (n - 1.0);
    if (drawn_variance <= kRounding * variance) return std::nullopt;
    ratios.push_back((*sample.mean + sum / n) / std::sqrt(drawn_variance));
  }
  std::ranges::sort(ratios);
  const double scale = std::sqrt(periods_per_year);
  return Interval{quantile(ratios, kTailShare) * scale, quantile(ratios, 1.0 - kTailShare) * scale};
}

}  // namespace sentio

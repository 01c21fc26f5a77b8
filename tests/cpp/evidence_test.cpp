#include "backtest/evidence.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "backtest/bootstrap.hpp"
#include "backtest/metrics.hpp"
#include "backtest/normal.hpp"
#include "backtest/sums.hpp"

using namespace sentio;
using doctest::Approx;

namespace {

using Series = std::vector<double>;

/// Normal returns, each `memory` of the one before and the rest new.
Series normal_returns(std::size_t count, double mean, double memory = 0.0, unsigned seed = 1) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> draw;
  Series returns(count);
  double noise = 0.0;
  for (double& r : returns) {
    noise = memory * noise + draw(random);
    r = 0.01 * (mean + noise);
  }
  return returns;
}

}  // namespace

TEST_CASE("the worked example of Bailey and Lopez de Prado comes out") {
  // A Sharpe ratio of 2.5 a year over 1,250 days, the best of 100 trials whose ratios have a variance of 1/2.
  const double expected = expected_maximum_sharpe(0.5 / 250.0, 100);
  CHECK(expected == Approx(0.1132).epsilon(5e-4));
  CHECK(std::abs(*probabilistic_sharpe(2.5 / std::sqrt(250.0), 1250, -3.0, 10.0, expected) - 0.9004) < 5e-5);
}

TEST_CASE("fat tails on the side of losses make a Sharpe ratio less sure") {
  // S = 0.1, T = 101: Phi(0.1 x 10 / sqrt(1 - 0.1 g3 + (g4 - 1) / 400)).
  CHECK(*probabilistic_sharpe(0.1, 101, 0.0, 3.0, 0.0) == Approx(normal_cdf(1.0 / std::sqrt(1.005))));
  CHECK(*probabilistic_sharpe(0.1, 101, -2.0, 9.0, 0.0) == Approx(normal_cdf(1.0 / std::sqrt(1.22))));
  CHECK(*probabilistic_sharpe(0.1, 101, 0.0, 3.0, 0.1) == 0.5);
  CHECK_FALSE(probabilistic_sharpe(0.1, 1, 0.0, 3.0, 0.0));
  CHECK_FALSE(probabilistic_sharpe(1.0, 10, 2.0, 5.0, 0.0));  // two values, whose ratio is certain
}

TEST_CASE("after the minimum track record the probability is the wanted one") {
  const double length = *minimum_track_record(0.2, -0.5, 5.0, 0.05, 0.95);
  const double variance = 1.0 + 0.1 + 0.04;
  CHECK(length == Approx(1.0 + variance * std::pow(1.6448536269514722 / 0.15, 2)));
  CHECK(*probabilistic_sharpe(0.2, static_cast<std::size_t>(std::ceil(length)), -0.5, 5.0, 0.05) >= 0.95);
  CHECK(*probabilistic_sharpe(0.2, static_cast<std::size_t>(length), -0.5, 5.0, 0.05) < 0.95);
  CHECK_FALSE(minimum_track_record(0.05, 0.0, 3.0, 0.05, 0.95));
  CHECK_FALSE(minimum_track_record(0.5, 5.0, 3.0, 0.0, 0.95));  // no returns have such moments; it would be -13.9
}

TEST_CASE("one trial is expected to show nothing, and more show more") {
  CHECK(expected_maximum_sharpe(1.0, 1) == 0.0);
  CHECK(expected_maximum_sharpe(1.0, 2) == Approx(0.5772156649015329 * 0.9004526).epsilon(1e-4));
  CHECK(expected_maximum_sharpe(4.0, 10) == 2.0 * expected_maximum_sharpe(1.0, 10));
  CHECK(expected_maximum_sharpe(1.0, 1000) > expected_maximum_sharpe(1.0, 100));
}

TEST_CASE("the normal distribution and its inverse agree with tables") {
  // Digits from mpmath.
  CHECK(normal_cdf(0.0) == 0.5);
  CHECK(normal_cdf(1.0) == Approx(0.841344746068542949).epsilon(1e-15));
  CHECK(normal_cdf(-10.0) == Approx(7.61985302416052607e-24).epsilon(1e-13));
  CHECK(normal_quantile(0.5) == 0.0);
  CHECK(normal_quantile(0.975) == Approx(1.95996398454005424).epsilon(1e-15));
  CHECK(normal_quantile(0.01) == Approx(-2.32634787404084110).epsilon(1e-15));
  CHECK(normal_quantile(1e-300) == Approx(-37.0470962993611992).epsilon(1e-13));
  for (const double p : {1e-12, 0.003, 0.08, 0.4, 0.77, 0.999})
    CHECK(normal_cdf(normal_quantile(p)) == Approx(p).epsilon(1e-13));
}

TEST_CASE("evidence of known returns is that of their moments") {
  Series returns;  // 20 times the same four: mean 0.01, deviations -0.02, 0, 0, 0.02
  for (int i = 0; i < 20; ++i) returns.insert(returns.end(), {-0.01, 0.01, 0.01, 0.03});
  const SharpeEvidence e = evidence_of(returns, 252.0, {.count = 5, .from = "test"}, 0.04);
  const double ratio = 0.01 / std::sqrt(80.0 * 0.0002 / 79.0);
  CHECK(e.trials.from == "test");
  CHECK(e.sessions == 80);
  CHECK(*e.sharpe_per_session == Approx(ratio));
  CHECK(*e.skewness == Approx(0.0));
  CHECK(*e.kurtosis == Approx(0.5 * std::pow(0.02, 4) / (0.0002 * 0.0002)));
  CHECK(*e.probabilistic_sharpe == *probabilistic_sharpe(ratio, 80, *e.skewness, *e.kurtosis, 0.0));
  CHECK(*e.expected_maximum_sharpe == expected_maximum_sharpe(0.04, 5));
  CHECK(*e.deflated_sharpe == *probabilistic_sharpe(ratio, 80, *e.skewness, *e.kurtosis, *e.expected_maximum_sharpe));
  CHECK(*e.deflated_sharpe < *e.probabilistic_sharpe);
}

TEST_CASE("trials of unknown spread are taken for ones without skill, and one trial deflates nothing") {
  const Series returns = normal_returns(101, 0.1);
  CHECK(*evidence_of(returns, 252.0, {.count = 50}).expected_maximum_sharpe == expected_maximum_sharpe(0.01, 50));
  const SharpeEvidence one = evidence_of(returns, 252.0, {});
  CHECK(*one.deflated_sharpe == *one.probabilistic_sharpe);
}

TEST_CASE("fewer than 20 sessions, or returns without spread, are no evidence") {
  const SharpeEvidence few = evidence_of(normal_returns(19, 0.1), 252.0, {});
  CHECK(few.sessions == 19);
  CHECK_FALSE(few.sharpe_per_session);
  CHECK_FALSE(few.sharpe_low);
  CHECK(evidence_of(normal_returns(20, 0.1), 252.0, {}).deflated_sharpe);
  CHECK_FALSE(evidence_of(Series(30, 0.1), 252.0, {}).deflated_sharpe);
}

TEST_CASE("the interval of the Sharpe ratio is the same each time and about two standard errors wide") {
  const Series returns = normal_returns(500, 0.1);
  const Interval interval = *sharpe_interval(returns, 252.0), again = *sharpe_interval(returns, 252.0);
  CHECK(interval.low == again.low);
  CHECK(interval.high == again.high);
  const Moments sample = moments(returns);
  const double error = *sharpe_standard_error(sample, 252.0), ratio = *sharpe(sample, 252.0);
  CHECK(interval.low == Approx(ratio - 1.96 * error).epsilon(0.15));
  CHECK(interval.high == Approx(ratio + 1.96 * error).epsilon(0.15));
}

TEST_CASE("returns that follow each other make longer blocks and a wider interval") {
  const Series loose = normal_returns(1000, 0.1), bound = normal_returns(1000, 0.1, 0.7);
  CHECK(mean_block_length(loose) < 4.0);
  CHECK(mean_block_length(bound) > 8.0);
  const auto width = [](const Series& returns) {
    const Interval interval = *sharpe_interval(returns, 1.0);
    return interval.high - interval.low;
  };
  CHECK(width(bound) > 1.5 * width(loose));
}

TEST_CASE("block lengths are those of Politis and White") {
  // The values of their formulas in Python, each sum written out.
  std::uint32_t state = 1;
  Series noise, moving, yearly;
  for (std::size_t t = 0; t < 200; ++t) {
    state = (state * 1'103'515'245U + 12'345U) % 0x8000'0000U;
    noise.push_back(state / 2147483648.0 - 0.5);
    moving.push_back(noise[t] + (t > 0 ? 0.9 * noise[t - 1] : 0.0) + (t > 1 ? 0.8 * noise[t - 2] : 0.0));
    yearly.push_back(moving[t] + (t % 12 == 0 ? 1.5 : 0.0));  // lag 12 counts no more: lags 2 to 6 are quiet
  }
  CHECK(mean_block_length(noise) == 1.0);
  CHECK(mean_block_length(moving) == Approx(5.884885849813604));
  CHECK(mean_block_length(yearly) == Approx(3.022413119336291));
}

TEST_CASE("the interval covers the true Sharpe ratio about as often as it says") {
  int covered = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    const Interval interval = *sharpe_interval(normal_returns(120, 0.1, 0.0, seed), 1.0);
    covered += interval.low <= 0.1 && 0.1 <= interval.high;
  }
  CHECK(covered >= 178);  // 190 expected, standard deviation 3; resampling 120 values is a little too sure of itself
  CHECK(covered <= 198);
}

TEST_CASE("a strategy that hardly moves has no interval") {
  Series returns(40, 0.0);
  returns[7] = 0.01;
  CHECK_FALSE(sharpe_interval(returns, 252.0));
  CHECK_FALSE(sharpe_interval(Series(40, 0.001), 252.0));
  CHECK_FALSE(sharpe_interval(Series{0.1}, 252.0));
}

TEST_CASE("a sum keeps what its additions round away") {
  Sum sum;
  for (const double x : {1.0, 1e100, 1.0, -1e100}) sum.add(x);
  CHECK(sum.value() == 2.0);
  CHECK(sum_of(Series(1'000'000, 0.1)) == 100'000.0);  // term by term it would be 1e-6 off
}

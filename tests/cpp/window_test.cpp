#include "features/window.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using namespace sentio;

namespace {

using Series = std::vector<double>;
using Window = Column (*)(Graph&, Column, int);

/// The values of a window over `x`, from the first full window on: what a builder does, in one block.
Series run(Window window, const Series& x, int n) {
  Graph graph;
  const Column result = window(graph, kClose, n);
  REQUIRE(graph.facts(result).first == n - 1);
  REQUIRE_FALSE(graph.facts(result).recursive);
  std::vector<Series> columns(static_cast<std::size_t>(graph.columns()), Series(x.size()));
  columns[kClose] = x;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    Node& node = graph.nodes()[i];
    Wires wires{.in = {}, .out = columns[static_cast<std::size_t>(node.output)].data()};
    for (std::size_t k = 0; k < kMaxInputs; ++k) wires.in[k] = columns[static_cast<std::size_t>(node.inputs[k])].data();
    node.kernel->run(wires, node.start, static_cast<std::ptrdiff_t>(x.size()));
  }
  const Series& all = columns[static_cast<std::size_t>(result)];
  return {all.begin() + (n - 1), all.end()};
}

/// The documented order, written as it is said: halves for powers of two; else the binary digits, the longest oldest.
double sum_in_order(const double* oldest, int n) {
  if (n == 1) return *oldest;
  const int newer = (n & (n - 1)) == 0 ? n / 2 : n & -n;
  return sum_in_order(oldest, n - newer) + sum_in_order(oldest + (n - newer), newer);
}

Series random_series(std::size_t count, unsigned seed, double mean) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(mean, 1.0);
  Series x(count);
  for (double& value : x) value = normal(random);
  return x;
}

const int kLengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 10, 14, 20, 31, 50, 64, 100, 200};

}  // namespace

TEST_CASE("a window sum is taken in the documented order") {
  const Series x = random_series(400, 1, 100.0);
  for (const int n : kLengths) {
    const Series sums = run(window_sum, x, n);
    for (std::size_t t = 0; t < sums.size(); ++t) CHECK(sums[t] == sum_in_order(x.data() + t, n));
  }
}

TEST_CASE("the mean of equal values is that value and their variance is 0, exactly") {
  for (const double value : {0.1, 100.01, 1e-30, 1e30, -7.3}) {
    const Series x(300, value);
    for (const int n : kLengths) {
      for (const double mean : run(window_mean, x, n)) CHECK(mean == value);
      if (n == 1) continue;
      for (const double variance : run(window_variance, x, n)) CHECK(variance == 0.0);
      for (const double deviation : run(window_std, x, n)) CHECK(deviation == 0.0);
    }
  }
}

TEST_CASE("means and deviations agree with two passes over the window") {
  // A large mean: a sum of squares would have lost all digits of the variance.
  for (const double level : {0.0, 1e8}) {
    const Series x = random_series(400, 2, level);
    for (const int n : kLengths) {
      if (n == 1) continue;
      const Series means = run(window_mean, x, n), deviations = run(window_std, x, n);
      for (std::size_t t = 0; t < means.size(); ++t) {
        long double sum = 0.0L, squares = 0.0L;
        for (int i = 0; i < n; ++i) sum += x[t + static_cast<std::size_t>(i)];
        for (int i = 0; i < n; ++i) squares += std::pow(x[t + static_cast<std::size_t>(i)] - sum / n, 2.0L);
        CHECK(means[t] == doctest::Approx(static_cast<double>(sum / n)).epsilon(1e-14));
        // The values themselves are rounded to 1e-16 of the level.
        CHECK(deviations[t] ==
              doctest::Approx(static_cast<double>(std::sqrt(squares / n))).epsilon(1e-13 + level * 1e-16));
      }
    }
  }
}

TEST_CASE("a spike leaves nothing behind once it has left the window") {
  Series x = random_series(300, 3, 1.0);
  const Series before = x;
  x[100] = 1e18;
  for (const int n : {5, 20, 50}) {
    for (const Window window : {window_sum, window_mean, window_std}) {
      const Series with = run(window, x, n), without = run(window, before, n);
      CHECK(std::equal(with.begin() + 101, with.end(), without.begin() + 101));
    }
  }
}

TEST_CASE("extremes are those of the window") {
  const Series x = random_series(400, 4, 0.0);
  for (const int n : kLengths) {
    const Series highest = run(window_max, x, n), lowest = run(window_min, x, n);
    for (std::size_t t = 0; t < highest.size(); ++t) {
      const auto begin = x.begin() + static_cast<std::ptrdiff_t>(t);
      CHECK(highest[t] == *std::max_element(begin, begin + n));
      CHECK(lowest[t] == *std::min_element(begin, begin + n));
    }
  }
}

TEST_CASE("windows over one source share their parts") {
  Graph graph;
  const Column one = window_mean(graph, kClose, 20);
  const std::size_t nodes = graph.nodes().size();
  CHECK(window_mean(graph, kClose, 20) == one);
  CHECK(graph.nodes().size() == nodes);
  static_cast<void>(window_mean(graph, kClose, 16));  // the older part of 20 = 16 + 4
  CHECK(graph.nodes().size() == nodes);
  static_cast<void>(window_mean(graph, kOpen, 16));
  CHECK(graph.nodes().size() > nodes);
}

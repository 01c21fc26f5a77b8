#include "features/smoothing.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <random>
#include <vector>

using namespace sentio;

namespace {

using Series = std::vector<double>;

std::vector<Series> random_columns(std::size_t count, std::size_t bars) {
  std::mt19937_64 random(1);
  std::vector<Series> columns(count, Series(bars));
  for (Series& column : columns)
    for (double& value : column) value = static_cast<double>(random() >> 11) * 0x1p-53;
  return columns;
}

}  // namespace

TEST_CASE("means that run side by side have the bits of each for itself, in whatever blocks") {
  constexpr std::size_t kBars = 120;
  for (const std::size_t count : {1, 2, 3, 7, 8, 9, 15, 18, 33}) {
    const std::vector<Series> x = random_columns(count, kBars);
    std::vector<RecursiveMean> alone, together;
    for (std::size_t k = 0; k < count; ++k) {
      const int window = 1 + static_cast<int>(k);
      alone.push_back(k % 2 == 0 ? exponential_mean(window, window, static_cast<int>(k % 3)) : wilder_mean(window));
    }
    together = alone;

    std::vector<Series> out(count, Series(kBars));
    std::vector<RecursiveMean*> means;
    std::vector<const double*> from;
    std::vector<double*> to;
    for (std::size_t k = 0; k < count; ++k) {
      means.push_back(&together[k]);
      from.push_back(x[k].data());
      to.push_back(out[k].data());
    }
    for (const auto& [begin, end] : {std::pair{0, 5}, {5, 6}, {6, 6}, {6, 70}, {70, 120}})
      RecursiveMean::run_lanes(means, from.data(), to.data(), begin, end);

    for (std::size_t k = 0; k < count; ++k) {
      for (std::size_t t = 0; t < kBars; ++t)
        REQUIRE(std::bit_cast<std::uint64_t>(out[k][t]) == std::bit_cast<std::uint64_t>(alone[k].step(x[k][t])));
      CHECK(together[k] == alone[k]);
    }
  }
}

TEST_CASE("a mean is the plain mean of its first values, then moves by alpha of the distance") {
  RecursiveMean mean = wilder_mean(4);
  for (const double x : {1.0, 2.0, 3.0}) static_cast<void>(mean.step(x));
  CHECK(mean.step(6.0) == 3.0);   // (1 + 2 + 3 + 6) / 4
  CHECK(mean.step(11.0) == 5.0);  // 3 + (11 - 3) / 4
  RecursiveMean skipping = exponential_mean(3, 2, 1);
  for (const double x : {100.0, 1.0}) static_cast<void>(skipping.step(x));
  CHECK(skipping.step(3.0) == 2.0);  // the first value is passed over
  CHECK(skipping.step(8.0) == 5.0);  // alpha 1/2
}

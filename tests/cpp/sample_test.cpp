#include "backtest/sample.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace sentio;

namespace {

constexpr std::array<std::int64_t, 6> kTimes{10, 20, 30, 40, 50, 60};
const DataSpans kSpans{.train = TimeSpan{10, 20}, .validation = TimeSpan{30, 35}, .test = TimeSpan{40, 60}};

}  // namespace

TEST_CASE("bars of training and validation are seen, both ends included") {
  const SampleCounts counts = count_samples(kTimes, kSpans);
  CHECK(counts[static_cast<std::size_t>(Sample::train)] == 2);
  CHECK(counts[static_cast<std::size_t>(Sample::validation)] == 1);
  CHECK(counts[static_cast<std::size_t>(Sample::out_of_sample)] == 3);
  CHECK(seen_bars(counts) == 3);
  CHECK(worst_of(counts) == Sample::train);
}

TEST_CASE("a stretch is as good as its worst bar") {
  const std::span<const std::int64_t> times(kTimes);
  CHECK(worst_of(count_samples(times.subspan(2, 2), kSpans)) == Sample::validation);
  CHECK(worst_of(count_samples(times.subspan(3), kSpans)) == Sample::out_of_sample);
}

TEST_CASE("rules are untrained, and a model that states no training is unknown") {
  CHECK(worst_of(count_samples(kTimes, std::nullopt)) == Sample::untrained);
  CHECK(worst_of(count_samples(kTimes, DataSpans{})) == Sample::unknown);
  CHECK(name_of(Sample::train) == "in-sample");
}

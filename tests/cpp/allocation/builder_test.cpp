// That a live program's path does not wait for the heap. A program of its own: it replaces operator new.

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <memory>
#include <vector>

#include "allocation/allocations.hpp"
#include "features/builder.hpp"
#include "market.hpp"

namespace sentio {
namespace {

using test::allocations;
using test::random_bars;

const std::filesystem::path kSpecs = std::filesystem::path(SENTIO_SOURCE_DIR) / "configs" / "features";
constexpr std::array kNames = {"sentio_55.json", "sentio_55_levels.json"};
constexpr std::size_t kBars = 3000;  // past the longest warm-up, and through many blocks

TEST_CASE("the count sees single objects, arrays and aligned objects") {
  const std::size_t before = allocations();
  const auto one = std::make_unique<int>(1);
  const std::vector<double> many(100);
  struct alignas(64) Line {
    std::array<double, 8> values;
  };
  const auto aligned = std::make_unique<Line>();
  CHECK(allocations() == before + 3);
}

TEST_CASE("push allocates nothing after construction, from the first bar on") {
  const Bars bars = random_bars(kBars, 1);
  for (const char* const name : kNames) {
    CAPTURE(name);
    FeatureBuilder builder(FeatureSpec::load(kSpecs / name));
    std::vector<float> row(static_cast<std::size_t>(builder.spec().width()));
    const std::size_t before = allocations();
    for (std::size_t t = 0; t < bars.size(); ++t) builder.push(bars[t], row);
    CHECK(allocations() == before);
  }
}

TEST_CASE("build allocates nothing after construction") {
  const Bars bars = random_bars(kBars, 2);
  for (const char* const name : kNames) {
    CAPTURE(name);
    FeatureBuilder builder(FeatureSpec::load(kSpecs / name));
    std::vector<float> matrix(bars.size() * static_cast<std::size_t>(builder.spec().width()));
    const std::size_t before = allocations();
    builder.build(bars.view(), matrix);
    CHECK(allocations() == before);
  }
}

}  // namespace
}  // namespace sentio

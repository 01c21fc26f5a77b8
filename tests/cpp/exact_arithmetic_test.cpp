#include "features/exact_arithmetic.hpp"

#include <doctest/doctest.h>

#include <cfenv>
#include <string>
#include <vector>

#include "features/builder.hpp"
#include "market.hpp"

using namespace sentio;

namespace {

/// Rows of a spec of ops that round much, half of them from a block and half bar by bar, with fractional session
/// minutes.
std::vector<float> rows_of(const Bars& bars) {
  const FeatureSpec spec = FeatureSpec::from_json(R"({"features": [
    {"name": "a", "op": "ATR", "window": 7}, {"name": "s", "op": "STD", "window": 30}, {"name": "r", "op": "RSI"},
    {"name": "m", "op": "MINUTE_OF_SESSION"}, {"name": "v", "op": "SESSION_VWAP"}, {"name": "l", "op": "LOGRET"},
    {"name": "third", "op": "CLIP", "low": 0.3333333333333333, "high": 0.3333333333333333},
    {"name": "d", "op": "DIV", "sources": ["l", "third"]}],
    "alignment_policy": {"emit_from_index": 0}})");
  const auto width = static_cast<std::size_t>(spec.width());
  FeatureBuilder builder(spec);
  std::vector<float> rows(bars.size() * width);
  const std::size_t half = bars.size() / 2;
  builder.build(bars.view().subview(0, half), std::span(rows).first(half * width));
  for (std::size_t t = half; t < bars.size(); ++t) builder.push(bars[t], std::span(rows).subspan(t * width, width));
  return rows;
}

}  // namespace

TEST_CASE("the rounding that the program asked for changes no feature, and is still its own afterwards") {
  Bars bars = test::random_bars(400, 3);
  for (std::size_t t = 0; t < bars.size(); ++t) bars.time_ns[t] += static_cast<std::int64_t>(t) * 7;
  const std::vector<float> expected = rows_of(bars);
  for (const int direction : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    REQUIRE(std::fesetround(direction) == 0);
    const std::vector<float> found = rows_of(bars);
    const int after = std::fegetround();
    std::fesetround(FE_TONEAREST);
    CHECK(after == direction);
    CHECK(found == expected);
  }
}

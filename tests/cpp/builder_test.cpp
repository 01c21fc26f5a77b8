#include "features/builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bars/error.hpp"
#include "bars/sha256.hpp"
#include "features/registry.hpp"
#include "market.hpp"

using namespace sentio;
using sentio::test::random_bars;

namespace {

constexpr const char* kSpec = R"({"features": [
  {"name": "sma", "op": "SMA", "window": 20},
  {"name": "rsi", "op": "RSI"},
  {"name": "macd", "op": "MACD_HISTOGRAM", "as": "per_close"},
  {"name": "obv", "op": "OBV"},
  {"name": "long", "op": "STD", "window": 300}],
  "alignment_policy": {"emit_from_index": 0, "pad_value": -1.0}})";

std::vector<float> build(FeatureBuilder& builder, BarsView bars) {
  std::vector<float> rows(bars.size() * static_cast<std::size_t>(builder.spec().width()));
  builder.build(bars, rows);
  return rows;
}

std::vector<float> tail(const std::vector<float>& rows, std::size_t count) {
  return {rows.end() - static_cast<std::ptrdiff_t>(count), rows.end()};
}

}  // namespace

TEST_CASE("a copy of a builder goes on with the same bits, and apart from the original") {
  const Bars bars = random_bars(900, 1);
  FeatureBuilder builder(FeatureSpec::from_json(kSpec));
  static_cast<void>(build(builder, bars.view().subview(0, 500)));
  FeatureBuilder copy = builder;
  const auto rest = build(builder, bars.view().subview(500, 400));
  CHECK(copy.bars_seen() == 500);
  CHECK(build(copy, bars.view().subview(500, 400)) == rest);
  CHECK(copy.state() == builder.state());

  copy = FeatureBuilder(FeatureSpec::from_json(kSpec));
  CHECK(copy.bars_seen() == 0);
  CHECK(tail(build(copy, bars.view()), rest.size()) == rest);
}

TEST_CASE("a builder that is assigned, moved or swapped goes on with the same bits") {
  const Bars bars = random_bars(900, 6), others = random_bars(400, 7);
  const auto after = [](BarsView seen) {
    FeatureBuilder builder(FeatureSpec::from_json(kSpec));
    static_cast<void>(build(builder, seen));
    return builder;
  };
  const BarsView past = bars.view().subview(0, 500), rest = bars.view().subview(500, 400);
  FeatureBuilder original = after(past);
  const auto state = original.state();
  FeatureBuilder continued = original;
  const auto rows = build(continued, rest);
  const auto goes_on = [&](FeatureBuilder& builder) {
    return builder.state() == state && build(builder, rest) == rows && builder.state() == continued.state();
  };

  SUBCASE("assigned to one that is warm with other bars") {
    FeatureBuilder target = after(others.view().subview(0, 300));
    target = original;
    CHECK(goes_on(target));
    CHECK(goes_on(original));
  }
  SUBCASE("assigned to one of another spec") {
    FeatureBuilder target(FeatureSpec::from_json(R"({"features": [{"name": "e", "op": "EMA"}]})"));
    static_cast<void>(build(target, others.view().subview(0, 300)));
    target = original;
    CHECK(goes_on(target));
    CHECK(goes_on(original));
  }
  SUBCASE("assigned to itself") {
    FeatureBuilder& same = original;
    original = same;
    CHECK(goes_on(original));
  }
  SUBCASE("moved, while a vector grows, from place to place") {
    std::vector<FeatureBuilder> builders;
    for (int i = 0; i < 9; ++i) builders.push_back(original);
    for (FeatureBuilder& builder : builders) CHECK(goes_on(builder));
  }
  SUBCASE("moved to one that is warm with other bars") {
    FeatureBuilder target = after(others.view().subview(0, 300));
    target = std::move(original);
    CHECK(goes_on(target));
  }
  SUBCASE("swapped with another") {
    FeatureBuilder other = after(others.view().subview(0, 300));
    const auto other_state = other.state();
    std::swap(original, other);
    CHECK(original.state() == other_state);
    CHECK(goes_on(other));
    FeatureBuilder expected = after(others.view().subview(0, 300));
    const BarsView later = others.view().subview(300, 100);
    CHECK(build(original, later) == build(expected, later));
  }
}

TEST_CASE("bars one by one give the rows of a block") {
  const Bars bars = random_bars(700, 2);
  FeatureBuilder whole(FeatureSpec::from_json(kSpec)), single = whole;
  const auto rows = build(whole, bars.view());
  std::vector<float> row(static_cast<std::size_t>(single.spec().width()));
  for (std::size_t t = 0; t < bars.size(); ++t) {
    single.push(bars[t], row);
    CHECK(std::equal(row.begin(), row.end(), rows.begin() + static_cast<std::ptrdiff_t>(t * row.size())));
  }
  CHECK(single.state() == whole.state());
}

TEST_CASE("a refused bar or output changes nothing") {
  const Bars bars = random_bars(100, 3);
  FeatureBuilder builder(FeatureSpec::from_json(kSpec));
  static_cast<void>(build(builder, bars.view()));
  const auto before = builder.state();
  std::vector<float> row(5), wrong(4);
  CHECK_THROWS_AS(builder.push(bars[99], row), std::invalid_argument);
  CHECK_THROWS_WITH_AS(builder.push(random_bars(101, 3)[100], wrong), "row must hold 5 values, found 4",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(builder.build(bars.view(), wrong), "out must hold 100 x 5 values, found 4",
                       std::invalid_argument);
  CHECK(builder.state() == before);
}

TEST_CASE("a state goes on with the same bits, and only a whole one is taken") {
  const Bars bars = random_bars(600, 4);
  FeatureBuilder builder(FeatureSpec::from_json(kSpec));
  static_cast<void>(build(builder, bars.view().subview(0, 350)));
  auto state = builder.state();
  FeatureBuilder restored(FeatureSpec::from_json(kSpec));
  restored.restore(state);
  CHECK(build(restored, bars.view().subview(350, 250)) == build(builder, bars.view().subview(350, 250)));

  FeatureBuilder fresh(FeatureSpec::from_json(kSpec));
  const auto untouched = fresh.state();
  state[state.size() / 2] ^= std::byte{1};
  CHECK_THROWS_AS(fresh.restore(state), InputError);
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, std::size_t{90}, state.size() - 1})
    CHECK_THROWS_AS(fresh.restore(std::span(state).first(size)), InputError);
  CHECK(fresh.state() == untouched);
}

TEST_CASE("a state that is sealed and impossible is refused") {
  FeatureBuilder builder(FeatureSpec::from_json(kSpec));
  static_cast<void>(build(builder, random_bars(350, 5).view()));
  const auto whole = builder.state();
  const auto complaint = [&](std::size_t where, auto value) -> std::string {
    auto state = whole;
    constexpr std::size_t kSeal = 64;
    std::memcpy(state.data() + where, &value, sizeof value);
    state.resize(state.size() - kSeal);
    const std::string seal = sha256_hex(state);
    const auto bytes = std::as_bytes(std::span(seal));
    state.insert(state.end(), bytes.begin(), bytes.end());
    try {
      builder.restore(state);
    } catch (const InputError& error) {
      return error.what();
    }
    return "taken";
  };
  const std::size_t seen = 24 + builder.spec().hash().size(), memory = whole.size() - 64 - sizeof(double);
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t count : {std::int64_t{-1}, -kLargest, kLargest, std::int64_t{0}})
    CHECK(complaint(seen, count).starts_with("feature state: must hold a count of bars in [0, 9007199254740992] and "));
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL})
    for (const std::size_t where : {seen + 16, memory})
      CHECK(complaint(where, value) == "feature state: holds a value that is not finite");
  CHECK(builder.state() == whole);
}

TEST_CASE("every op builds from its default parameters and says what it is") {
  for (const Op& op : ops()) {
    const ColumnFacts facts = facts_of(op, default_params(op));
    CHECK_MESSAGE(facts.settle >= facts.first, op.name);
    CHECK_MESSAGE(!op.formula.empty(), op.name);
    CHECK(find_op(op.name) == &op);
  }
  CHECK(find_op("nothing") == nullptr);
}

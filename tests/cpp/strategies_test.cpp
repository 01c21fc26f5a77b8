#include "strategies/registry.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <vector>

#include "market.hpp"

using namespace sentio;
using namespace sentio::test;

namespace {

std::vector<double> exposures(const char* name, const char* params, const Bars& bars) {
  const StrategyRow& row = *find_strategy(name);
  const auto strategy = row.make(parse_params(row, params));
  std::vector<double> result;
  for (std::size_t i = 0; i < bars.size(); ++i) result.push_back(strategy->on_bar(bars[i]).exposure);
  return result;
}

void check_refused(const char* name, const char* params, const char* message) {
  const StrategyRow& row = *find_strategy(name);
  CHECK_THROWS_WITH_AS((void)row.make(parse_params(row, params)), message, std::invalid_argument);
}

}  // namespace

TEST_CASE("every strategy row is complete and builds with its defaults") {
  std::set<std::string> names;
  for (const StrategyRow& row : strategies()) {
    CAPTURE(row.name);
    CHECK(names.insert(row.name).second);
    CHECK_FALSE(row.description.empty());
    for (const StrategyParam& param : row.params) {
      CHECK(param.fallback >= param.min);
      CHECK(param.fallback <= param.max);
      CHECK_FALSE(param.meaning.empty());
    }
    const auto strategy = row.make(parse_params(row, ""));
    CHECK(strategy->name() == row.name);
    CHECK(strategy->warmup() >= 0);
  }
  CHECK(find_strategy("nothing") == nullptr);
}

TEST_CASE("every strategy's exposure is valid, and 0 before its first decision") {
  const Bars bars = random_bars(3000, 8);
  for (const StrategyRow& row : strategies()) {
    const auto strategy = row.make(parse_params(row, ""));
    for (std::size_t i = 0; i < bars.size(); ++i) {
      const Decision decision = strategy->on_bar(bars[i]);
      require_valid(decision, i);
      CHECK_FALSE(decision.reason.empty());
      if (static_cast<int>(i) + 1 < strategy->warmup()) CHECK(decision.exposure == 0.0);
    }
  }
}

TEST_CASE("buy_and_hold is long from the first bar on") {
  CHECK(exposures("buy_and_hold", "", flat_bars({1.0, 2.0, 1.0})) == std::vector<double>{1.0, 1.0, 1.0});
}

TEST_CASE("sma_cross is long while the fast mean is above the slow one") {
  // Means of 2 and 4 closes, from the fourth bar on: 3.5 > 2.5, 3.5 > 3.25, 2 < 2.75, 1 < 2.25, 1 < 1.5, 1 = 1.
  const Bars bars = flat_bars({1.0, 2.0, 3.0, 4.0, 3.0, 1.0, 1.0, 1.0, 1.0});
  CHECK(exposures("sma_cross", "fast=2,slow=4", bars) == std::vector<double>{0, 0, 0, 1, 1, 0, 0, 0, 0});
  CHECK(exposures("sma_cross", "fast=2,slow=4,allow_short=true", bars) ==
        std::vector<double>{0, 0, 0, 1, 1, -1, -1, -1, 0});
}

TEST_CASE("sma_cross forgets what left its window") {
  const Bars bars = random_bars(400, 9);
  const Bars other_past = random_bars(400, 10, 0.05);
  Bars mixed;
  for (std::size_t i = 0; i < 400; ++i) {
    Bar bar = i < 200 ? other_past[i] : bars[i];
    bar.time_ns = bars.time_ns[i];
    mixed.push_back(bar);
  }
  const auto a = exposures("sma_cross", "fast=5,slow=20,allow_short=1", bars);
  const auto b = exposures("sma_cross", "fast=5,slow=20,allow_short=1", mixed);
  for (std::size_t i = 219; i < 400; ++i) CHECK(a[i] == b[i]);
}

TEST_CASE("params have defaults, and a label and JSON that name all of them") {
  const StrategyRow& row = *find_strategy("sma_cross");
  const StrategyParams params = parse_params(row, "allow_short=true,slow=50");
  CHECK(label_of(row, params) == "sma_cross (fast=10, slow=50, allow_short=1)");
  CHECK(params_json(row, params).dump() == R"({"fast":10,"slow":50,"allow_short":true})");
  CHECK(label_of(*find_strategy("buy_and_hold"), {}) == "buy_and_hold");
}

TEST_CASE("wrong params are refused by name, value and what is allowed") {
  check_refused("sma_cross", "fst=3", "unknown param 'fst' of sma_cross; did you mean 'fast'?");
  check_refused("sma_cross", "fast", "params must be written name=value,name=value, found 'fast'");
  check_refused("sma_cross", "fast=3,", "params must be written name=value,name=value, found ''");
  check_refused("sma_cross", "fast=0", "param fast of sma_cross must be a whole number from 1 to 10000, found '0'");
  check_refused("sma_cross", "fast=2.5", "param fast of sma_cross must be a whole number from 1 to 10000, found '2.5'");
  check_refused("sma_cross", "fast=x", "param fast of sma_cross must be a whole number from 1 to 10000, found 'x'");
  check_refused("sma_cross", "fast=3,fast=4", "param fast of sma_cross is given twice");
  check_refused("sma_cross", "allow_short=maybe",
                "param allow_short of sma_cross must be true or false, found 'maybe'");
  check_refused("sma_cross", "fast=30,slow=30", "param fast of sma_cross must be below slow 30, found 30");
  check_refused("buy_and_hold", "x=1", "buy_and_hold takes no params, found 'x=1'");
}

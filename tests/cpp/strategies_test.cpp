#include "strategies/registry.hpp"

#include <doctest/doctest.h>

#include <algorithm>
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

TEST_CASE("sma_cross decides in blocks of any length as bar by bar") {
  const Bars bars = random_bars(500, 12);
  const StrategyRow& row = *find_strategy("sma_cross");
  const auto expected = exposures("sma_cross", "fast=5,slow=21,allow_short=1", bars);
  for (const std::size_t block : {1U, 3U, 20U, 21U, 22U, 29U, 499U, 500U}) {
    const auto strategy = row.make(parse_params(row, "fast=5,slow=21,allow_short=1"));
    std::vector<Decision> decisions(bars.size());
    for (std::size_t begin = 0; begin < bars.size(); begin += block) {
      const std::size_t count = std::min(block, bars.size() - begin);
      strategy->on_bars(bars.view().subview(begin, count), std::span(decisions).subspan(begin, count));
    }
    for (std::size_t i = 0; i < bars.size(); ++i) CHECK(decisions[i].exposure == expected[i]);
  }
}

TEST_CASE("rsi_reversion buys a low RSI and leaves when it is back at the middle") {
  // Windows of 4 changes: -1 -1 -1 -1 -> 0; -1 -1 -1 +1 -> 25; -1 -1 +1 +1 -> 50.
  const Bars bars = flat_bars({9.0, 8.0, 7.0, 6.0, 5.0, 6.0, 7.0, 7.0});
  CHECK(exposures("rsi_reversion", "window=4,low=20,exit=50", bars) == std::vector<double>{0, 0, 0, 0, 1, 1, 0, 0});
}

TEST_CASE("bollinger_squeeze follows the break out of the narrowest bands") {
  // Bands of 2 closes: half the distance between them, times the width. Closes 10, 12, 11, 11: the distance falls to
  // 0, the narrowest of three; then 13 lies 1 above its mean of 12, and the band 0.5 above it. 11 is below the mean.
  const Bars bars = flat_bars({10.0, 12.0, 11.0, 11.0, 13.0, 13.5, 11.0});
  CHECK(exposures("bollinger_squeeze", "window=2,width=0.5,lookback=3,patience=2", bars) ==
        std::vector<double>{0, 0, 0, 0, 1, 1, 0});
  CHECK(exposures("bollinger_squeeze", "window=2,width=0.5,lookback=3,patience=1", bars) ==
        std::vector<double>{0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("momentum_volume needs volume to enter and keeps to the move") {
  Bars bars = flat_bars({10.0, 11.0, 12.0, 13.0, 14.0, 12.0});
  bars.volume = {100.0, 100.0, 100.0, 400.0, 100.0, 100.0};
  // The newest volume against the mean of three: 100 / 100, then 400 / 200, then the position is kept while the close
  // is above the one before.
  CHECK(exposures("momentum_volume", "momentum=1,volume_fast=1,volume_slow=3,ratio=1.5", bars) ==
        std::vector<double>{0, 0, 0, 1, 1, 0});
}

TEST_CASE("opening_range_breakout trades once a session and is flat before its end") {
  // 90-minute bars from 09:30: the first makes the range, the last of the five fits no trade any more.
  const Bars bars = flat_bars({10.0, 11.0, 11.0, 11.0, 12.0}, 90 * kMinuteNs);
  CHECK(exposures("opening_range_breakout", "", bars) == std::vector<double>{0, 1, 1, 0, 0});
  CHECK(exposures("opening_range_breakout", "session=utc_day", bars) == std::vector<double>{0, 0, 0, 0, 0});
}

TEST_CASE("vwap_reversion buys far below the mean price of the session") {
  // Equal volumes at 10, 10, 10 and 8: the mean is 9.5, the deviation sqrt(0.75); 8 lies 1.73 of them below it. Then
  // 10 lies above the mean of 9.6.
  const Bars bars = flat_bars({10.0, 10.0, 10.0, 8.0, 10.0, 10.0});
  CHECK(exposures("vwap_reversion", "entry=1.7,after=0", bars) == std::vector<double>{0, 0, 0, 1, 0, 0});
  CHECK(exposures("vwap_reversion", "entry=1.8,after=0", bars) == std::vector<double>{0, 0, 0, 0, 0, 0});
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
  check_refused("rsi_reversion", "low=60", "params of rsi_reversion must have low < exit < high, found 60, 50, 70");
  check_refused("vwap_reversion", "exit=2", "param exit of vwap_reversion must be below entry 2, found 2");
  check_refused("momentum_volume", "volume_fast=50",
                "param volume_fast of momentum_volume must be below volume_slow 50, found 50");
  check_refused("vwap_reversion", "session=nyse",
                "param session of vwap_reversion must be us_equity or utc_day, found 'nyse'");
  check_refused("buy_and_hold", "x=1", "buy_and_hold takes no params, found 'x=1'");
}

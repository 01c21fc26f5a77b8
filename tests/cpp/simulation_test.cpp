#include "backtest/simulation.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "market.hpp"
#include "strategies/registry.hpp"

using namespace sentio;
using namespace sentio::test;

namespace {

RunOptions free_options() {
  RunOptions options;
  options.broker = {.costs = {.name = "free"}, .capital = 1000.0};
  return options;
}

RunOptions costly_options() {
  RunOptions options;
  options.broker.costs = {.name = "costly",
                          .commission_per_share = 0.005,
                          .commission_bps = 1.0,
                          .commission_minimum = 1.0,
                          .half_spread_bps = 2.0,
                          .slippage_bps = 1.0,
                          .borrow_rate = 0.2};
  return options;
}

Run same_prices(const RunOptions& options, const Bars& bars, unsigned seed, double lowest = -1.0) {
  return run_decisions(bars.view(), random_decisions(bars.size(), seed, lowest), options);
}

/// The fills' own account of cash, to a cent, and of equity after each fill.
void check_accounts(const Run& run, BarsView bars) {
  double cash = run.capital, costs = 0.0, gains = 0.0, position = 0.0, borrow = 0.0;
  for (const Fill& fill : run.fills) {
    cash -= fill.quantity * fill.price + fill.commission + fill.borrow;
    costs += fill.commission + fill.spread_cost + fill.slippage_cost;
    position += fill.quantity;
    gains -= fill.quantity * fill.reference;
  }
  REQUIRE(run.fills.size() > 0);
  CHECK(std::abs(cash - run.fills.back().cash) < 0.01);
  CHECK(std::abs(position - run.fills.back().position) < 1e-6);
  for (const double paid : run.borrow) borrow += paid;
  const double final_close = bars.close[run.end - 1];
  const double expected = run.capital + gains + position * final_close - costs - borrow;
  CHECK(std::abs(expected - run.equity.back()) < 0.01);
}

}  // namespace

TEST_CASE("a decision is acted on at the open of the next bar") {
  const Bars bars = flat_bars({100.0, 110.0, 120.0, 120.0});
  const Run run = run_decisions(bars.view(), decisions_of({1.0, 1.0, 0.0, 0.0}), free_options());
  REQUIRE(run.fills.size() == 2);
  CHECK(run.fills[0].bar == 1);
  CHECK(run.fills[0].price == 110.0);
  CHECK(run.fills[0].quantity == 9.0);
  CHECK(run.fills[1].bar == 3);
  CHECK(run.equity == std::vector<double>{1000.0, 1000.0, 1090.0, 1090.0});
  CHECK(run.position == std::vector<double>{0.0, 9.0, 9.0, 0.0});
}

TEST_CASE("the last decision is not executed") {
  const Bars bars = flat_bars({100.0, 100.0, 100.0});
  CHECK(run_decisions(bars.view(), decisions_of({0.0, 0.0, 1.0}), free_options()).fills.empty());
}

TEST_CASE("bars before the measured ones are not traded, and the decision of the last of them is") {
  const Bars bars = flat_bars({100.0, 100.0, 125.0, 150.0});
  RunOptions options = free_options();
  options.begin = 2;
  const Run run = run_decisions(bars.view(), decisions_of({1.0, 1.0, 1.0, 1.0}), options);
  REQUIRE(run.fills.size() == 1);
  CHECK(run.fills[0].bar == 2);
  CHECK(run.fills[0].price == 125.0);
  CHECK(run.equity == std::vector<double>{1000.0, 1200.0});
}

TEST_CASE("bars after the measured ones are not used") {
  const Bars bars = flat_bars({100.0, 100.0, 125.0, 150.0});
  RunOptions options = free_options();
  options.end = 3;
  const Run run = run_decisions(bars.view(), decisions_of({1.0, 1.0, 1.0, 1.0}), options);
  CHECK(run.equity == std::vector<double>{1000.0, 1000.0, 1250.0});
}

TEST_CASE("holding an exposure does not trade") {
  const Bars bars = random_bars(500, 1);
  const Run run =
      run_decisions(bars.view(), std::vector<Decision>(500, {.exposure = 0.7, .reason = "hold"}), costly_options());
  CHECK(run.fills.size() == 1);
}

TEST_CASE("a position that prices have moved far above max exposure is traded back") {
  const Bars bars = flat_bars({100.0, 100.0, 112.0, 112.0, 112.0});
  const Run run = run_decisions(bars.view(), decisions_of({-1.0, -1.0, -1.0, -1.0, -1.0}), free_options());
  REQUIRE(run.fills.size() == 2);
  CHECK(run.fills[1].bar == 3);
  CHECK(run.fills[1].reason == "above max exposure");
  CHECK(run.position.back() == -7.0);  // 880 of equity at 112
}

TEST_CASE("positions are closed at the close of each session's last bar") {
  Bars bars = flat_bars({100.0, 100.0, 100.0});
  for (int i = 0; i < 3; ++i) {
    Bar next_day = bars[static_cast<std::size_t>(i)];
    next_day.time_ns += kDayNs;
    bars.push_back(next_day);
  }
  bars.close[2] = 130.0;
  bars.high[2] = 130.0;
  RunOptions options = free_options();
  options.flat_at_close = true;
  const Run run = run_decisions(bars.view(), std::vector<Decision>(6, {.exposure = 1.0, .reason = "hold"}), options);
  REQUIRE(run.fills.size() == 4);
  CHECK(run.fills[1].at == FillAt::close);
  CHECK(run.fills[1].bar == 2);
  CHECK(run.fills[1].price == 130.0);
  CHECK(run.fills[2].at == FillAt::open);
  CHECK(run.fills[2].bar == 3);
  CHECK(run.position == std::vector<double>{0.0, 10.0, 0.0, 13.0, 13.0, 0.0});
}

TEST_CASE("a short pays for borrowing by the time between bars") {
  const Bars bars = flat_bars({100.0, 100.0, 104.0, 104.0}, kDayNs);
  RunOptions options = free_options();
  options.broker.costs.borrow_rate = 0.3652500;
  const Run run = run_decisions(bars.view(), decisions_of({-1.0, -1.0, -1.0, -1.0}), options);
  CHECK(run.borrow[1] == 0.0);
  CHECK(run.borrow[2] == doctest::Approx(1.0));   // 1000 x 0.36525 x one day of 365.25
  CHECK(run.borrow[3] == doctest::Approx(1.04));  // of the close that the position was held from
  CHECK(run.equity.back() == doctest::Approx(1000.0 - 40.0 - 2.04));
}

TEST_CASE("a run whose equity is gone is closed and trades no more") {
  const Bars bars = flat_bars({100.0, 100.0, 250.0, 240.0, 100.0, 100.0});
  const Run run = run_decisions(bars.view(), decisions_of({-1.0, -1.0, -1.0, -1.0, 1.0, 1.0}), free_options());
  REQUIRE(run.ruined_at);
  CHECK(*run.ruined_at == 2);
  REQUIRE(run.fills.size() == 2);
  CHECK(run.fills[1].bar == 2);
  CHECK(run.fills[1].reason == "ruined");
  CHECK(run.equity.back() == -500.0);  // 2000 of cash bought 10 units at 250
}

TEST_CASE("equity that is gone at a close is ruin, whatever the next open is") {
  Bars bars = flat_bars({100.0, 100.0, 100.0, 150.0, 100.0});
  bars.close[2] = bars.high[2] = 210.0;
  const Run run = run_decisions(bars.view(), decisions_of({-1.0, -1.0, -1.0, -1.0, 1.0}), free_options());
  REQUIRE(run.ruined_at);
  CHECK(*run.ruined_at == 2);
  CHECK(run.fills.back().bar == 3);
  CHECK(run.equity == std::vector<double>{1000.0, 1000.0, -100.0, 500.0, 500.0});
}

TEST_CASE("cash, positions, costs and equity agree after every fill of random runs") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    const Bars bars = random_bars(400, seed, 0.01);
    RunOptions options = costly_options();
    options.broker.fractional = seed % 2 == 0;
    options.flat_at_close = seed % 3 == 0;
    options.broker.max_exposure = seed % 5 == 0 ? 0.5 : 1.0;
    options.begin = seed;
    const Run run = same_prices(options, bars, seed);
    CAPTURE(seed);
    check_accounts(run, bars.view());
    double cash = run.capital, position = 0.0;
    for (const Fill& fill : run.fills) {
      const double before = cash - fill.borrow + position * fill.reference;
      const double after = fill.cash + fill.position * fill.reference;
      CHECK(after == doctest::Approx(before - fill.commission - fill.spread_cost - fill.slippage_cost).epsilon(1e-12));
      const bool grows = std::abs(fill.position) > std::abs(position) || fill.position * position < 0.0;
      if (grows) CHECK(std::abs(fill.position * fill.reference) <= options.broker.max_exposure * after * (1.0 + 1e-9));
      cash = fill.cash;
      position = fill.position;
    }
  }
}

TEST_CASE("long-only runs never borrow cash") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    RunOptions options = costly_options();
    options.broker.fractional = seed % 2 == 0;
    const Run run = same_prices(options, random_bars(1000, seed), seed, 0.0);
    for (const Fill& fill : run.fills) CHECK(fill.cash >= 0.0);
  }
}

TEST_CASE("fills, costs and final equity agree to a cent over a million bars") {
  const Bars bars = random_bars(1'000'000, 99, 0.0002);
  RunOptions options = costly_options();
  options.broker.capital = 1e7;
  options.broker.costs.commission_minimum = 0.0;
  options.broker.costs.half_spread_bps = options.broker.costs.slippage_bps = 0.01;
  options.broker.costs.commission_bps = 0.0;
  options.broker.costs.commission_per_share = 0.0001;
  const Run run = same_prices(options, bars, 5);
  CHECK(run.fills.size() > 100'000);
  CHECK_FALSE(run.ruined_at);
  check_accounts(run, bars.view());
}

TEST_CASE("free fractional holding earns the price's return from the first fill on") {
  const Bars bars = random_bars(1000, 3);
  RunOptions options = free_options();
  options.broker.fractional = true;
  const Run run = run_decisions(bars.view(), std::vector<Decision>(1000, {.exposure = 1.0, .reason = "hold"}), options);
  CHECK(run.equity.back() / 1000.0 == doctest::Approx(bars.close.back() / bars.open[1]).epsilon(1e-8));
}

TEST_CASE("later bars change no earlier decision and no earlier fill") {
  const Bars bars = random_bars(600, 21);
  for (const StrategyRow& row : strategies()) {
    StrategyParams params = parse_params(row, "");
    if (row.name == "sma_cross") params = parse_params(row, "fast=3,slow=9,allow_short=true");
    for (const std::size_t from : {std::size_t{1}, std::size_t{50}, std::size_t{300}, std::size_t{599}}) {
      for (const bool flat_at_close : {false, true}) {
        RunOptions options = costly_options();
        options.flat_at_close = flat_at_close;
        const Bars other = with_other_future(bars, from, 77);
        const Run a = run(bars.view(), *row.make(params), options);
        const Run b = run(other.view(), *row.make(params), options);
        CAPTURE(row.name);
        CAPTURE(from);
        for (std::size_t t = 0; t < from; ++t) {
          CHECK(a.decisions[t].exposure == b.decisions[t].exposure);
          CHECK(a.equity[t] == b.equity[t]);
        }
        const auto earlier = [&](const Run& r) {
          std::vector<Fill> fills;
          for (const Fill& fill : r.fills) {
            if (fill.bar < from) fills.push_back(fill);
          }
          return fills;
        };
        CHECK(earlier(a) == earlier(b));
      }
    }
  }
}

TEST_CASE("decisions come in blocks as they come bar by bar") {
  const Bars bars = random_bars(20'000, 4);
  for (const StrategyRow& row : strategies()) {
    const auto in_blocks = row.make(parse_params(row, "")), by_bar = row.make(parse_params(row, ""));
    std::size_t calls = 0;
    const auto decisions = decide(bars.view(), *in_blocks, [&](std::size_t, std::size_t total) {
      ++calls;
      CHECK(total == bars.size());
    });
    CHECK(calls > 1);
    for (std::size_t t = 0; t < bars.size(); ++t) {
      if (decisions[t].exposure != by_bar->on_bar(bars[t]).exposure) FAIL("bar " << t << " of " << row.name);
    }
  }
}

TEST_CASE("a wanted change that is too small to trade is counted") {
  const Bars bars = flat_bars({5000.0, 5000.0, 5000.0});
  const Run run = run_decisions(bars.view(), decisions_of({1.0, 1.0, 1.0}), free_options());
  CHECK(run.fills.empty());
  CHECK(run.orders_below_lot == 1);
}

TEST_CASE("wrong decisions and ranges are refused") {
  const Bars bars = flat_bars({100.0, 100.0});
  const auto run_with = [&](std::initializer_list<double> exposures) {
    return run_decisions(bars.view(), decisions_of(exposures), free_options());
  };
  CHECK_THROWS_WITH_AS((void)run_with({0.0, 1.5}), "decision at bar 1: exposure must be within [-1, 1], found 1.5",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS((void)run_with({std::numeric_limits<double>::quiet_NaN(), 0.0}),
                       "decision at bar 0: exposure must be within [-1, 1], found nan", std::invalid_argument);
  CHECK_THROWS_WITH_AS((void)run_with({0.0}), "decisions must be one per bar, 2, found 1", std::invalid_argument);
  std::vector<Decision> improbable = decisions_of({0.0, 0.0});
  improbable[1].probability = 2.0;
  CHECK_THROWS_WITH_AS((void)run_decisions(bars.view(), improbable, free_options()),
                       "decision at bar 1: probability must be within [0, 1], found 2", std::invalid_argument);
  RunOptions options = free_options();
  options.begin = 2;
  CHECK_THROWS_WITH_AS((void)run_decisions(bars.view(), decisions_of({0.0, 0.0}), options),
                       "measured bars must lie within 0 to 2, found 2 to 2", std::invalid_argument);
}

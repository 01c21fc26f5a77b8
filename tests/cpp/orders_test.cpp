#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "backtest/order.hpp"
#include "backtest/simulation.hpp"
#include "market.hpp"

using namespace sentio;
using namespace sentio::test;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

RunOptions free_options(double capital = 1000.0) {
  RunOptions options;
  options.broker = {.costs = {.name = "free"}, .capital = capital};
  return options;
}

struct Prices {
  double open, high, low, close, volume = 1000.0;
};

Bars bars_of(std::initializer_list<Prices> prices) {
  Bars bars;
  std::int64_t time_ns = kMonday;
  for (const Prices& p : prices) {
    bars.push_back({time_ns, p.open, p.high, p.low, p.close, p.volume});
    time_ns += kMinuteNs;
  }
  return bars;
}

Decision market(double exposure) { return {.exposure = exposure, .reason = "test"}; }
Decision limit(double exposure, double price) {
  return {.exposure = exposure, .reason = "test", .order = OrderKind::limit, .price = price};
}
Decision stop(double exposure, double price) {
  return {.exposure = exposure, .reason = "test", .order = OrderKind::stop, .price = price};
}

constexpr Prices kFlat{100.0, 100.0, 100.0, 100.0};

/// The run of a strategy that is flat, or holds a position bought at 100, before the bar that matters.
Run run_of(const RunOptions& options, std::initializer_list<Prices> prices, const std::vector<Decision>& decisions) {
  return run_decisions(bars_of(prices).view(), decisions, options);
}

}  // namespace

TEST_CASE("a limit order is filled where the price goes beyond it, and not where it is only touched") {
  const PriceRange range{100.0, 105.0, 95.0};
  CHECK(price_met(OrderKind::limit, 1.0, 98.0, range) == 98.0);
  CHECK(price_met(OrderKind::limit, 1.0, 102.0, range) == 100.0);
  CHECK_FALSE(price_met(OrderKind::limit, 1.0, 95.0, range));
  CHECK(price_met(OrderKind::limit, -1.0, 102.0, range) == 102.0);
  CHECK(price_met(OrderKind::limit, -1.0, 98.0, range) == 100.0);
  CHECK_FALSE(price_met(OrderKind::limit, -1.0, 105.0, range));
}

TEST_CASE("a stop order is filled where its price is touched, or where the price jumped to") {
  const PriceRange range{100.0, 105.0, 95.0};
  CHECK(price_met(OrderKind::stop, 1.0, 105.0, range) == 105.0);
  CHECK(price_met(OrderKind::stop, 1.0, 98.0, range) == 100.0);
  CHECK_FALSE(price_met(OrderKind::stop, 1.0, 105.5, range));
  CHECK(price_met(OrderKind::stop, -1.0, 95.0, range) == 95.0);
  CHECK(price_met(OrderKind::stop, -1.0, 102.0, range) == 100.0);
  CHECK_FALSE(price_met(OrderKind::stop, -1.0, 94.5, range));
  CHECK(price_met(OrderKind::market, 1.0, kNaN, range) == 100.0);
}

TEST_CASE("a limit order lives for one bar, and the next decision sends its own") {
  const Run run = run_of(free_options(), {kFlat, {100, 100, 98, 99}, {99, 99, 96, 97}, {97, 97, 97, 97}},
                         {limit(1.0, 98.0), limit(1.0, 97.0), limit(1.0, 90.0), market(1.0)});
  REQUIRE(run.fills.size() == 1);  // 98 is only touched in bar 1
  CHECK(run.fills[0].bar == 2);
  CHECK(run.fills[0].at == FillAt::limit);
  CHECK(run.fills[0].price == 97.0);
  CHECK(run.fills[0].quantity == 10.0);
}

TEST_CASE(
    "a limit order that the price comes to pays no spread, and one that is executed at once pays up to its limit") {
  RunOptions options = free_options(100'000.0);
  options.broker.costs.half_spread_bps = 60.0;
  options.broker.costs.slippage_bps = 40.0;
  const Run came = run_of(options, {kFlat, {100, 100, 90, 95}}, {limit(1.0, 98.0), market(1.0)});
  REQUIRE(came.fills.size() == 1);
  CHECK(came.fills[0].price == 98.0);
  CHECK(came.fills[0].spread_cost + came.fills[0].slippage_cost == 0.0);
  CHECK(came.fills[0].quantity == 1020.0);
  const Run at_once = run_of(options, {kFlat, {100, 100, 90, 95}}, {limit(1.0, 105.0), market(1.0)});
  CHECK(at_once.fills.at(0).price == doctest::Approx(101.0).epsilon(1e-14));
  const Run between = run_of(options, {kFlat, {100, 100, 90, 95}}, {limit(1.0, 100.5), market(1.0)});
  const Fill& fill = between.fills.at(0);
  CHECK(fill.price == 100.5);
  CHECK(fill.spread_cost == doctest::Approx(fill.quantity * 0.3).epsilon(1e-12));
  CHECK(fill.slippage_cost == doctest::Approx(fill.quantity * 0.2).epsilon(1e-12));
}

TEST_CASE("a stop order pays half-spread and slippage, and a gap fills it at the open") {
  RunOptions options = free_options(100'000.0);
  options.broker.costs.half_spread_bps = 100.0;
  const Run within = run_of(options, {kFlat, {100, 110, 100, 110}}, {stop(1.0, 105.0), market(1.0)});
  CHECK(within.fills.at(0).reference == 105.0);
  CHECK(within.fills.at(0).price == doctest::Approx(106.05).epsilon(1e-14));
  const Run gap = run_of(options, {kFlat, {108, 110, 100, 110}}, {stop(1.0, 105.0), market(1.0)});
  CHECK(gap.fills.at(0).reference == 108.0);
  CHECK(gap.fills.at(0).at == FillAt::stop);
}

TEST_CASE("an exit can be a limit order, and a turn a stop order") {
  const Run exit = run_of(free_options(), {kFlat, kFlat, {100, 106, 100, 103}, kFlat},
                          {market(1.0), limit(0.0, 105.0), market(0.0), market(0.0)});
  REQUIRE(exit.fills.size() == 2);
  CHECK(exit.fills[1].quantity == -10.0);
  CHECK(exit.fills[1].price == 105.0);
  const Run turn =
      run_of(free_options(), {kFlat, kFlat, {100, 100, 94, 94}}, {market(1.0), stop(-1.0, 95.0), market(-1.0)});
  REQUIRE(turn.fills.size() == 2);
  CHECK(turn.fills[1].price == 95.0);
  CHECK(turn.fills[1].quantity == -20.0);  // 950 of equity: -10 at 95
}

TEST_CASE("a stop loss closes the position at its price, or at the open beyond it, and stays out") {
  RunOptions options = free_options();
  options.protection.stop_loss = 0.02;
  const std::vector<Decision> hold(5, market(1.0));
  const Run within = run_of(options, {kFlat, kFlat, {100, 101, 97, 101}, kFlat, kFlat}, hold);
  REQUIRE(within.fills.size() == 2);
  CHECK(within.fills[1].at == FillAt::stop);
  CHECK(within.fills[1].price == 98.0);
  CHECK(within.fills[1].reason == "stop loss");
  CHECK(within.position.back() == 0.0);
  const Run gap = run_of(options, {kFlat, kFlat, {95, 101, 94, 101}, kFlat, kFlat}, hold);
  CHECK(gap.fills.at(1).price == 95.0);
}

TEST_CASE("after a protective exit the strategy comes back once its wanted exposure changes") {
  RunOptions options = free_options();
  options.protection.stop_loss = 0.02;
  const Run run = run_of(options, {kFlat, kFlat, {100, 100, 97, 97}, kFlat, kFlat, kFlat},
                         {market(1.0), market(1.0), market(1.0), market(0.5), market(0.5), market(0.5)});
  REQUIRE(run.fills.size() == 3);
  CHECK(run.fills[2].bar == 4);
  CHECK(run.fills[2].quantity == 4.0);  // half of 980
}

TEST_CASE("a take profit needs a price beyond it, and a short's levels are mirrored") {
  RunOptions options = free_options();
  options.protection = {.stop_loss = 0.05, .take_profit = 0.04};
  const Run touched = run_of(options, {kFlat, kFlat, {100, 104, 100, 104}}, std::vector<Decision>(3, market(1.0)));
  CHECK(touched.fills.size() == 1);
  const Run beyond = run_of(options, {kFlat, kFlat, {100, 104.1, 100, 104}}, std::vector<Decision>(3, market(1.0)));
  REQUIRE(beyond.fills.size() == 2);
  CHECK(beyond.fills[1].price == 104.0);
  CHECK(beyond.fills[1].reason == "take profit");
  const Run short_gain = run_of(options, {kFlat, kFlat, {95, 95, 95, 95}}, std::vector<Decision>(3, market(-1.0)));
  CHECK(short_gain.fills.at(1).price == 95.0);
  const Run short_loss = run_of(options, {kFlat, kFlat, {100, 105, 99, 100}}, std::vector<Decision>(3, market(-1.0)));
  CHECK(short_loss.fills.at(1).price == 105.0);
}

TEST_CASE("of a stop loss and a take profit in one bar, the stop is taken") {
  RunOptions options = free_options();
  options.protection = {.stop_loss = 0.02, .take_profit = 0.02};
  const Run run = run_of(options, {kFlat, kFlat, {100, 110, 90, 110}}, std::vector<Decision>(3, market(1.0)));
  CHECK(run.fills.at(1).price == 98.0);
  // A market order is filled at the open, before the rest of its bar.
  const Run at_entry = run_of(options, {kFlat, {100, 110, 99, 110}}, std::vector<Decision>(2, market(1.0)));
  CHECK(at_entry.fills.at(1).price == 102.0);
}

TEST_CASE("an order filled within a bar can be stopped out there, and does not take profit there") {
  RunOptions options = free_options();
  options.protection = {.stop_loss = 0.02, .take_profit = 0.02};
  const Run stopped = run_of(options, {kFlat, {100, 110, 90, 110}}, {limit(1.0, 99.0), market(1.0)});
  REQUIRE(stopped.fills.size() == 2);
  CHECK(stopped.fills[0].price == 99.0);
  CHECK(stopped.fills[1].price == doctest::Approx(97.02).epsilon(1e-14));
  const Run kept = run_of(options, {kFlat, {100, 110, 98, 110}}, {limit(1.0, 99.0), market(1.0)});
  CHECK(kept.fills.size() == 1);
}

TEST_CASE("of an exit and an order in one bar, the one that leaves less comes first") {
  RunOptions options = free_options();
  options.protection.stop_loss = 0.02;
  const std::vector<Decision> adds{market(0.5), stop(1.0, 103.0), market(1.0)};
  // Up first: 4 more at 103 for 9 of 1015, stopped out at 98 % of the new average. Down first: 5 are sold at 98.
  const Run run = run_of(options, {kFlat, kFlat, {100, 104, 97, 100}}, adds);
  REQUIRE(run.fills.size() == 3);
  CHECK(run.fills[1].price == 103.0);
  CHECK(run.fills[2].reason == "stop loss");
  CHECK(run.fills[2].quantity == -9.0);
  CHECK(run.equity.back() < 990.0);
  // The order would leave at 105 what the stop leaves at 98.
  const Run leaves =
      run_of(options, {kFlat, kFlat, {100, 106, 97, 100}}, {market(1.0), limit(0.0, 105.0), market(0.0)});
  REQUIRE(leaves.fills.size() == 2);
  CHECK(leaves.fills[1].price == 98.0);
  const Run same = run_of(options, {kFlat, kFlat, {100, 100, 97, 97}}, {market(1.0), stop(0.0, 98.0), market(0.0)});
  REQUIRE(same.fills.size() == 2);
  CHECK(same.fills[1].reason == "stop loss");
}

TEST_CASE("an order takes its share of a bar's volume and is worked on while it is wanted") {
  RunOptions options = free_options(10'000.0);
  options.broker.max_volume_share = 0.1;
  const Prices thin{100, 100, 100, 100, 405.0};
  const Run run = run_of(options, {kFlat, thin, {100, 100, 100, 100, 0.0}, thin, thin, thin},
                         std::vector<Decision>(6, market(1.0)));
  CHECK(run.position == std::vector<double>{0.0, 40.0, 40.0, 80.0, 100.0, 100.0});
  CHECK(run.orders_cut == 3);
  const Run dropped = run_of(options, {kFlat, thin, thin, thin}, {market(1.0), market(0.2), market(0.2), market(0.2)});
  CHECK(dropped.position == std::vector<double>{0.0, 40.0, 20.0, 20.0});
}

TEST_CASE("an order that volume cut works on towards its own side only") {
  RunOptions options = free_options(10'000.0);
  options.broker.max_volume_share = 0.1;
  const Prices thin{100, 100, 100, 100, 405.0}, twice{200, 210, 190, 200};
  // 40 of 50 units. At 200, half of the equity is 35 units: nothing is left to buy, and nothing was to be sold.
  const std::vector<double> bought{0.0, 40.0, 40.0, 40.0};
  CHECK(run_of(options, {kFlat, thin, twice, kFlat}, std::vector<Decision>(4, market(0.5))).position == bought);
  CHECK(run_of(options, {kFlat, thin, twice, kFlat},
               {limit(0.5, 101.0), limit(0.5, 200.0), limit(0.5, 101.0), market(0.5)})
            .position == bought);
  // 40 units are two fifths already, so there is no order left to work on when the price falls.
  const Prices low{80, 80, 80, 80};
  CHECK(
      run_of(options, {kFlat, thin, kFlat, low}, {market(0.5), limit(0.4, 100.0), market(0.4), market(0.4)}).position ==
      bought);
}

TEST_CASE("a protective exit ends an order that volume cut") {
  RunOptions options = free_options(10'000.0);
  options.broker.max_volume_share = 0.1;
  options.protection.stop_loss = 0.02;
  const Prices thin{100, 100, 100, 100, 405.0}, falls{100, 100, 97, 97, 405.0}, low{97, 97, 97, 97};
  const Run run = run_of(options, {kFlat, thin, falls, low, low, low}, std::vector<Decision>(6, market(1.0)));
  CHECK(run.position == std::vector<double>{0.0, 40.0, 80.0, 0.0, 0.0, 0.0});
}

TEST_CASE("an order that found no volume was not acted on, so what was wanted before it needs no order") {
  RunOptions options = free_options(10'000.0);
  options.broker.max_volume_share = 0.1;
  const Prices none{100, 100, 100, 100, 0.0}, twice{200, 200, 200, 200};
  const Run run = run_of(options, {kFlat, kFlat, none, twice}, {market(0.5), market(0.2), market(0.5), market(0.5)});
  CHECK(run.position == std::vector<double>{0.0, 50.0, 50.0, 50.0});
}

TEST_CASE("an order that found no volume is forgotten once it is not wanted any more") {
  RunOptions options = free_options(10'000.0);
  options.broker.max_volume_share = 0.1;
  const Prices none{100, 100, 100, 100, 0.0};
  const Run run = run_of(options, {kFlat, none, kFlat, kFlat}, {market(1.0), market(0.0), market(0.0), market(0.0)});
  CHECK(run.fills.empty());
  CHECK(run.orders_cut == 1);
}

TEST_CASE("a protective exit that found too little volume goes on at the next opens") {
  RunOptions options = free_options(10'000.0);
  options.broker.max_volume_share = 0.1;
  options.protection.stop_loss = 0.02;
  const Run run =
      run_of(options, {kFlat, kFlat, {100, 100, 97, 97, 600.0}, {96, 99, 95, 99, 300.0}, {97, 97, 97, 97}, kFlat},
             std::vector<Decision>(6, market(1.0)));
  REQUIRE(run.fills.size() == 4);
  CHECK(run.fills[1].price == 98.0);
  CHECK(run.fills[1].quantity == -60.0);
  CHECK(run.fills[2].price == 96.0);
  CHECK(run.fills[2].reason == "stop loss");
  CHECK(run.fills[3].price == 97.0);
  CHECK(run.position.back() == 0.0);
  CHECK(run.orders_cut == 2);  // once in each bar, also where the price meets the stop again
}

TEST_CASE("a position above max exposure is trimmed at the open whatever the order waits for") {
  const Prices high{112, 112, 112, 112};
  const Run run =
      run_of(free_options(), {kFlat, kFlat, high, high}, {market(-1.0), market(-1.0), limit(-0.5, 90.0), market(0.0)});
  REQUIRE(run.fills.size() == 2);
  CHECK(run.fills[1].bar == 3);
  CHECK(run.fills[1].reason == "above max exposure");

  RunOptions half = free_options();
  half.broker.max_exposure = 0.5;
  const Prices higher{115, 115, 115, 115};  // 575 short of 925
  const Run trimmed = run_of(half, {kFlat, kFlat, higher, higher}, std::vector<Decision>(4, market(-1.0)));
  CHECK(trimmed.position == std::vector<double>{0.0, -5.0, -5.0, -4.0});
}

TEST_CASE("wrong orders and protections name the option, the value and what is allowed") {
  const auto run_with = [](const Decision& decision, const RunOptions& options) {
    (void)run_decisions(bars_of({kFlat}).view(), {decision}, options);
  };
  CHECK_THROWS_WITH_AS(run_with(limit(1.0, kNaN), free_options()),
                       "decision at bar 0: the price of a limit order must be a finite number above 0, found nan",
                       std::invalid_argument);
  Decision priced = market(1.0);
  priced.price = 99.0;
  CHECK_THROWS_WITH_AS(run_with(priced, free_options()),
                       "decision at bar 0: a market order has no price (nan), found 99", std::invalid_argument);
  RunOptions options = free_options();
  options.protection.stop_loss = 1.0;
  CHECK_THROWS_WITH_AS(run_with(market(1.0), options), "stop_loss must be above 0 and below 1, found 1",
                       std::invalid_argument);
  options.protection = {.stop_loss = std::nullopt, .take_profit = 0.0};
  CHECK_THROWS_WITH_AS(run_with(market(1.0), options), "take_profit must be a finite number above 0, found 0",
                       std::invalid_argument);
  options = free_options();
  options.broker.max_volume_share = 1.5;
  CHECK_THROWS_WITH_AS(run_with(market(1.0), options), "max_volume_share must be above 0 and at most 1, found 1.5",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS((void)find_order_kind("limt"),
                       "order must be market, limit or stop, found 'limt'; did you mean 'limit'?",
                       std::invalid_argument);
}

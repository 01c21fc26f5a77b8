#include "backtest/broker.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <stdexcept>

using namespace sentio;

namespace {

const CostModel kFree{.name = "free"};

Broker broker_of(const CostModel& costs, double capital = 1000.0, bool fractional = false) {
  return Broker({.costs = costs, .capital = capital, .fractional = fractional});
}

Broker::Order at_open(double price) {
  return {.bar = 0, .time_ns = 0, .at = FillAt::open, .reference = price, .reason = "test"};
}

}  // namespace

TEST_CASE("exposure 1 buys as many whole units as cash pays for") {
  Broker broker = broker_of(kFree);
  const auto fill = broker.trade(1.0, at_open(300.0));
  REQUIRE(fill);
  CHECK(fill->quantity == 3.0);
  CHECK(fill->price == 300.0);
  CHECK(broker.cash() == 100.0);
  CHECK(broker.position() == 3.0);
  CHECK(broker.average_price() == 300.0);
}

TEST_CASE("fractional orders use all of the equity") {
  Broker broker = broker_of(kFree, 1000.0, true);
  broker.trade(1.0, at_open(300.0));
  CHECK(broker.position() == doctest::Approx(1000.0 / 300.0).epsilon(1e-8));  // one lot is 1e-8
  CHECK(broker.cash() >= 0.0);
  CHECK(broker.cash() < 300.0 * 1e-8);
}

TEST_CASE("a fill pays the half-spread once") {
  Broker broker = broker_of({.name = "spread", .half_spread_bps = 100.0});
  const auto fill = broker.trade(0.5, at_open(100.0));
  REQUIRE(fill);
  // 5 units would be 500 of an equity of 995 after costs, above a half; 4 units are 400 of 996.
  CHECK(fill->quantity == 4.0);
  CHECK(fill->price == doctest::Approx(101.0).epsilon(1e-12));
  CHECK(fill->spread_cost == doctest::Approx(4.0).epsilon(1e-12));
  CHECK(broker.equity(100.0) == doctest::Approx(996.0).epsilon(1e-12));
}

TEST_CASE("a sale gets the price less half-spread and slippage") {
  Broker broker = broker_of({.name = "both", .half_spread_bps = 100.0, .slippage_bps = 50.0}, 10'000.0);
  broker.trade(1.0, at_open(100.0));
  const double held = broker.position();
  const auto fill = broker.trade(0.0, at_open(200.0));
  REQUIRE(fill);
  CHECK(fill->quantity == -held);
  CHECK(fill->price == doctest::Approx(197.0).epsilon(1e-12));
  CHECK(fill->slippage_cost == doctest::Approx(held * 1.0).epsilon(1e-12));
  CHECK(broker.position() == 0.0);
  CHECK(broker.average_price() == 0.0);
}

TEST_CASE("the average price includes commission and follows additions, not reductions") {
  Broker broker = broker_of({.name = "fee", .commission_minimum = 2.0}, 1000.0);
  broker.trade(0.5, at_open(100.0));
  CHECK(broker.position() == 4.0);  // 5 would be 500 of 998
  CHECK(broker.average_price() == doctest::Approx(100.5));
  broker.trade(1.0, at_open(100.0));
  CHECK(broker.position() == 9.0);
  CHECK(broker.average_price() == doctest::Approx((402.0 + 502.0) / 9.0));
  broker.trade(0.3, at_open(100.0));
  CHECK(broker.average_price() == doctest::Approx((402.0 + 502.0) / 9.0));
}

TEST_CASE("a turn from long to short is one fill") {
  Broker broker = broker_of(kFree);
  broker.trade(1.0, at_open(100.0));
  const auto fill = broker.trade(-1.0, at_open(100.0));
  REQUIRE(fill);
  CHECK(fill->quantity == -20.0);
  CHECK(broker.position() == -10.0);
  CHECK(broker.cash() == 2000.0);
  CHECK(broker.average_price() == 100.0);
}

TEST_CASE("borrowing costs the position's value times rate and time, and only for shorts") {
  const CostModel costs{.name = "borrow", .borrow_rate = 0.1};
  Broker is_short = broker_of(costs);
  is_short.trade(-1.0, at_open(100.0));
  is_short.accrue_borrow(200.0, 0.5);
  CHECK(is_short.cash() == doctest::Approx(2000.0 - 10.0 * 200.0 * 0.1 * 0.5));
  const auto fill = is_short.trade(0.0, at_open(100.0));
  REQUIRE(fill);
  CHECK(fill->borrow == doctest::Approx(100.0));
  Broker is_long = broker_of(costs);
  is_long.trade(1.0, at_open(100.0));
  is_long.accrue_borrow(200.0, 0.5);
  CHECK(is_long.cash() == 0.0);
}

TEST_CASE("orders are cut to max_exposure") {
  Broker broker({.costs = kFree, .capital = 1000.0, .max_exposure = 0.4});
  broker.trade(1.0, at_open(100.0));
  CHECK(broker.position() == 4.0);
  broker.trade(-1.0, at_open(100.0));
  CHECK(broker.position() == -4.0);
}

TEST_CASE("a change below one lot is no fill and costs nothing") {
  Broker broker = broker_of({.name = "fee", .commission_minimum = 1.0});
  CHECK_FALSE(broker.trade(1.0, at_open(1000.0)));
  CHECK(broker.cash() == 1000.0);
}

TEST_CASE("an unaffordable commission is not paid") {
  Broker broker = broker_of({.name = "fee", .commission_minimum = 1000.0}, 500.0);
  CHECK_FALSE(broker.trade(1.0, at_open(10.0)));
  CHECK_FALSE(broker.trade(-1.0, at_open(10.0)));
}

TEST_CASE("the target is the largest position whose value stays within its share of the equity left") {
  std::mt19937_64 random(11);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  for (int i = 0; i < 20'000; ++i) {
    const CostModel costs{.name = "random",
                          .commission_per_share = 0.01 * unit(random),
                          .commission_bps = 50.0 * unit(random),
                          .commission_minimum = i % 2 == 0 ? 5.0 * unit(random) : 0.0,
                          .half_spread_bps = 20.0 * unit(random),
                          .slippage_bps = 20.0 * unit(random)};
    const double price = 0.1 + 300.0 * unit(random), equity = 1000.0 + 1e5 * unit(random);
    const double exposure = 2.0 * unit(random) - 1.0;
    const double position = i % 3 == 0 ? 0.0 : (2.0 * unit(random) - 1.0) * equity / price;
    const double target = target_position(exposure, equity, position, price, costs);

    const auto excess = [&](double size) {
      const double quantity = (exposure > 0.0 ? size : -size) - position;
      const double fill_price = costs.fill_price(price, quantity);
      const double paid = std::abs(quantity) * std::abs(fill_price - price) + costs.commission(quantity, fill_price);
      return size * price - std::abs(exposure) * (equity - paid);
    };
    const double size = std::abs(target), tolerance = 1e-9 * equity;  // a few roundings of sums as large as equity
    CAPTURE(i);
    CHECK(target * exposure >= 0.0);
    const bool untouched = target == position;
    // Not trading at all is allowed where trading towards the share would itself leave less.
    if (!untouched && size > 0.0) CHECK(excess(size) <= tolerance);
    if (!untouched) CHECK(excess(size + 1e-6 * equity / price) > 0.0);
  }
}

TEST_CASE("buying everything never leaves cash below 0") {
  std::mt19937_64 random(12);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  for (int i = 0; i < 2000; ++i) {
    for (const CostModel& costs : cost_models()) {
      Broker broker({.costs = costs, .capital = 100.0 + 1e6 * unit(random), .fractional = i % 2 == 0});
      broker.trade(1.0, at_open(0.5 + 1000.0 * unit(random)));
      CHECK(broker.cash() >= 0.0);
    }
  }
}

TEST_CASE("wrong broker options name the option, the value and what is allowed") {
  CHECK_THROWS_WITH_AS(require_valid(BrokerOptions{.capital = -5.0}),
                       "capital must be a finite number above 0, found -5", std::invalid_argument);
  CHECK_THROWS_WITH_AS(require_valid(BrokerOptions{.max_exposure = 2.0}),
                       "max_exposure must be above 0 and at most 1, found 2", std::invalid_argument);
  CHECK_THROWS_WITH_AS(require_valid(BrokerOptions{.costs = {.name = "x", .slippage_bps = -1.0}}),
                       "slippage_bps must be from 0 to 1000, found -1", std::invalid_argument);
}

#include "backtest/trades.hpp"

#include <doctest/doctest.h>

#include <numeric>
#include <vector>

#include "backtest/simulation.hpp"
#include "market.hpp"

using namespace sentio;
using namespace sentio::test;

namespace {

Fill fill_of(std::size_t bar, double quantity, double price, double position, double commission = 0.0,
             double borrow = 0.0) {
  Fill fill{};
  fill.bar = bar;
  fill.time_ns = static_cast<std::int64_t>(bar);
  fill.quantity = quantity;
  fill.price = fill.reference = price;
  fill.position = position;
  fill.commission = commission;
  fill.borrow = borrow;
  return fill;
}

}  // namespace

TEST_CASE("a trade goes from flat to flat, built and reduced in parts") {
  const std::vector<Fill> fills{fill_of(1, 10, 100, 10, 1), fill_of(2, 10, 110, 20, 1), fill_of(5, -5, 120, 15, 1),
                                fill_of(7, -15, 130, 0, 1)};
  const auto trades = round_trips(fills);
  REQUIRE(trades.size() == 1);
  CHECK(trades[0].entry_bar == 1);
  CHECK(trades[0].exit_bar == 7);
  CHECK(trades[0].largest_position == 20.0);
  CHECK(trades[0].profit == doctest::Approx(-1000 - 1100 + 600 + 1950 - 4));
}

TEST_CASE("a fill that turns the position round ends one trade and begins the next") {
  const std::vector<Fill> fills{fill_of(1, 10, 100, 10), fill_of(3, -30, 110, -20, 3), fill_of(6, 20, 90, 0, 0, 5)};
  const auto trades = round_trips(fills);
  REQUIRE(trades.size() == 2);
  CHECK(trades[0].profit == doctest::Approx(100.0 - 1.0));  // a third of the commission
  CHECK(trades[1].entry_bar == 3);
  CHECK(trades[1].largest_position == -20.0);
  CHECK(trades[1].profit == doctest::Approx(400.0 - 2.0 - 5.0));
}

TEST_CASE("an open position is no trade") {
  CHECK(round_trips(std::vector<Fill>{fill_of(1, 10, 100, 10)}).empty());
  CHECK(round_trips({}).empty());
}

TEST_CASE("the profits of a run that ends flat add up to its gain") {
  for (unsigned seed = 0; seed < 10; ++seed) {
    const Bars bars = random_bars(500, seed);
    auto decisions = random_decisions(500, seed);
    for (std::size_t t = 490; t < 500; ++t) decisions[t].exposure = 0.0;
    RunOptions options;
    options.broker.fractional = seed % 2 == 0;
    const Run run = run_decisions(bars.view(), decisions, options);
    double profit = 0.0;
    for (const Trade& trade : round_trips(run.fills)) profit += trade.profit;
    CHECK(profit == doctest::Approx(run.equity.back() - run.capital).epsilon(1e-9));
  }
}

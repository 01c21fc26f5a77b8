#include "bars/bars.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>
#include <vector>

using namespace sentio;

namespace {

constexpr Bar kGood{.time_ns = 10, .open = 2.0, .high = 4.0, .low = 1.0, .close = 3.0, .volume = 5.0};

Bar with(double Bar::*field, double value) {
  Bar bar = kGood;
  bar.*field = value;
  return bar;
}

}  // namespace

TEST_CASE("a bar is valid up to its limits and not beyond") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(fault_of(kGood, std::nullopt));
  CHECK_FALSE(fault_of(kGood, 9));
  CHECK_FALSE(fault_of({0, 1e-30, 1e30, 1e-30, 1e30, 1e30}, std::nullopt));
  CHECK_FALSE(fault_of({0, 1.0, 1.0, 1.0, 1.0, 0.0}, std::nullopt));
  CHECK(fault_of(kGood, 10) == BarFault::time_not_later);
  CHECK(fault_of(kGood, 11) == BarFault::time_not_later);
  for (const double bad : {nan, inf, -inf, 0.0, -1.0, 9e-31, 1.1e30}) {
    CHECK(fault_of(with(&Bar::open, bad), 9) == BarFault::bad_open);
    CHECK(fault_of(with(&Bar::high, bad), 9) == BarFault::bad_high);
    CHECK(fault_of(with(&Bar::low, bad), 9) == BarFault::bad_low);
    CHECK(fault_of(with(&Bar::close, bad), 9) == BarFault::bad_close);
  }
  for (const double bad : {nan, inf, -inf, -1e-9, 1.1e30})
    CHECK(fault_of(with(&Bar::volume, bad), 9) == BarFault::bad_volume);
  CHECK(fault_of(with(&Bar::low, 2.5), 9) == BarFault::low_above_body);
  CHECK(fault_of(with(&Bar::high, 2.5), 9) == BarFault::high_below_body);
}

TEST_CASE("a fault is described with what was found") {
  CHECK(describe(BarFault::high_below_body, with(&Bar::high, 2.5), 9) == "high 2.5 is below max(open, close) 3");
  CHECK(describe(BarFault::time_not_later, kGood, 10) ==
        "ts 1970-01-01T00:00:00.000000010Z is not after the bar before, 1970-01-01T00:00:00.000000010Z");
  CHECK_THROWS_WITH_AS(require_valid(with(&Bar::volume, -1.0), std::nullopt), "volume -1 is below 0",
                       std::invalid_argument);
}

TEST_CASE("columns of bars are checked one by one") {
  Bars bars;
  bars.push_back(kGood);
  bars.push_back({11, 2.0, 4.0, 1.0, 3.0, 5.0});
  CHECK_NOTHROW(require_valid(bars.view()));
  CHECK(bars.view().subview(1, 1)[0] == bars[1]);
  bars.high[1] = 1.5;
  CHECK_THROWS_WITH_AS(require_valid(bars.view()), "bar 1: high 1.5 is below max(open, close) 3",
                       std::invalid_argument);
  bars.high.pop_back();
  CHECK_THROWS_WITH_AS(require_valid(bars.view()), "bar columns must have one length, found 2 times and 1 values",
                       std::invalid_argument);
}

TEST_CASE("the median interval is the upper one of two") {
  CHECK(median_interval_ns({}) == 0);
  const std::int64_t two[] = {5, 8};
  CHECK(median_interval_ns(two) == 3);
  const std::int64_t three[] = {0, 1, 100};
  CHECK(median_interval_ns(three) == 99);
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  const std::int64_t furthest[] = {-kLargest, kLargest};
  CHECK(median_interval_ns(furthest) == kLargest);
}

TEST_CASE("bad bars are sorted out, and the good ones follow one another") {
  const Bars given{{9, 10, 11, 12, 11, 13},        {2.0, 2.0, -1.0, 2.0, 2.0, 2.0}, {4.0, 4.0, 4.0, 4.0, 4.0, 4.0},
                   {1.0, 1.0, 1.0, 1.0, 1.0, 1.0}, {3.0, 3.0, 3.0, 3.0, 3.0, 3.0},  {5.0, 5.0, 5.0, 5.0, 5.0, 5.0}};
  std::vector<BadBar> bad;
  CHECK(valid_bars(given.view(), 9, bad).time_ns == std::vector<std::int64_t>{10, 12, 13});
  REQUIRE(bad.size() == 3);
  CHECK((bad[0].index == 0 && bad[0].fault == BarFault::time_not_later));
  CHECK((bad[1].index == 2 && bad[1].what == "open -1 is not above 0"));
  CHECK((bad[2].index == 4 && bad[2].fault == BarFault::time_not_later));
  bad.clear();
  CHECK(valid_bars(given.view().subview(0, 2), std::nullopt, bad).size() == 2);
  CHECK(bad.empty());
}

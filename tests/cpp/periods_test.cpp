#include "backtest/periods.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

using namespace sentio;

namespace {

// 2024-12-30 (a Monday) is day 20087.
constexpr std::int32_t kMonday = 20'087;

}  // namespace

TEST_CASE("periods are named by ISO 8601") {
  CHECK(period_label(kMonday, PeriodUnit::day) == "2024-12-30");
  CHECK(period_label(kMonday, PeriodUnit::week) == "2025-W01");  // its Thursday is in 2025
  CHECK(period_label(kMonday - 1, PeriodUnit::week) == "2024-W52");
  CHECK(period_label(kMonday, PeriodUnit::month) == "2024-12");
  CHECK(period_label(kMonday, PeriodUnit::quarter) == "2024-Q4");
  CHECK(period_label(kMonday + 2, PeriodUnit::quarter) == "2025-Q1");
}

TEST_CASE("the last days are the last sessions that have bars") {
  const std::vector<std::int32_t> sessions{kMonday - 3, kMonday - 3, kMonday, kMonday, kMonday, kMonday + 1};
  const auto periods = last_periods(sessions, PeriodUnit::day, 2);
  REQUIRE(periods.size() == 2);
  CHECK(periods[0].label == "2024-12-30");
  CHECK(periods[0].range.begin == 2);
  CHECK(periods[0].range.end == 5);
  CHECK(periods[1].range.begin == 5);
  CHECK(periods[1].range.end == 6);
}

TEST_CASE("weeks, months and quarters group sessions by the calendar") {
  const std::vector<std::int32_t> sessions{kMonday - 3, kMonday, kMonday + 1, kMonday + 2, kMonday + 7};
  CHECK(last_periods(sessions, PeriodUnit::week, 3)[1].range.size() == 3);
  const auto months = last_periods(sessions, PeriodUnit::month, 2);
  CHECK(months[0].range.size() == 3);
  CHECK(months[1].label == "2025-01");
  CHECK(last_periods(sessions, PeriodUnit::quarter, 2)[1].range.size() == 2);
}

TEST_CASE("periods follow each other without a gap") {
  std::vector<std::int32_t> sessions;
  for (int i = 0; i < 900; ++i) sessions.push_back(kMonday + i / 3 + i / 100);
  for (const PeriodUnit unit : {PeriodUnit::day, PeriodUnit::week, PeriodUnit::month, PeriodUnit::quarter}) {
    const auto periods = last_periods(sessions, unit, 3);
    CHECK(periods.back().range.end == sessions.size());
    for (std::size_t i = 1; i < periods.size(); ++i) CHECK(periods[i].range.begin == periods[i - 1].range.end);
  }
}

TEST_CASE("more periods than there are, or none, are refused") {
  const std::vector<std::int32_t> sessions{kMonday, kMonday + 1};
  CHECK_THROWS_WITH_AS((void)last_periods(sessions, PeriodUnit::day, 3),
                       "days must be at most 2, which is what the bars cover, found 3", std::invalid_argument);
  CHECK_THROWS_WITH_AS((void)last_periods(sessions, PeriodUnit::week, 0), "weeks must be at least 1, found 0",
                       std::invalid_argument);
}

TEST_CASE("a spread is taken over the periods where the figure is defined") {
  const std::vector<std::optional<double>> values{1.0, std::nullopt, 3.0};
  const Spread spread = spread_of(values);
  CHECK(spread.count == 2);
  CHECK(*spread.mean == 2.0);
  CHECK(*spread.sample_std == doctest::Approx(std::sqrt(2.0)));
  CHECK(*spread.worst == 1.0);
  CHECK(*spread.best == 3.0);
  CHECK_FALSE(spread_of(std::vector<std::optional<double>>{std::nullopt}).mean);
}

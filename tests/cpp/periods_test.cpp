#include "backtest/periods.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "bars/time.hpp"

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

namespace {

struct File {
  std::vector<std::int64_t> time_ns;
  std::vector<std::int32_t> sessions;
  const SessionCalendar& calendar = session_calendar("us_equity");

  /// Bars of a minute in the regular hours of `day` from minute `from` to `to`.
  void add(std::int32_t day, int from = 0, int to = 390) {
    for (int minute = from; minute < to; ++minute) {
      time_ns.push_back(session_hours(day, calendar).open_ns + minute * kMinuteNs);
      sessions.push_back(day);
    }
  }

  [[nodiscard]] std::vector<std::string> partial(PeriodUnit unit, std::int64_t count) const {
    auto periods = last_periods(sessions, unit, count);
    mark_partial(periods, time_ns, sessions, unit, calendar);
    std::vector<std::string> marks;
    for (const Period& period : periods) marks.push_back(period.partial);
    return marks;
  }
};

}  // namespace

TEST_CASE("a period that the bars cover in part is marked, a holiday is no gap") {
  File file;
  // From Thursday, 2024-12-26; New Year's Day has no session.
  for (const int day : {-4, -3, 0, 1, 3, 4}) file.add(kMonday + day);
  CHECK(file.partial(PeriodUnit::week, 2) == std::vector<std::string>{"2 whole sessions of 4", ""});
  CHECK(file.partial(PeriodUnit::month, 2) ==
        std::vector<std::string>{"4 whole sessions of 21", "2 whole sessions of 21"});
  CHECK(file.partial(PeriodUnit::day, 6) == std::vector<std::string>(6));
}

TEST_CASE("a first or last session that the bars cover in part counts for none, but for a twentieth") {
  File file;
  file.add(kMonday, 200);
  for (const int day : {1, 3}) file.add(kMonday + day);
  file.add(kMonday + 4, 0, 372);
  CHECK(file.partial(PeriodUnit::day, 4) == std::vector<std::string>{"190 of 390 minutes", "", "", ""});
  CHECK(file.partial(PeriodUnit::week, 1) == std::vector<std::string>{"3 whole sessions of 4"});
  File shorter;
  shorter.add(kMonday);
  shorter.add(kMonday + 1, 0, 370);
  CHECK(shorter.partial(PeriodUnit::day, 1) == std::vector<std::string>{"370 of 390 minutes"});
}

TEST_CASE("a few sessions without bars are a closed exchange, more are missing bars") {
  File file;
  file.add(kMonday - 3);
  // From 2024-12-30 to 2025-02-03; 2025-01-01 and 2025-01-20 are holidays, 01-09 was a day of mourning.
  for (int day = 0; day < 36; ++day) {
    if (day % 7 < 5 && day != 2 && day != 10 && day != 21) file.add(kMonday + day);
  }
  CHECK(file.partial(PeriodUnit::month, 2)[0].empty());
  const auto without = [&](std::ptrdiff_t count) {
    File hole = file;
    const std::ptrdiff_t begin = 10 * 390, end = begin + count * 390;
    hole.time_ns.erase(hole.time_ns.begin() + begin, hole.time_ns.begin() + end);
    hole.sessions.erase(hole.sessions.begin() + begin, hole.sessions.begin() + end);
    return hole.partial(PeriodUnit::month, 2)[0];
  };
  CHECK(without(3).empty());  // and the day of mourning: four
  CHECK(without(4) == "16 whole sessions of 21");
}

TEST_CASE("weekdays without any bar in the file are days off") {
  std::vector<std::int64_t> hours;
  std::vector<std::int32_t> sessions;
  for (std::int32_t day = kMonday + 2; day < kMonday + 33; ++day) {  // January 2025 around the clock, Saturdays aside
    for (int hour = 0; hour < 24 && (day - kMonday) % 7 != 5; ++hour) {
      hours.push_back(day * kDayNs + hour * 60 * kMinuteNs);
      sessions.push_back(day);
    }
  }
  auto periods = last_periods(sessions, PeriodUnit::month, 1);
  mark_partial(periods, hours, sessions, PeriodUnit::month, session_calendar("utc_day"));
  CHECK(periods[0].partial.empty());
  sessions.resize(10UL * 24);
  hours.resize(sessions.size());
  periods = last_periods(sessions, PeriodUnit::month, 1);
  mark_partial(periods, hours, sessions, PeriodUnit::month, session_calendar("utc_day"));
  CHECK(periods[0].partial == "10 whole sessions of 29");  // two in their midst count as closed
}

TEST_CASE("daily bars make whole sessions") {
  File file;
  for (const int day : {0, 1, 3, 4}) {
    file.time_ns.push_back((kMonday + day) * kDayNs);
    file.sessions.push_back(kMonday + day);
  }
  CHECK(file.partial(PeriodUnit::week, 1) == std::vector<std::string>{""});
  CHECK(file.partial(PeriodUnit::day, 4) == std::vector<std::string>(4));
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

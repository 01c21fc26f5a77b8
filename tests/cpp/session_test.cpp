#include "bars/session.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <random>

#include "bars/nyse.hpp"
#include "bars/time.hpp"

using namespace sentio;

namespace {

std::int64_t at(const char* text) { return parse_iso_time(text).value(); }

}  // namespace

TEST_CASE("a clock that jumps between dates answers like a fresh one") {
  std::mt19937_64 random(1);
  for (const SessionCalendar& calendar : session_calendars()) {
    SessionClock clock(calendar);
    for (int i = 0; i < 500; ++i) {
      const std::int64_t t = at("2024-01-01") + static_cast<std::int64_t>(random() % (400 * kDayNs));
      const SessionTime found = clock.at(t), fresh = SessionClock(calendar).at(t);
      CHECK(found.day == fresh.day);
      CHECK(found.length == fresh.length);
      CHECK(found.minute == fresh.minute);
    }
  }
}

TEST_CASE("the session of an instant is that of its local date") {
  SessionClock clock(session_calendar("us_equity"));
  const SessionTime opening = clock.at(at("2024-11-29T14:30:00Z"));
  CHECK(opening.minute == 0.0);
  CHECK(opening.length == 210);
  CHECK(opening.regular());
  CHECK_FALSE(clock.at(at("2024-11-29T18:00:00Z")).regular());
  const SessionTime night = clock.at(at("2024-11-30T04:59:59Z"));  // still Friday in New York
  CHECK(night.day == opening.day);
  CHECK(clock.at(at("2024-11-30T05:00:00Z")).day == opening.day + 1);
}

TEST_CASE("times at the edges of int64 have a session") {
  using Limits = std::numeric_limits<std::int64_t>;
  for (const SessionCalendar& calendar : session_calendars()) {
    SessionClock clock(calendar);
    for (const std::int64_t t : {Limits::min(), Limits::min() + 1, std::int64_t{-1}, std::int64_t{0}, Limits::max()}) {
      const SessionTime found = clock.at(t);
      CHECK(found.minute >= -1440.0);
      CHECK(found.minute < 1440.0);
    }
  }
}

TEST_CASE("the exchange keeps its holidays and half days") {
  using namespace std::chrono;
  CHECK(nyse_minutes(2024y / July / 3) == 210);
  CHECK(nyse_minutes(2024y / July / 4) == 0);
  CHECK(nyse_minutes(2024y / July / 5) == 390);
  CHECK(nyse_minutes(2002y / July / 3) == 390);
  CHECK(nyse_minutes(2002y / July / 5) == 210);
  CHECK(nyse_minutes(2021y / December / 31) == 390);
  CHECK(nyse_minutes(2024y / March / 29) == 0);  // Good Friday
}

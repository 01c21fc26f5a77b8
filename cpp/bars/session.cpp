#include "bars/session.hpp"

#include <date/tz.h>

#include <array>
#include <stdexcept>

#include "bars/nyse.hpp"
#include "bars/suggest.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

constexpr int kDayMinutes = 24 * 60;

int around_the_clock(std::chrono::sys_days /*date*/) { return kDayMinutes; }

/// How much earlier the clocks are to be asked for a date. Zone files list their changes up to 2037, and the library
/// does not read the rule for the years beyond: those are looked up in an earlier year with the same calendar.
date::days detour(date::year_month_day date) {
  using namespace date;
  constexpr year kLastListed{2036};
  if (date.year() <= kLastListed) return days(0);
  const auto new_year = [](year y) { return sys_days(y / January / 1); };
  const auto same_calendar = [&](year y) {
    return y.is_leap() == date.year().is_leap() && weekday(new_year(y)) == weekday(new_year(date.year()));
  };
  year twin = kLastListed;
  while (!same_calendar(twin)) --twin;  // within 28 years
  return new_year(date.year()) - new_year(twin);
}

/// The instant of a local time, in seconds since 1970; of a time that the clocks repeat, the first.
std::int64_t second_of(const date::time_zone& zone, date::local_days day, std::chrono::minutes after_midnight) {
  const date::days earlier = detour(date::year_month_day(day));
  const auto local = date::local_seconds(day - earlier) + after_midnight;
  return (zone.to_sys(local, date::choose::earliest) + earlier).time_since_epoch().count();
}

/// The local date of an instant.
date::local_days local_date(const date::time_zone& zone, date::sys_seconds time) {
  const date::days earlier = detour(date::year_month_day(date::floor<date::days>(time)));
  return date::floor<date::days>(zone.to_local(time - earlier)) + earlier;
}

std::chrono::sys_days date_of(std::int32_t day) { return std::chrono::sys_days(std::chrono::days(day)); }

bool daily(std::span<const std::int64_t> time_ns) { return median_interval_ns(time_ns) >= kDayNs; }

}  // namespace

std::span<const SessionCalendar> session_calendars() {
  static const std::array<SessionCalendar, 2> calendars{{
      {.name = "us_equity",
       .zone = "America/New_York",
       .open_minute = 9 * 60 + 30,
       .close_minute = 16 * 60,
       .session_minutes = nyse_minutes},
      {.name = "utc_day",
       .zone = "Etc/UTC",
       .open_minute = 0,
       .close_minute = kDayMinutes,
       .session_minutes = around_the_clock},
  }};
  return calendars;
}

const SessionCalendar& session_calendar(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& calendar : session_calendars()) {
    if (calendar.name == name) return calendar;
    known.push_back(calendar.name);
  }
  throw std::invalid_argument("unknown session calendar '" + std::string(name) + "'" + did_you_mean(name, known));
}

SessionClock::SessionClock(const SessionCalendar& calendar)
    : calendar_(&calendar), zone_(date::locate_zone(calendar.zone)) {}

SessionTime SessionClock::at(std::int64_t time_ns) {
  std::int64_t second = time_ns / kSecondNs, rest = time_ns % kSecondNs;
  if (rest < 0) {
    --second;
    rest += kSecondNs;
  }
  if (second < begin_ || second >= end_) turn_to(second);
  // Exact up to the division: a date is far shorter than 2^53 nanoseconds.
  const auto since_open_ns = static_cast<double>((second - open_) * kSecondNs + rest);
  return {day_, length_, since_open_ns / static_cast<double>(kMinuteNs)};
}

void SessionClock::turn_to(std::int64_t second) {
  using namespace std::chrono;
  const date::local_days day = local_date(*zone_, date::sys_seconds(seconds(second)));
  begin_ = second_of(*zone_, day, minutes(0));
  end_ = second_of(*zone_, day + date::days(1), minutes(0));
  open_ = second_of(*zone_, day, minutes(calendar_->open_minute));
  day_ = static_cast<std::int32_t>(day.time_since_epoch().count());
  length_ = calendar_->session_minutes(date_of(day_));
}

std::vector<std::int32_t> session_days(std::span<const std::int64_t> time_ns, const SessionCalendar& calendar) {
  SessionClock clock(daily(time_ns) ? session_calendar("utc_day") : calendar);
  std::vector<std::int32_t> days;
  days.reserve(time_ns.size());
  for (const std::int64_t t : time_ns) days.push_back(clock.at(t).day);
  return days;
}

std::vector<std::uint8_t> in_regular_hours(std::span<const std::int64_t> time_ns, const SessionCalendar& calendar) {
  if (daily(time_ns)) return std::vector<std::uint8_t>(time_ns.size(), 1);
  SessionClock clock(calendar);
  std::vector<std::uint8_t> inside;
  inside.reserve(time_ns.size());
  for (const std::int64_t t : time_ns) inside.push_back(clock.at(t).regular());
  return inside;
}

SessionHours session_hours(std::int32_t day, const SessionCalendar& calendar) {
  const date::local_days local{date::days(day)};
  const std::int64_t open =
      second_of(*date::locate_zone(calendar.zone), local, std::chrono::minutes(calendar.open_minute));
  return {open * kSecondNs, calendar.session_minutes(date_of(day))};
}

}  // namespace sentio

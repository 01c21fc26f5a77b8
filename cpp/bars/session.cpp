#include "bars/session.hpp"

#include <array>
#include <stdexcept>

#include "bars/nyse.hpp"
#include "bars/suggest.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

using namespace std::chrono;

constexpr int kDayMinutes = 24 * 60;

int around_the_clock(sys_days /*date*/) { return kDayMinutes; }

seconds no_offset(sys_seconds /*time*/) { return seconds(0); }

/// The instant of a local time that clocks neither skip nor repeat; of one that they repeat, either.
sys_seconds instant_of(const SessionCalendar& calendar, sys_days date, minutes after_midnight) {
  const sys_seconds local = date + after_midnight;
  return local - calendar.utc_offset(local - calendar.utc_offset(local));
}

sys_days date_of(std::int32_t day) { return sys_days(days(day)); }

bool daily(std::span<const std::int64_t> time_ns) { return median_interval_ns(time_ns) >= kDayNs; }

}  // namespace

std::span<const SessionCalendar> session_calendars() {
  static const std::array<SessionCalendar, 2> calendars{{
      {.name = "us_equity",
       .zone = "America/New_York",
       .utc_offset = new_york_offset,
       .open_minute = 9 * 60 + 30,
       .close_minute = 16 * 60,
       .session_minutes = nyse_minutes},
      {.name = "utc_day",
       .zone = "Etc/UTC",
       .utc_offset = no_offset,
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

SessionClock::SessionClock(const SessionCalendar& calendar) : calendar_(&calendar) {}

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
  const sys_seconds time{seconds(second)};
  const sys_days date = floor<days>(time + calendar_->utc_offset(time));
  const auto second_of = [&](sys_days of, int minute) {
    return instant_of(*calendar_, of, minutes(minute)).time_since_epoch().count();
  };
  begin_ = second_of(date, 0);
  end_ = second_of(date + days(1), 0);
  open_ = second_of(date, calendar_->open_minute);
  day_ = static_cast<std::int32_t>(date.time_since_epoch().count());
  length_ = calendar_->session_minutes(date);
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
  const sys_days date = date_of(day);
  const sys_seconds open = instant_of(calendar, date, minutes(calendar.open_minute));
  return {open.time_since_epoch().count() * kSecondNs, calendar.session_minutes(date)};
}

}  // namespace sentio

#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bars/bars.hpp"

namespace sentio {

/// A trading calendar: the time zone that decides which day a bar belongs to, and the regular hours in it.
struct SessionCalendar {
  std::string name;                                              ///< "us_equity"
  std::string zone;                                              ///< "America/New_York"
  std::chrono::seconds (*utc_offset)(std::chrono::sys_seconds);  ///< local time less UTC
  int open_minute;                                               ///< minutes after local midnight; 570 is 09:30
  int close_minute;                                              ///< of a full day, exclusive; 960 is 16:00
  int (*session_minutes)(std::chrono::sys_days);  ///< length of a local date's session; 0 where it has none
};

/// All calendars: us_equity (09:30-16:00 New York, with its holidays and half days) and utc_day (around the clock).
[[nodiscard]] std::span<const SessionCalendar> session_calendars();

/// @throws std::invalid_argument naming the known calendars.
[[nodiscard]] const SessionCalendar& session_calendar(std::string_view name);

/// Where an instant lies in the session of its local date.
struct SessionTime {
  std::int32_t day;  ///< days since 1970 of the local date
  int length;        ///< minutes of regular hours on that date; 0 where there are none
  double minute;     ///< since the date's opening time; negative before it

  [[nodiscard]] bool regular() const { return minute >= 0.0 && minute < length; }
};

/// Finds the session of instants, asking the calendar once a date.
class SessionClock {
 public:
  explicit SessionClock(const SessionCalendar& calendar);

  [[nodiscard]] SessionTime at(std::int64_t time_ns);

 private:
  void turn_to(std::int64_t second);

  const SessionCalendar* calendar_;
  // The date at hand, [begin_, end_), in seconds since 1970: nanoseconds at its edges could overflow.
  std::int64_t begin_ = 0, end_ = 0, open_ = 0;
  std::int32_t day_ = 0;
  int length_ = 0;
};

/// The session that each bar belongs to, as days since 1970 of its local date, shape [n]. Bars a day or more apart
/// carry a date, not an instant, and keep their UTC date.
[[nodiscard]] std::vector<std::int32_t> session_days(std::span<const std::int64_t> time_ns,
                                                     const SessionCalendar& calendar);

/// Whether each bar opens within regular hours, shape [n]; true throughout for bars a day or more apart.
[[nodiscard]] std::vector<std::uint8_t> in_regular_hours(std::span<const std::int64_t> time_ns,
                                                         const SessionCalendar& calendar);

/// When the session of a local date, days since 1970, opens, and how many minutes it lasts; 0 where there is none.
struct SessionHours {
  std::int64_t open_ns;
  int minutes;
};
[[nodiscard]] SessionHours session_hours(std::int32_t day, const SessionCalendar& calendar);

}  // namespace sentio

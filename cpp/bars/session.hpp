#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bars/bars.hpp"

namespace sentio {

/// A trading calendar: the time zone that decides which day a bar belongs to, and the regular hours in it.
struct SessionCalendar {
  std::string name;  ///< "us_equity"
  std::string zone;  ///< "America/New_York"
  int open_minute;   ///< minutes after local midnight; 570 is 09:30
  int close_minute;  ///< exclusive; 960 is 16:00
};

/// All calendars: us_equity (09:30-16:00 New York) and utc_day (around the clock).
[[nodiscard]] std::span<const SessionCalendar> session_calendars();

/// @throws std::invalid_argument naming the known calendars.
[[nodiscard]] const SessionCalendar& session_calendar(std::string_view name);

/// The session that each bar belongs to, as days since 1970 of its local date, shape [n]. Bars a day or more apart
/// carry a date, not an instant, and keep their UTC date.
[[nodiscard]] std::vector<std::int32_t> session_days(std::span<const std::int64_t> time_ns,
                                                     const SessionCalendar& calendar);

/// Whether each bar opens within regular hours, shape [n]; true throughout for bars a day or more apart.
[[nodiscard]] std::vector<std::uint8_t> in_regular_hours(std::span<const std::int64_t> time_ns,
                                                         const SessionCalendar& calendar);

}  // namespace sentio

#include "bars/session.hpp"

#include <date/tz.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>

#include "bars/suggest.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

/// Local time from UTC, asking the time-zone data base only when the offset may have changed.
class LocalClock {
 public:
  explicit LocalClock(const std::string& zone) : zone_(date::locate_zone(zone)) {}

  std::int64_t local_ns(std::int64_t time_ns) {
    if (time_ns < valid_from_ns_ || time_ns >= valid_until_ns_) look_up(time_ns);
    return time_ns + offset_ns_;
  }

 private:
  void look_up(std::int64_t time_ns) {
    using namespace std::chrono;
    const date::sys_info info = zone_->get_info(date::sys_seconds(floor<seconds>(nanoseconds(time_ns))));
    // Whole days on both sides of the answer stay inside int64 nanoseconds; the data base speaks of all time.
    const auto clamp = [time_ns](date::sys_seconds edge) {
      const std::int64_t year_s = std::int64_t{366} * 86'400, now_s = time_ns / kSecondNs,
                         edge_s = edge.time_since_epoch().count();
      return std::min(std::max(edge_s, now_s - year_s), now_s + year_s) * kSecondNs;
    };
    valid_from_ns_ = clamp(info.begin);
    valid_until_ns_ = clamp(info.end);
    offset_ns_ = nanoseconds(info.offset).count();
  }

  const date::time_zone* zone_;
  std::int64_t valid_from_ns_ = 0, valid_until_ns_ = 0, offset_ns_ = 0;
};

std::int64_t floor_day(std::int64_t local_ns) { return local_ns / kDayNs - (local_ns % kDayNs < 0 ? 1 : 0); }

bool daily(std::span<const std::int64_t> time_ns) { return median_interval_ns(time_ns) >= kDayNs; }

}  // namespace

std::span<const SessionCalendar> session_calendars() {
  static const std::array<SessionCalendar, 2> calendars{{
      {.name = "us_equity", .zone = "America/New_York", .open_minute = 9 * 60 + 30, .close_minute = 16 * 60},
      {.name = "utc_day", .zone = "Etc/UTC", .open_minute = 0, .close_minute = 24 * 60},
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

std::vector<std::int32_t> session_days(std::span<const std::int64_t> time_ns, const SessionCalendar& calendar) {
  LocalClock clock(daily(time_ns) ? "Etc/UTC" : calendar.zone);
  std::vector<std::int32_t> days;
  days.reserve(time_ns.size());
  for (const std::int64_t t : time_ns) days.push_back(static_cast<std::int32_t>(floor_day(clock.local_ns(t))));
  return days;
}

std::vector<std::uint8_t> in_regular_hours(std::span<const std::int64_t> time_ns, const SessionCalendar& calendar) {
  if (daily(time_ns)) return std::vector<std::uint8_t>(time_ns.size(), 1);
  LocalClock clock(calendar.zone);
  std::vector<std::uint8_t> inside;
  inside.reserve(time_ns.size());
  for (const std::int64_t t : time_ns) {
    const std::int64_t local = clock.local_ns(t);
    const std::int64_t minute = (local - floor_day(local) * kDayNs) / kMinuteNs;
    inside.push_back(minute >= calendar.open_minute && minute < calendar.close_minute);
  }
  return inside;
}

}  // namespace sentio

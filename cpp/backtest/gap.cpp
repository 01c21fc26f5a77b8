#include "backtest/gap.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

#include "bars/time.hpp"

namespace sentio {
namespace {

constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLastNs = kLargest - 2 * kDayNs, kFirstNs = -kLastNs;

/// Two times of int64 can be further apart than int64 reaches.
std::int64_t distance(std::int64_t from_ns, std::int64_t to_ns) {
  const auto between = static_cast<std::uint64_t>(to_ns) - static_cast<std::uint64_t>(from_ns);
  return static_cast<std::int64_t>(std::min(between, static_cast<std::uint64_t>(kLargest)));
}

std::int64_t day_of(std::int64_t time_ns) { return time_ns / kDayNs - (time_ns % kDayNs < 0 ? 1 : 0); }

}  // namespace

GapFinder::GapFinder(const SessionCalendar& calendar, std::int64_t interval_ns)
    : calendar_(&calendar), clock_(calendar), given_ns_(interval_ns) {}

std::int64_t GapFinder::interval_ns() const {
  if (given_ns_ > 0) return given_ns_;
  if (seen_ < kEnough) return 0;
  auto sorted = distances_;
  const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(std::min(seen_, kDistances));
  const auto middle = sorted.begin() + (end - sorted.begin()) / 2;
  std::nth_element(sorted.begin(), middle, end);
  return *middle;
}

std::int64_t GapFinder::next(std::int64_t last_ns, std::int64_t time_ns) {
  const std::int64_t interval = interval_ns(), apart = distance(last_ns, time_ns);
  if (given_ns_ == 0) distances_[seen_++ % kDistances] = apart;
  return interval == 0 || apart <= interval ? 0 : missing(last_ns, time_ns, interval);
}

std::int64_t GapFinder::missing(std::int64_t last_ns, std::int64_t time_ns, std::int64_t interval_ns) {
  if (interval_ns == kDayNs) return missing_days(last_ns, time_ns);
  const std::int64_t apart = distance(last_ns, time_ns);
  if (interval_ns > kDayNs)  // weeks and months, as they come
    return apart / interval_ns + (apart % interval_ns > interval_ns / 2 ? 1 : 0) - 1;
  if (last_ns < kFirstNs || time_ns > kLastNs) return 0;  // where the hours of a date may not fit an int64

  const std::int32_t first = clock_.at(last_ns).day, last = clock_.at(time_ns).day;
  std::int64_t count = 0;
  for (std::int32_t day = first; day <= last; ++day) {
    const SessionHours hours = session_hours(day, *calendar_);
    const std::int64_t open = hours.open_ns, close = open + hours.minutes * kMinuteNs;
    const std::int64_t until = std::min(close, time_ns);
    if (day == first && last_ns >= open) {  // bars go on from the last one
      if (until > last_ns) count += (until - last_ns + interval_ns - 1) / interval_ns - 1;
    } else if (until > open) {  // where in its first interval a session's bars begin is the feed's choice
      count += (until - open) / interval_ns;
    }
  }
  return count;
}

std::int64_t GapFinder::missing_days(std::int64_t last_ns, std::int64_t time_ns) const {
  std::int64_t count = 0;
  for (std::int64_t day = day_of(last_ns) + 1; day < day_of(time_ns); ++day)
    count += calendar_->session_minutes(std::chrono::sys_days(std::chrono::days(day))) > 0 ? 1 : 0;
  return count;
}

void GapFinder::save(StateWriter& to) const {
  for (const std::int64_t distance_ns : distances_) to.number(distance_ns);
  to.number(static_cast<std::int64_t>(seen_));
}

void GapFinder::load(StateReader& from) {
  for (std::int64_t& distance_ns : distances_) distance_ns = from.whole(0, kLargest, "distance of bars");
  seen_ = static_cast<std::size_t>(from.whole(0, kLargest / 2, "distances seen"));
}

}  // namespace sentio

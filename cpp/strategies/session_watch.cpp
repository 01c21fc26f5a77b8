#include "strategies/session_watch.hpp"

namespace sentio {
namespace {

constexpr std::int64_t kMostDays = 4'000'000;  // beyond what nanoseconds of 64 bits can tell

}  // namespace

SessionWatch::Place SessionWatch::next(const Bar& bar) {
  const SessionTime time = clock_.at(bar.time_ns);
  const bool same_day = seen_ && time.day == day_;
  const double gap = same_day ? time.minute - minute_ : 0.0;
  if (!same_day) {
    known_ = seen_ || time.minute <= 0.0;
    begun_ = false;
  }
  const bool first = time.regular() && !begun_;
  begun_ = begun_ || time.regular();
  seen_ = true;
  day_ = time.day;
  minute_ = time.minute;
  return {.inside = known_ && time.regular(),
          .first = first,
          .minute = time.minute,
          .remaining = time.length - time.minute - 2.0 * gap};
}

void SessionWatch::save(StateWriter& to) const {
  for (const bool flag : {seen_, known_, begun_}) to.number(static_cast<std::int64_t>(flag));
  to.number(static_cast<std::int64_t>(day_));
  to.values(std::span(&minute_, 1));
}

void SessionWatch::load(StateReader& from) {
  for (bool* flag : {&seen_, &known_, &begun_}) *flag = from.whole(0, 1, "mark of the session") != 0;
  day_ = static_cast<std::int32_t>(from.whole(-kMostDays, kMostDays, "day of the session"));
  from.values(std::span(&minute_, 1));
}

StrategyParam session_param() {
  StrategyParam param{.name = "session",
                      .kind = StrategyParam::Kind::choice,
                      .fallback = 0,
                      .min = 0,
                      .max = static_cast<double>(session_calendars().size() - 1),
                      .meaning = "calendar of its sessions",
                      .choices = {}};
  for (const SessionCalendar& calendar : session_calendars()) param.choices.push_back(calendar.name);
  return param;
}

StrategyParam flat_before_param() {
  return {.name = "flat_before",
          .kind = StrategyParam::Kind::real,
          .fallback = 5,
          .min = 1,
          .max = 1440,
          .meaning = "minutes before the close by which it is flat",
          .choices = {}};
}

}  // namespace sentio

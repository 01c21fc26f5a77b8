#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "bars/session.hpp"
#include "bars/state.hpp"

namespace sentio {

/// Tells how many bars are missing between two that follow each other: those that the usual interval and the regular
/// hours of the calendar would have between them. A night is no gap, nor is a holiday.
class GapFinder {
 public:
  /// @param calendar one of session_calendars()
  /// @param interval_ns the usual distance of bars; 0 to take the median of the last distances
  GapFinder(const SessionCalendar& calendar, std::int64_t interval_ns);

  /// Bars missing between one at `last_ns` and the next at `time_ns`, later.
  [[nodiscard]] std::int64_t next(std::int64_t last_ns, std::int64_t time_ns);

  /// The usual interval; 0 while it is not known.
  [[nodiscard]] std::int64_t interval_ns() const;

  void save(StateWriter& to) const;
  void load(StateReader& from);

 private:
  [[nodiscard]] std::int64_t missing(std::int64_t last_ns, std::int64_t time_ns, std::int64_t interval_ns);
  [[nodiscard]] std::int64_t missing_days(std::int64_t last_ns, std::int64_t time_ns) const;

  static constexpr std::size_t kDistances = 9, kEnough = 3;

  const SessionCalendar* calendar_;
  SessionClock clock_;
  std::int64_t given_ns_;
  std::array<std::int64_t, kDistances> distances_{};  ///< the last ones, in a ring
  std::size_t seen_ = 0;                              ///< of them, in all
};

}  // namespace sentio

#pragma once

#include <cstdint>

#include "bars/bar.hpp"
#include "bars/session.hpp"
#include "bars/state.hpp"
#include "strategies/registry.hpp"

namespace sentio {

/// Tells a rule where each bar lies in its session. A session that began before the first bar does not count, so that
/// decisions do not depend on where the bars begin.
class SessionWatch {
 public:
  explicit SessionWatch(const SessionCalendar& calendar) : clock_(calendar) {}

  struct Place {
    bool inside;       ///< in regular hours of a session that was seen from its beginning
    bool first;        ///< the session's first bar in regular hours
    double minute;     ///< since the session's open, at the bar's open
    double remaining;  ///< minutes from the fill of the next bar's decision to the session's end
  };
  [[nodiscard]] Place next(const Bar& bar);

  void save(StateWriter& to) const;
  void load(StateReader& from);

 private:
  SessionClock clock_;
  bool seen_ = false;   ///< any bar
  bool known_ = false;  ///< the date at hand was seen from its session's open
  bool begun_ = false;  ///< a bar in its regular hours was seen
  std::int32_t day_ = 0;
  double minute_ = 0.0;
};

/// The param that names a rule's session calendar: a row of session_calendars().
[[nodiscard]] StrategyParam session_param();

/// The param that says how early before the close a rule is flat.
[[nodiscard]] StrategyParam flat_before_param();

}  // namespace sentio

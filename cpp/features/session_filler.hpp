#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bars/session.hpp"
#include "features/graph.hpp"

namespace sentio {

/// Fills a graph's session columns from the bars' times. What it remembers is a cache: it changes no value.
class SessionFiller {
 public:
  explicit SessionFiller(const Graph& graph) {
    for (const SessionColumn& wanted : graph.session_columns()) columns_of(*wanted.calendar).push_back(wanted);
  }

  /// @param values where a column keeps the first of these bars.
  void fill(std::span<const std::int64_t> time_ns, auto&& values) {
    for (Clock& one : clocks_)
      for (std::size_t t = 0; t < time_ns.size(); ++t) {
        const SessionTime now = one.clock.at(time_ns[t]);
        for (const SessionColumn& wanted : one.columns) values(wanted.column)[t] = value_of(now, wanted.value);
      }
  }

 private:
  struct Clock {
    const SessionCalendar* calendar;
    SessionClock clock;
    std::vector<SessionColumn> columns;
  };

  static double value_of(const SessionTime& time, SessionValue value) {
    switch (value) {
      case SessionValue::minute: return time.minute;
      case SessionValue::length: return time.length;
      case SessionValue::day: break;
    }
    return time.day;
  }

  std::vector<SessionColumn>& columns_of(const SessionCalendar& calendar) {
    for (Clock& one : clocks_)
      if (one.calendar == &calendar) return one.columns;
    return clocks_.emplace_back(Clock{&calendar, SessionClock(calendar), {}}).columns;
  }

  std::vector<Clock> clocks_;  ///< one a calendar
};

}  // namespace sentio

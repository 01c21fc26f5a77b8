#pragma once

#include <chrono>

namespace sentio {

/// Minutes that the New York Stock Exchange trades on a date: 390, 210 where it closes at 13:00, 0 where it does not
/// open. By rule, since 1993; before, each weekday counts as a full one. Closures for events (storms, mourning) are not
/// known.
[[nodiscard]] int nyse_minutes(std::chrono::sys_days date);

/// What New York's clocks show less what UTC's show: -5 h, in summer -4 h. By the law since 1967; before, as in 1967.
/// Not from the system's zone files, which come in several shapes: some list changes up to 2037, some end with a rule
/// in 2007.
[[nodiscard]] std::chrono::seconds new_york_offset(std::chrono::sys_seconds time);

}  // namespace sentio

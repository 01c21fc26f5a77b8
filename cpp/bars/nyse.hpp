#pragma once

#include <chrono>

namespace sentio {

/// Minutes that the New York Stock Exchange trades on a date: 390, 210 where it closes at 13:00, 0 where it does not
/// open. By rule, since 1993; before, each weekday counts as a full one. Closures for events (storms, mourning) are not
/// known.
[[nodiscard]] int nyse_minutes(std::chrono::sys_days date);

}  // namespace sentio

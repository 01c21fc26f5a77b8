#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sentio {

inline constexpr std::int64_t kSecondNs = 1'000'000'000, kMinuteNs = 60 * kSecondNs, kDayNs = 86'400 * kSecondNs;

/// Parses ISO-8601 `YYYY-MM-DD[(T| )HH:MM[:SS[.fraction]]][Z|±HH[:]MM]`; no zone means UTC. Nothing on other text.
[[nodiscard]] std::optional<std::int64_t> parse_iso_time(std::string_view text);

/// "2024-03-26T13:30:00Z", with as many fraction digits as needed (none, 3, 6 or 9).
[[nodiscard]] std::string format_time(std::int64_t time_ns);

/// Appends what format_time gives: for files of a million times.
void append_time(std::string& to, std::int64_t time_ns);

/// "2024-03-26", the date in UTC.
[[nodiscard]] std::string format_date(std::int64_t time_ns);

}  // namespace sentio

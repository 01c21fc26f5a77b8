#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sentio {

/// One OHLCV bar. `time_ns` is the bar's open time, nanoseconds since 1970 in UTC.
struct Bar {
  std::int64_t time_ns;
  double open, high, low, close, volume;

  bool operator==(const Bar&) const = default;
};

/// Prices and volumes stay within limits that no market reaches, so that no product inside a feature can overflow.
inline constexpr double kMinPrice = 1e-30, kMaxPrice = 1e30, kMaxVolume = 1e30;

/// What can be wrong with a bar; the order is the order in which it is checked.
enum class BarFault {
  bad_open,
  bad_high,
  bad_low,
  bad_close,
  bad_volume,
  low_above_body,
  high_below_body,
  time_not_later
};

/// The first fault of `bar`, if any. `previous_ns` is the time of the bar before it, if there is one.
[[nodiscard]] std::optional<BarFault> fault_of(const Bar& bar, std::optional<std::int64_t> previous_ns);

/// A short name of the kind of fault, for counts: "high below open or close".
[[nodiscard]] const char* kind_name(BarFault fault);

/// What is wrong with `bar` and what was found: "high 1.5 is below max(open, close) 2".
[[nodiscard]] std::string describe(BarFault fault, const Bar& bar, std::optional<std::int64_t> previous_ns);

/// Throws std::invalid_argument if `bar` is not valid.
void require_valid(const Bar& bar, std::optional<std::int64_t> previous_ns);

}  // namespace sentio

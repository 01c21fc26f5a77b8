#include "bars/bar.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "bars/number.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

// Written so that NaN and infinity fail as well.
bool is_price(double x) { return x >= kMinPrice && x <= kMaxPrice; }
bool is_volume(double x) { return x >= 0.0 && x <= kMaxVolume; }

std::string price_complaint(const char* name, double found) {
  const std::string value = std::string(name) + ' ' + format_number(found);
  if (!std::isfinite(found)) return value + " is not finite";
  if (found <= 0.0) return value + " is not above 0";
  return value + " is outside [1e-30, 1e+30]";
}

std::string volume_complaint(double found) {
  const std::string value = "volume " + format_number(found);
  if (!std::isfinite(found)) return value + " is not finite";
  if (found < 0.0) return value + " is below 0";
  return value + " is above 1e+30";
}

}  // namespace

std::optional<BarFault> fault_of(const Bar& bar, std::optional<std::int64_t> previous_ns) {
  if (!is_price(bar.open)) return BarFault::bad_open;
  if (!is_price(bar.high)) return BarFault::bad_high;
  if (!is_price(bar.low)) return BarFault::bad_low;
  if (!is_price(bar.close)) return BarFault::bad_close;
  if (!is_volume(bar.volume)) return BarFault::bad_volume;
  if (bar.low > std::min(bar.open, bar.close)) return BarFault::low_above_body;
  if (bar.high < std::max(bar.open, bar.close)) return BarFault::high_below_body;
  if (previous_ns && bar.time_ns <= *previous_ns) return BarFault::time_not_later;
  return std::nullopt;
}

const char* kind_name(BarFault fault) {
  switch (fault) {
    case BarFault::bad_open: return "open is not a valid price";
    case BarFault::bad_high: return "high is not a valid price";
    case BarFault::bad_low: return "low is not a valid price";
    case BarFault::bad_close: return "close is not a valid price";
    case BarFault::bad_volume: return "volume is not valid";
    case BarFault::low_above_body: return "low above open or close";
    case BarFault::high_below_body: return "high below open or close";
    case BarFault::time_not_later: return "ts not after the bar before";
  }
  return "unknown";
}

std::string describe(BarFault fault, const Bar& bar, std::optional<std::int64_t> previous_ns) {
  switch (fault) {
    case BarFault::bad_open: return price_complaint("open", bar.open);
    case BarFault::bad_high: return price_complaint("high", bar.high);
    case BarFault::bad_low: return price_complaint("low", bar.low);
    case BarFault::bad_close: return price_complaint("close", bar.close);
    case BarFault::bad_volume: return volume_complaint(bar.volume);
    case BarFault::low_above_body:
      return "low " + format_number(bar.low) + " is above min(open, close) " +
             format_number(std::min(bar.open, bar.close));
    case BarFault::high_below_body:
      return "high " + format_number(bar.high) + " is below max(open, close) " +
             format_number(std::max(bar.open, bar.close));
    case BarFault::time_not_later:
      return "ts " + format_time(bar.time_ns) + " is not after the bar before, " + format_time(previous_ns.value_or(0));
  }
  return "unknown fault";
}

void require_valid(const Bar& bar, std::optional<std::int64_t> previous_ns) {
  if (const auto fault = fault_of(bar, previous_ns)) throw std::invalid_argument(describe(*fault, bar, previous_ns));
}

}  // namespace sentio

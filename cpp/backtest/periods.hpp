#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backtest/measures.hpp"
#include "backtest/sample.hpp"
#include "bars/session.hpp"

namespace sentio {

enum class PeriodUnit { day, week, month, quarter };

/// "day", "week", "month", "quarter".
[[nodiscard]] std::string_view name_of(PeriodUnit unit);

/// "2025-03-27", "2025-W13" (ISO 8601), "2025-03", "2025-Q1".
[[nodiscard]] std::string period_label(std::int32_t session, PeriodUnit unit);

struct Period {
  std::string label;
  BarRange range;
  std::string partial;  ///< "4 whole sessions of 20", "353 of 390 minutes" where the bars cover it in part; else empty
};

/// The last `count` periods that have bars, oldest first, by the calendar dates of the sessions; a day is a session.
///
/// @param sessions days since 1970 of each bar's session, shape [n], not decreasing
/// @throws std::invalid_argument if count is below 1 or there are fewer periods
[[nodiscard]] std::vector<Period> last_periods(std::span<const std::int32_t> sessions, PeriodUnit unit,
                                               std::int64_t count);

/// Marks the periods that the bars cover only in part.
///
/// Weeks, months and quarters: those with fewer whole sessions than the calendar has, but for up to four without any
/// bar between the first and the last of the file: exchanges close for events. Weekdays on which a file of four weeks
/// has no bar at all are the market's days off. The first and last session of the file are whole if the bars cover 95 %
/// of their regular hours. Days: the first and last of the file if they do not. Bars of more than a day mark nothing.
///
/// @param time_ns, sessions of all bars, shape [n]
void mark_partial(std::vector<Period>& periods, std::span<const std::int64_t> time_ns,
                  std::span<const std::int32_t> sessions, PeriodUnit unit, const SessionCalendar& calendar);

/// One row of the temporal performance analysis.
struct PeriodRow {
  Period period;
  Sample sample;      ///< the one of its bars that proves least
  double seen_share;  ///< of its bars: train and validation
  Measures measures;
  std::optional<double> buy_and_hold_return;
};

/// A figure over the periods where it is defined.
struct Spread {
  std::size_t count = 0;
  std::optional<double> mean, sample_std, worst, best;
};

[[nodiscard]] Spread spread_of(std::span<const std::optional<double>> values);

}  // namespace sentio

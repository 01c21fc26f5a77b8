#include "backtest/periods.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <stdexcept>

#include "bars/time.hpp"

namespace sentio {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

int year_of(sys_days day) { return static_cast<int>(year_month_day(day).year()); }

unsigned month_of(sys_days day) { return static_cast<unsigned>(year_month_day(day).month()); }

template <class... Numbers>
std::string formatted(const char* format, Numbers... numbers) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, numbers...);
  return text.data();
}

/// ISO 8601: a week belongs to the year of its Thursday.
std::string week_label(sys_days day) {
  const std::chrono::weekday weekday(day);
  const sys_days thursday = day - days(weekday.iso_encoding()) + days(4);
  const sys_days new_year(std::chrono::year(year_of(thursday)) / 1 / 1);
  return formatted("%04d-W%02d", year_of(thursday), static_cast<int>((thursday - new_year).count() / 7 + 1));
}

}  // namespace

std::string_view name_of(PeriodUnit unit) {
  constexpr std::array<std::string_view, 4> names{"day", "week", "month", "quarter"};
  return names[static_cast<std::size_t>(unit)];
}

std::string period_label(std::int32_t session, PeriodUnit unit) {
  const sys_days day{days(session)};
  switch (unit) {
    case PeriodUnit::week: return week_label(day);
    case PeriodUnit::month: return formatted("%04d-%02u", year_of(day), month_of(day));
    case PeriodUnit::quarter: return formatted("%04d-Q%u", year_of(day), (month_of(day) + 2) / 3);
    case PeriodUnit::day: break;
  }
  return format_date(session * kDayNs);
}

std::vector<Period> last_periods(std::span<const std::int32_t> sessions, PeriodUnit unit, std::int64_t count) {
  const std::string plural = std::string(name_of(unit)) + "s";
  if (count < 1) throw std::invalid_argument(plural + " must be at least 1, found " + std::to_string(count));
  const auto wanted = static_cast<std::size_t>(count);
  std::vector<Period> periods;
  for (std::size_t end = sessions.size(); end > 0 && periods.size() < wanted;) {
    std::string label = period_label(sessions[end - 1], unit);
    std::size_t begin = end - 1;
    while (begin > 0 && (sessions[begin - 1] == sessions[begin] || period_label(sessions[begin - 1], unit) == label)) {
      --begin;
    }
    periods.push_back({std::move(label), {begin, end}});
    end = begin;
  }
  if (periods.size() < wanted) {
    throw std::invalid_argument(plural + " must be at most " + std::to_string(periods.size()) +
                                ", which is what the bars cover, found " + std::to_string(count));
  }
  std::ranges::reverse(periods);
  return periods;
}

Spread spread_of(std::span<const std::optional<double>> values) {
  std::vector<double> known;
  for (const auto& value : values) {
    if (value) known.push_back(*value);
  }
  if (known.empty()) return {};
  return {known.size(), mean(known), sample_std(known), std::ranges::min(known), std::ranges::max(known)};
}

}  // namespace sentio

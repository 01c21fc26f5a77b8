#include "backtest/periods.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <stdexcept>

#include "backtest/text.hpp"
#include "bars/bars.hpp"
#include "bars/session.hpp"
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

// Exchanges close for events that no rule knows, at most for the four sessions of September 2001.
constexpr std::size_t kEventSessions = 4;
constexpr std::int32_t kTellingDays = 28;  // a shorter file may lack a weekday by holidays alone
constexpr double kWhole = 0.95;            // of a session's hours: thinly traded bars do not reach its very ends

/// How much of each session the bars of a file cover.
class Coverage {
 public:
  Coverage(std::span<const std::int64_t> time_ns, std::span<const std::int32_t> sessions,
           const SessionCalendar& calendar)
      : calendar_(&calendar),
        interval_ns_(median_interval_ns(time_ns)),
        first_ns_(time_ns.front()),
        end_ns_(time_ns.back() + interval_ns_),
        first_session_(sessions.front()),
        last_session_(sessions.back()) {
    if (last_session_ - first_session_ < kTellingDays) traded_.fill(true);
    for (const std::int32_t session : sessions) traded_[weekday_of(session)] = true;
  }

  [[nodiscard]] std::int64_t interval_ns() const { return interval_ns_; }

  /// Minutes of a session that has bars from the first bar of the file to the end of the last.
  [[nodiscard]] double minutes(std::int32_t session) const {
    const SessionHours hours = session_hours(session, *calendar_);
    const std::int64_t close_ns = hours.open_ns + hours.minutes * kMinuteNs;
    const bool daily = interval_ns_ >= kDayNs;  // dates, not instants
    const std::int64_t from = session == first_session_ && !daily ? std::max(hours.open_ns, first_ns_) : hours.open_ns;
    const std::int64_t to = session == last_session_ && !daily ? std::min(close_ns, end_ns_) : close_ns;
    return static_cast<double>(std::max<std::int64_t>(to - from, 0)) / static_cast<double>(kMinuteNs);
  }

  [[nodiscard]] bool within_file(std::int32_t session) const {
    return session > first_session_ && session < last_session_;
  }

  /// Minutes that a session should have; 0 on a weekday on which the file has no bar at all.
  [[nodiscard]] int length(std::int32_t session) const {
    return traded_[weekday_of(session)] ? session_hours(session, *calendar_).minutes : 0;
  }

  [[nodiscard]] bool whole(std::int32_t session) const { return minutes(session) >= kWhole * length(session); }

 private:
  static unsigned weekday_of(std::int32_t session) {
    return std::chrono::weekday(sys_days(days(session))).c_encoding();
  }

  const SessionCalendar* calendar_;
  std::array<bool, 7> traded_{};  ///< by weekday: currencies rest on Saturdays, which no calendar of ours knows
  std::int64_t interval_ns_, first_ns_, end_ns_;
  std::int32_t first_session_, last_session_;
};

std::string partial_day(std::int32_t session, const Coverage& coverage) {
  if (coverage.whole(session)) return "";
  return grouped(coverage.minutes(session), 0) + " of " +
         counted(static_cast<std::size_t>(coverage.length(session)), "minute");
}

std::string partial_stretch(const Period& period, std::span<const std::int32_t> sessions, PeriodUnit unit,
                            const Coverage& coverage) {
  const auto within = sessions.subspan(period.range.begin, period.range.size());
  std::int32_t first = within.front(), last = within.back();
  while (period_label(first - 1, unit) == period.label) --first;
  while (period_label(last + 1, unit) == period.label) ++last;
  std::size_t wanted = 0, whole = 0, closed = 0;
  for (std::int32_t day = first; day <= last; ++day) {
    if (coverage.length(day) == 0) continue;
    ++wanted;
    if (std::ranges::binary_search(within, day)) {
      whole += coverage.whole(day) ? 1 : 0;
    } else if (coverage.within_file(day)) {
      ++closed;
    }
  }
  if (closed <= kEventSessions) wanted -= closed;
  return whole == wanted ? "" : counted(whole, "whole session") + " of " + grouped(wanted);
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
    periods.push_back({std::move(label), {begin, end}, ""});
    end = begin;
  }
  if (periods.size() < wanted) {
    throw std::invalid_argument(plural + " must be at most " + std::to_string(periods.size()) +
                                ", which is what the bars cover, found " + std::to_string(count));
  }
  std::ranges::reverse(periods);
  return periods;
}

void mark_partial(std::vector<Period>& periods, std::span<const std::int64_t> time_ns,
                  std::span<const std::int32_t> sessions, PeriodUnit unit, const SessionCalendar& calendar) {
  const Coverage coverage(time_ns, sessions, calendar);
  if (coverage.interval_ns() > kDayNs) return;
  for (Period& period : periods) {
    period.partial = unit == PeriodUnit::day ? partial_day(sessions[period.range.begin], coverage)
                                             : partial_stretch(period, sessions, unit, coverage);
  }
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

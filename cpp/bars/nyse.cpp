#include "bars/nyse.hpp"

#include <algorithm>
#include <array>

namespace sentio {
namespace {

using namespace std::chrono;

constexpr int kFullDay = 390, kHalfDay = 210;
constexpr year kFirstRuledYear{1993};

/// Easter Sunday: the anonymous Gregorian computus (Meeus, Astronomical Algorithms, 1991).
sys_days easter(year of) {
  const int y = static_cast<int>(of), a = y % 19, b = y / 100, c = y % 100, d = b / 4, e = b % 4;
  const int g = (b - (b + 8) / 25 + 1) / 3, h = (19 * a + b - d - g + 15) % 30;
  const int l = (32 + 2 * e + 2 * (c / 4) - h - c % 4) % 7, m = (a + 11 * h + 22 * l) / 451;
  const int n = h + l - 7 * m + 114;
  return of / month(static_cast<unsigned>(n / 31)) / day(static_cast<unsigned>(n % 31 + 1));
}

/// A holiday on a Saturday is observed on the Friday before, one on a Sunday on the Monday after.
sys_days observed(year_month_day holiday) {
  const sys_days date = holiday;
  return weekday(date) == Saturday ? date - days(1) : weekday(date) == Sunday ? date + days(1) : date;
}

bool is_closed(sys_days date, year y) {
  const weekday on(date);
  if (on == Saturday || on == Sunday) return true;
  if (y < kFirstRuledYear) return false;
  const std::array<sys_days, 8> every_year = {
      observed(y / January / 1),  // on a Saturday: the Friday before lies in another year and stays open
      y / February / Monday[3],  easter(y) - days(2),        y / May / Monday[last],     observed(y / July / 4),
      y / September / Monday[1], y / November / Thursday[4], observed(y / December / 25)};
  if (std::ranges::find(every_year, date) != every_year.end()) return true;
  if (y >= year(1998) && date == sys_days(y / January / Monday[3])) return true;  // Martin Luther King
  return y >= year(2022) && date == observed(y / June / 19);                      // Juneteenth
}

/// For dates that are not closed.
bool is_half(sys_days date, year y) {
  if (y < kFirstRuledYear) return false;
  if (date == sys_days(y / November / Thursday[4]) + days(1)) return true;
  if (date == sys_days(y / December / 24)) return true;
  // Beside Independence Day: the day before, but until 2012 the Friday after a Thursday.
  const bool friday_after = weekday(y / July / 4) == Thursday && y < year(2013);
  if (date == sys_days(y / July / (friday_after ? 5 : 3))) return true;
  constexpr std::array<sys_days, 3> once = {sys_days(year(1997) / December / 26), sys_days(year(1999) / December / 31),
                                            sys_days(year(2003) / December / 26)};
  return std::ranges::find(once, date) != once.end();
}

/// The days on which clocks are put forward and back, at 2:00 of the time until then.
struct Summer {
  sys_days begin, end;
};

/// Uniform Time Act of 1966 and its amendments of 1973, 1974, 1986 and 2005.
Summer summer_of(year y) {
  if (y >= year(2007)) return {y / March / Sunday[2], y / November / Sunday[1]};
  if (y >= year(1987)) return {y / April / Sunday[1], y / October / Sunday[last]};
  if (y == year(1975)) return {y / February / Sunday[last], y / October / Sunday[last]};
  if (y == year(1974)) return {y / January / Sunday[1], y / October / Sunday[last]};
  return {y / April / Sunday[last], y / October / Sunday[last]};
}

}  // namespace

int nyse_minutes(std::chrono::sys_days date) {
  const year y = year_month_day(date).year();
  return is_closed(date, y) ? 0 : is_half(date, y) ? kHalfDay : kFullDay;
}

seconds new_york_offset(sys_seconds time) {
  constexpr hours kWinter(-5), kSummer(-4), kChange(2);
  const Summer summer = summer_of(year_month_day(floor<days>(time)).year());  // it never spans New Year
  return time >= summer.begin + kChange - kWinter && time < summer.end + kChange - kSummer ? kSummer : kWinter;
}

}  // namespace sentio

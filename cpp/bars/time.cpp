#include "bars/time.hpp"

#include <array>
#include <chrono>
#include <utility>

namespace sentio {
namespace {

/// Reads fixed-width fields off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }

  [[nodiscard]] bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  [[nodiscard]] std::optional<int> number(std::size_t width) {
    if (rest_.size() < width) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, width)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(width);
    return value;
  }

  /// Up to nine digits after a decimal point, in nanoseconds.
  [[nodiscard]] std::optional<int> nanoseconds() {
    int value = 0, width = 0;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      if (++width > 9) return std::nullopt;
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    if (width == 0) return std::nullopt;
    for (; width < 9; ++width) value *= 10;
    return value;
  }

 private:
  std::string_view rest_;
};

/// `Z`, `+HH:MM`, `+HHMM`, `+HH`, or nothing at all for UTC.
std::optional<int> parse_offset_minutes(Scanner& text) {
  if (text.done()) return 0;
  if (text.take('Z') || text.take('z')) return 0;
  const int sign = text.take('+') ? 1 : text.take('-') ? -1 : 0;
  if (sign == 0) return std::nullopt;
  const auto hours = text.number(2);
  if (!hours || *hours > 23) return std::nullopt;
  if (text.done()) return sign * *hours * 60;
  if (text.take(':') && text.done()) return std::nullopt;
  const auto minutes = text.number(2);
  if (!minutes || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes);
}

// The years that int64 nanoseconds can hold.
constexpr int kFirstYear = 1678, kLastYear = 2261;

constexpr std::size_t kDateWidth = 10;

/// Writes `value` with leading zeros and returns the place behind it.
char* put_digits(char* to, unsigned value, unsigned width) {
  for (char* place = to + width; place != to; value /= 10) *--place = static_cast<char>('0' + value % 10);
  return to + width;
}

/// "2024-03-26": kDateWidth characters.
char* put_date(char* to, std::int64_t time_ns) {
  using namespace std::chrono;
  const year_month_day date{floor<days>(sys_time<nanoseconds>(nanoseconds(time_ns)))};
  to = put_digits(to, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  *to++ = '-';
  to = put_digits(to, static_cast<unsigned>(date.month()), 2);
  *to++ = '-';
  return put_digits(to, static_cast<unsigned>(date.day()), 2);
}

}  // namespace

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
  Scanner scan(text);
  const auto year = scan.number(4);
  if (!year || *year < kFirstYear || *year > kLastYear || !scan.take('-')) return std::nullopt;
  const auto month = scan.number(2);
  if (!month || !scan.take('-')) return std::nullopt;
  const auto day = scan.number(2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const std::int64_t midnight = std::chrono::sys_days(date).time_since_epoch().count() * kDayNs;
  if (scan.done()) return midnight;

  if (!scan.take('T') && !scan.take(' ') && !scan.take('t')) return std::nullopt;
  const auto hour = scan.number(2);
  if (!hour || *hour > 23 || !scan.take(':')) return std::nullopt;
  const auto minute = scan.number(2);
  if (!minute || *minute > 59) return std::nullopt;
  int second = 0, fraction = 0;
  if (scan.take(':')) {
    const auto seconds = scan.number(2);
    if (!seconds || *seconds > 59) return std::nullopt;
    second = *seconds;
    if (scan.take('.')) {
      const auto nanoseconds = scan.nanoseconds();
      if (!nanoseconds) return std::nullopt;
      fraction = *nanoseconds;
    }
  }
  const auto offset = parse_offset_minutes(scan);
  if (!offset || !scan.done()) return std::nullopt;
  const std::int64_t minutes = *hour * 60 + *minute - *offset;
  return midnight + minutes * kMinuteNs + second * kSecondNs + fraction;
}

std::string format_date(std::int64_t time_ns) {
  std::array<char, kDateWidth> text;
  put_date(text.data(), time_ns);
  return {text.data(), text.size()};
}

std::string format_time(std::int64_t time_ns) {
  std::string text;
  append_time(text, time_ns);
  return text;
}

void append_time(std::string& to, std::int64_t time_ns) {
  const std::int64_t in_day = ((time_ns % kDayNs) + kDayNs) % kDayNs;
  const auto second = static_cast<unsigned>(in_day / kSecondNs);
  const auto fraction = static_cast<unsigned>(in_day % kSecondNs);
  std::array<char, sizeof("YYYY-MM-DDTHH:MM:SS.123456789Z")> text;
  char* end = put_date(text.data(), time_ns);
  const std::array<std::pair<char, unsigned>, 3> clock{
      {{'T', second / 3600}, {':', second / 60 % 60}, {':', second % 60}}};
  for (const auto& [mark, value] : clock) {
    *end++ = mark;
    end = put_digits(end, value, 2);
  }
  if (fraction != 0) {
    const unsigned width = fraction % 1'000'000 == 0 ? 3 : fraction % 1'000 == 0 ? 6 : 9;
    *end++ = '.';
    end = put_digits(end, width == 3 ? fraction / 1'000'000 : width == 6 ? fraction / 1'000 : fraction, width);
  }
  *end++ = 'Z';
  to.append(text.data(), end);
}

}  // namespace sentio

#include "backtest/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace sentio {
namespace {

std::string fixed(double value, int digits) {
  // The largest double has 309 digits before the point.
  std::array<char, 400> buffer{};
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, digits);
  std::string text(buffer.data(), end);
  const bool negative_zero = text.starts_with('-') && text.find_first_of("123456789") == std::string::npos;
  return negative_zero ? text.substr(1) : text;
}

std::string with_commas(std::string text) {
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  const std::size_t point = std::min(text.find_first_of(".%"), text.size());
  for (std::size_t i = point; i > first + 3; i -= 3) text.insert(i - 3, 1, ',');
  return text;
}

}  // namespace

std::string grouped(std::optional<double> value, int digits) {
  return value && std::isfinite(*value) ? with_commas(fixed(*value, digits)) : "-";
}

std::string grouped(std::size_t count) { return with_commas(std::to_string(count)); }

std::string percent(std::optional<double> fraction, int digits) {
  return fraction && std::isfinite(*fraction) ? with_commas(fixed(100.0 * *fraction, digits)) + "%" : "-";
}

std::string counted(std::size_t count, std::string_view noun) {
  return grouped(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

}  // namespace sentio

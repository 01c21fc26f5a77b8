#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sentio {

/// Parses a whole decimal number, correctly rounded; nothing if any character is left over. Takes no white space.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);

/// The shortest text that reads back as the same number.
[[nodiscard]] std::string format_number(double value);
[[nodiscard]] std::string format_number(float value);

/// Appends what format_number gives: for files of a million numbers.
void append_number(std::string& to, double value);

inline constexpr std::array<double, 23> kPowersOfTen = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/// Reads `digits[.digits]` at `p` and moves `p` behind it. Only takes numbers whose digits fit 53 bits: such a
/// number is one exact division, so the result is correctly rounded (Clinger 1990). Returns false, with `p`
/// anywhere, on everything else: ask parse_number then. The text must end in a character that is no digit and no dot.
[[nodiscard]] inline bool parse_plain_number(const char*& p, double& value) {
  const char* const begin = p;
  std::uint64_t digits = 0;
  const auto digit = [&] { return static_cast<std::uint64_t>(static_cast<unsigned char>(*p)) - '0'; };
  for (; digit() < 10; ++p) digits = digits * 10 + digit();
  const std::ptrdiff_t whole = p - begin;
  std::ptrdiff_t fraction = 0;
  if (*p == '.') {
    const char* const point = ++p;
    for (; digit() < 10; ++p) digits = digits * 10 + digit();
    fraction = p - point;
  }
  const std::ptrdiff_t count = whole + fraction;
  if (whole == 0 || count > 18 || digits > (std::uint64_t{1} << 53)) return false;
  value = static_cast<double>(digits) / kPowersOfTen[static_cast<std::size_t>(fraction)];
  return true;
}

}  // namespace sentio

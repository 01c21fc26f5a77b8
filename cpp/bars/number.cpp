#include "bars/number.hpp"

namespace sentio {
namespace {

template <class Float>
std::string shortest(Float value) {
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

}  // namespace

std::optional<double> parse_number(std::string_view text) {
  if (text.starts_with("+-")) return std::nullopt;  // from_chars takes no plus, but would take the minus behind it
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::nullopt;
  return value;
}

std::string format_number(double value) { return shortest(value); }
std::string format_number(float value) { return shortest(value); }

void append_number(std::string& to, double value) {
  std::array<char, 32> text;
  to.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

}  // namespace sentio

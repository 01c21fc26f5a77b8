#include "bars/error.hpp"

#include <algorithm>
#include <string_view>

namespace sentio {
namespace {

constexpr std::size_t kLongest = 8'192;  ///< bytes of a message: a path has up to 4,096

/// Bytes of the UTF-8 character (RFC 3629, section 4) that `text` begins with; 0 if it does not begin with one.
std::size_t character_at(std::string_view text) {
  const auto byte = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  // Neither longer than needed, nor a surrogate, nor beyond the last code point.
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  return length;
}

/// C0, DEL, or C1, which terminals obey as well: U+009B begins a command as "ESC [" does.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character.front());
  return first < 0x20 || first == 0x7F || (first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const std::size_t length = character_at(text);
    line += length == 0 || is_control(text.substr(0, length)) ? std::string_view("?") : text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return line;
}

InputError::InputError(const std::string& message)
    : std::runtime_error(printable(message.size() > kLongest ? message.substr(0, kLongest) + "..." : message)) {}

}  // namespace sentio

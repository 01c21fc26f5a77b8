#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace sentio {

/// Text of any origin as one line for people: a control character and a byte that is not part of UTF-8 text are shown
/// as '?', so that a file cannot steer the terminal.
[[nodiscard]] std::string printable(std::string_view text);

/// The input is wrong: bars, a feature spec, a cost file. The message is one line, "where: what is wrong, what was
/// found".
class InputError : public std::runtime_error {
 public:
  /// What was found may be anything: the message is made printable, and cut where it is very long.
  explicit InputError(const std::string& message);
};

}  // namespace sentio

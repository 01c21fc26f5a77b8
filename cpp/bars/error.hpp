#pragma once

#include <stdexcept>
#include <string>

namespace sentio {

/// The input is wrong: bars, a feature spec, a cost file. The message is one line, "where: what is wrong, what was
/// found".
class InputError : public std::runtime_error {
 public:
  /// What was found may be anything: a control character and a byte that is not part of UTF-8 text are shown as '?'.
  explicit InputError(const std::string& message);
};

}  // namespace sentio

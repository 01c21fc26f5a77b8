#pragma once

#include <stdexcept>
#include <string>

namespace sentio {

/// The input is wrong: bars, a feature spec, a cost file. The message is one line, "where: what is wrong, what was found".
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace sentio

#pragma once

#include "bars/error.hpp"

namespace sentio {

/// An artifact folder is incomplete, inconsistent, altered, or too new.
class ArtifactError : public InputError {
 public:
  using InputError::InputError;
};

}  // namespace sentio

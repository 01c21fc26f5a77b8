#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace sentio {

/// A figure, or null where it is undefined.
inline nlohmann::ordered_json or_null(std::optional<double> value) {
  return value && std::isfinite(*value) ? nlohmann::ordered_json(*value) : nullptr;
}

}  // namespace sentio

#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sentio {

/// The end of an "unknown X" message: "; did you mean 'RSI'?" if a known word is close, else "; known: A, B, C".
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string> known);

}  // namespace sentio

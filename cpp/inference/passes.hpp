#pragma once

#include <algorithm>
#include <cstddef>

namespace sentio {

/// Rows of all windows of one forward pass: a long sequence would otherwise fill gigabytes with what a network keeps of
/// each.
inline constexpr std::size_t kRowsPerPass = 32 * 1024;

/// Windows of one forward pass: enough to pay for the call, few enough to stay in the cache.
[[nodiscard]] constexpr std::size_t windows_per_pass(int sequence_length) {
  return std::clamp<std::size_t>(kRowsPerPass / static_cast<std::size_t>(sequence_length), 1, 1024);
}

}  // namespace sentio

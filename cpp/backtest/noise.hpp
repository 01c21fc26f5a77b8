#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bars/bars.hpp"

namespace sentio {

/// What stands in place of the future.
enum class Noise {
  walk,         ///< a random walk from the last close, as wild as the bars before
  shuffled,     ///< the same bars in another order
  reversed,     ///< the same bars, last first
  constant,     ///< the last close for ever
  jumps,        ///< prices between a tenth and ten times the last close, volumes from 0 to a thousand times
  none,         ///< no bars at all
  other_times,  ///< a walk whose bars come sooner and later than usual
  inside_walk,  ///< a walk that keeps the time and the open of its first bar: what is known while that bar begins
  inside_jumps,
};

inline constexpr std::array kNoises{Noise::walk,        Noise::shuffled,    Noise::reversed,
                                    Noise::constant,    Noise::jumps,       Noise::none,
                                    Noise::other_times, Noise::inside_walk, Noise::inside_jumps};

/// "other times"
[[nodiscard]] std::string_view name_of(Noise noise);

/// Whether the first bar of the noise keeps its time and its open.
[[nodiscard]] bool keeps_open(Noise noise);

/// Bars 0 to `kept` - 1 as they are, then noise; all valid. The same seed gives the same bars on every platform.
/// @param kept at least 1 and less than bars.size()
[[nodiscard]] Bars with_noise(BarsView bars, std::size_t kept, Noise noise, std::uint64_t seed);

}  // namespace sentio

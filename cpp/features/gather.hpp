#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sentio {

/// Copies rows, each with the ones before it, out of a row-major matrix: for each number r of `last_rows`, rows
/// r - window + 1 … r. `x` is [n, width] and `out` [last_rows.size(), window, width].
/// @throws std::invalid_argument if a window lies not wholly within `x`, or the sizes do not fit; `out` then holds
/// anything. Not one value outside `x` is read.
void gather_windows(std::span<const float> x, std::size_t width, std::span<const std::int64_t> last_rows,
                    std::size_t window, std::span<float> out);

}  // namespace sentio

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

/// Writes the numbers of the rows that `usable` marks within [begin[i], stop[i]), range after range.
/// @throws std::invalid_argument if a range lies not within `usable`, or there are not as many as `out` holds.
void list_usable(std::span<const bool> usable, std::span<const std::int64_t> begin, std::span<const std::int64_t> stop,
                 std::span<std::int64_t> out);

}  // namespace sentio

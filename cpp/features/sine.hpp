#pragma once

namespace sentio {

/// sin(2 pi k / n) for 0 <= k < n, correctly rounded: computed in two doubles, to about 2^-100, from IEEE basic
/// operations alone.
[[nodiscard]] double sine_of_turn(int k, int n);

}  // namespace sentio

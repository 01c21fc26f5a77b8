#pragma once

#include <cfloat>
#include <cstddef>
#include <span>

namespace sentio {

/// The one line at which a value becomes float32; what float32 cannot hold becomes its largest number.
[[nodiscard]] inline float rounded_to_float(double x) {
  return static_cast<float>(x > FLT_MAX ? FLT_MAX : x < -FLT_MAX ? -FLT_MAX : x);
}

/// Writes the bars [begin, end) of columns as rounded rows, `out` of shape [end - begin, columns.size()].
void write_rows(std::span<const double* const> columns, std::ptrdiff_t begin, std::ptrdiff_t end, float* out);

}  // namespace sentio

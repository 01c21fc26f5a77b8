#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <vector>

namespace sentio::cli {

/// The header that numpy.save writes before a C-ordered float32 array of this shape (format 1.0).
[[nodiscard]] std::string npy_header(std::size_t rows, std::size_t columns);

/// Writes float32 rows as numpy.save does, little-endian.
void write_npy_rows(std::ostream& out, std::span<const float> rows);

/// "ts,name,name" and a new line; names with a comma or quote are quoted.
void write_csv_header(std::ostream& out, const std::vector<std::string>& names);

/// One line per row: the bar's time, then each value as the shortest text that reads back as the same float32.
/// @param rows shape [time_ns.size(), columns]
void write_csv_rows(std::ostream& out, std::span<const std::int64_t> time_ns, std::span<const float> rows);

}  // namespace sentio::cli

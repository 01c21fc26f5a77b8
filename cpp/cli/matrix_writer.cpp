#include "cli/matrix_writer.hpp"

#include <bit>
#include <ostream>

#include "bars/number.hpp"
#include "bars/time.hpp"

namespace sentio::cli {
namespace {

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

}  // namespace

std::string npy_header(std::size_t rows, std::size_t columns) {
  // numpy leaves room for the first dimension to grow to 21 digits, then pads the whole to a multiple of 64.
  constexpr std::size_t kGrowthDigits = 21, kPreamble = 10, kAlignment = 64;
  const std::string row_digits = std::to_string(rows);
  std::string dictionary =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (" + row_digits + ", " + std::to_string(columns) + "), }";
  dictionary.append(kGrowthDigits - row_digits.size(), ' ');
  dictionary.append(kAlignment - (kPreamble + dictionary.size() + 1) % kAlignment, ' ');
  dictionary += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dictionary.size() % 256);
  header += static_cast<char>(dictionary.size() / 256);
  return header + dictionary;
}

void write_npy_rows(std::ostream& out, std::span<const float> rows) {
  static_assert(std::endian::native == std::endian::little, "the header says little-endian");
  const auto bytes = std::as_bytes(rows);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

void write_csv_header(std::ostream& out, const std::vector<std::string>& names) {
  std::string line = "ts";
  for (const std::string& name : names) line += ',' + csv_field(name);
  out << line << '\n';
}

void write_csv_rows(std::ostream& out, std::span<const std::int64_t> time_ns, std::span<const float> rows) {
  const std::size_t columns = time_ns.empty() ? 0 : rows.size() / time_ns.size();
  std::string text;
  for (std::size_t i = 0; i < time_ns.size(); ++i) {
    text += format_time(time_ns[i]);
    for (const float value : rows.subspan(i * columns, columns)) text += ',' + format_number(value);
    text += '\n';
  }
  out << text;
}

}  // namespace sentio::cli

#pragma once

#include <filesystem>
#include <string>

namespace sentio {

/// The bars file of a symbol: SYMBOL.csv, SYMBOL_*.csv or SYMBOL-*.csv in `data_dir`, each also with .gz.
/// @throws InputError that says what was looked for, if none fits; std::invalid_argument that lists them, if several do
[[nodiscard]] std::filesystem::path find_bars(const std::filesystem::path& data_dir, const std::string& symbol);

}  // namespace sentio

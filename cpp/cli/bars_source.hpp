#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "bars/csv.hpp"
#include "bars/session.hpp"

namespace sentio::cli {

/// Where bars come from, as the command line says.
struct BarsArguments {
  std::string symbol;
  std::string bars;  ///< a file; empty to look the symbol up
  std::string data_dir = "data/equities";
  std::string on_bad_bar = "refuse";
  std::string session;  ///< empty for the model's, or else us_equity
};

void add_bars_options(CLI::App& verb, BarsArguments& arguments);

/// The same without the symbol and --bars: for a verb that takes several.
void add_reading_options(CLI::App& verb, BarsArguments& arguments);

inline constexpr const char* kSymbolHelp =
    "Whose bars: SYMBOL.csv, SYMBOL_*.csv or SYMBOL-*.csv in the data folder, or .gz";

/// The bars of each symbol, in their order: `files` are one per symbol, or "SYMBOL=file" for some, where the others are
/// looked up.
/// @throws std::invalid_argument for a symbol or a file that is given twice, or another number of files
[[nodiscard]] std::vector<BarsArguments> bars_of_symbols(const std::vector<std::string>& symbols,
                                                         const std::vector<std::string>& files,
                                                         const BarsArguments& common);

struct LoadedBars {
  std::filesystem::path path;
  CsvBars csv;
  SessionCalendar calendar;
};

/// @param session used where the command line names none
[[nodiscard]] LoadedBars load_bars(const BarsArguments& arguments, const std::string& session = "us_equity");

}  // namespace sentio::cli

#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

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

/// The bars file of a symbol: SYMBOL.csv, SYMBOL_*.csv or SYMBOL-*.csv in `data_dir`, each also with .gz.
/// @throws InputError that says what was looked for, if none fits; std::invalid_argument that lists them, if several do
[[nodiscard]] std::filesystem::path find_bars(const std::filesystem::path& data_dir, const std::string& symbol);

struct LoadedBars {
  std::filesystem::path path;
  CsvBars csv;
  SessionCalendar calendar;
};

/// @param session used where the command line names none
[[nodiscard]] LoadedBars load_bars(const BarsArguments& arguments, const std::string& session = "us_equity");

}  // namespace sentio::cli

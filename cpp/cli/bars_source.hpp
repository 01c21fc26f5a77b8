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

struct LoadedBars {
  std::filesystem::path path;
  CsvBars csv;
  SessionCalendar calendar;
};

/// @param session used where the command line names none
[[nodiscard]] LoadedBars load_bars(const BarsArguments& arguments, const std::string& session = "us_equity");

}  // namespace sentio::cli

#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bars/bars.hpp"

namespace sentio {

enum class OnBadBar { refuse, skip };

/// Lines that were dropped for one reason, and where the first of them was.
struct SkippedBars {
  std::string kind;   ///< "high below open or close"
  std::size_t count;  ///< at least 1
  std::string first;  ///< "file:line:column: what is wrong, what was found"
};

struct CsvBars {
  Bars bars;
  std::vector<SkippedBars> skipped;  ///< empty unless bad bars were skipped
  nlohmann::json synthetic;          ///< what `<path>.synthetic.json` says of generated bars; null for recorded ones
};

/// Reads bars from a CSV file, plain or gzip (told apart by content).
///
/// The header names `ts open high low close volume` in any order and case, or an alias
/// (`timestamp date time datetime t`, `o h l c v vol`); other columns are ignored. `ts` is ISO-8601 (no zone means UTC)
/// or an epoch number in s, ms, us or ns, one unit per file.
///
/// @throws InputError "file:line:column: what is wrong, what was found" at the first bad line, or if the file cannot
///         be read, has no bars, or lacks a column. With OnBadBar::skip, bad bars are dropped and counted instead.
[[nodiscard]] CsvBars read_csv(const std::filesystem::path& path, OnBadBar on_bad_bar = OnBadBar::refuse);

}  // namespace sentio

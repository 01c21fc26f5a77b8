#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backtest/analysis.hpp"
#include "backtest/simulation.hpp"
#include "bars/bars.hpp"
#include "bars/csv.hpp"

namespace sentio {

/// The version of the JSON report: a new key raises the minor, a changed meaning the major number.
inline constexpr const char* kReportSchema = "2.0";

/// What a report is about.
struct Subject {
  std::string verb;  ///< "tpa_test"
  std::string program_version;
  std::string symbol;
  std::string bars_file;  ///< its name, without the folder
  std::string bars_hash;  ///< "sha256:" and the SHA-256 of its bytes; empty where it is not known
  std::vector<SkippedBars> skipped;
  nlohmann::ordered_json synthetic;  ///< the sidecar of generated bars; null for recorded ones
  nlohmann::ordered_json strategy;   ///< name, params, and the model's identity if it has one
  std::string strategy_label;        ///< "sma_cross (fast=10, slow=30, allow_short=0)"
  std::vector<std::string> notes;    ///< of the strategy, to be shown with those of the run
  std::size_t warmup = 0;            ///< bars that the strategy wants before its decisions count
};

struct Report {
  Subject subject;
  BarsView bars;
  RunOptions options;
  Run run;
  Analysis analysis;
};

/// Hints that a reader of the figures needs: the strategy's own, too little warm-up, orders below one lot, skipped
/// bars.
[[nodiscard]] std::vector<std::string> notes_of(const Report& report);

/// fills.csv: one line per fill.
[[nodiscard]] std::string fills_csv(const Run& run);

/// "sha256:" and the SHA-256 of fills_csv: two runs with one hash traded the same.
[[nodiscard]] std::string fills_hash(const Run& run);

/// The report for machines, of schema kReportSchema. It depends on the inputs only: no clock, no folder.
[[nodiscard]] nlohmann::ordered_json to_json(const Report& report);

/// The report for people: no line longer than 100 columns.
[[nodiscard]] std::string to_text(const Report& report, bool colour);

/// Throws std::invalid_argument if write_folder would have to replace something that is not a report.
void require_replaceable(const std::filesystem::path& folder);

/// Writes report.json, equity.csv, fills.csv and decisions.csv into a folder beside `folder` and renames it, so that it
/// is never half there. An earlier report is replaced, with the pages that `sentio report` has made of it.
void write_folder(const Report& report, const std::filesystem::path& folder);

}  // namespace sentio

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
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

/// Reads bars from a CSV file, plain or gzip (told apart by content), piece by piece: in memory that does not grow with
/// the file.
///
/// The header names `ts open high low close volume` in any order and case, or an alias
/// (`timestamp date time datetime t`, `o h l c v vol`); other columns are ignored. `ts` is ISO-8601 (no zone means UTC)
/// or an epoch number in s, ms, us or ns, one unit per file.
class CsvReader {
 public:
  /// @throws InputError if the file cannot be read or lacks a column.
  explicit CsvReader(const std::filesystem::path& path, OnBadBar on_bad_bar = OnBadBar::refuse);
  CsvReader(CsvReader&&) noexcept;
  CsvReader& operator=(CsvReader&&) noexcept;
  ~CsvReader();

  /// The next bars, at most `max_bars`; none at the end of the file. What follows an error is not defined.
  ///
  /// @throws InputError "file:line:column: what is wrong, what was found" at the first bad line, or if the file ends
  ///         without any bar. With OnBadBar::skip, bad bars are dropped and counted instead.
  [[nodiscard]] Bars next(std::size_t max_bars);

  /// What was dropped so far.
  [[nodiscard]] const std::vector<SkippedBars>& skipped() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// All bars of a CSV file, as `CsvReader` reads them, and the mark of generated ones.
[[nodiscard]] CsvBars read_csv(const std::filesystem::path& path, OnBadBar on_bad_bar = OnBadBar::refuse);

/// What `<path>.synthetic.json` says of generated bars; null where there is no such file.
[[nodiscard]] nlohmann::json synthetic_mark(std::filesystem::path path);

}  // namespace sentio

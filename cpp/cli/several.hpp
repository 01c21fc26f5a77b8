#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backtest/report.hpp"
#include "cli/bars_source.hpp"

namespace sentio::cli {

/// A report and the bars that it looks at.
struct Finished {
  LoadedBars loaded;
  Report report;
};

/// Runs one symbol. Called by several threads at once, for other symbols each.
using RunSymbol = std::function<std::unique_ptr<Finished>(const BarsArguments& bars, const Progress& progress)>;

/// Where the reports of several symbols go.
struct SeveralOutputs {
  std::string verb;
  std::string json;  ///< a file, "-" for stdout in place of the text, or empty
  std::string out;   ///< a folder, or empty
  bool colour = false;
};

/// Symbols that failed, in the order in which they were given, and why.
class SymbolErrors : public std::exception {
 public:
  explicit SymbolErrors(std::vector<std::pair<std::string, std::exception_ptr>> errors) : errors_(std::move(errors)) {}
  [[nodiscard]] const char* what() const noexcept override { return "symbols failed"; }
  [[nodiscard]] const auto& errors() const { return errors_; }

 private:
  std::vector<std::pair<std::string, std::exception_ptr>> errors_;
};

/// Runs symbols on `jobs` threads and publishes their reports in the order of `symbols`, and a summary: the same bytes
/// whatever `jobs` is.
///
/// A symbol that fails stops no other. The reports of the others are printed, then SymbolErrors is thrown: without a
/// summary, and with no file written, for a summary that lacks a symbol is of another question.
void run_several(const std::vector<BarsArguments>& symbols, std::size_t jobs, const RunSymbol& run,
                 const SeveralOutputs& outputs);

}  // namespace sentio::cli

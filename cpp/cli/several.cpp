#include "cli/several.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "backtest/summary.hpp"
#include "backtest/text.hpp"
#include "bars/file.hpp"
#include "cli/held_signals.hpp"
#include "cli/output_file.hpp"
#include "cli/progress_bar.hpp"
#include "cli/version.hpp"

namespace sentio::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kSummaryFile = "summary.json";

/// One bar for all symbols, each of which counts the same.
class SharedProgress {
 public:
  explicit SharedProgress(std::size_t symbols)
      : bar_(counted(symbols, "symbol")), shares_(symbols, 0.0), text_(" of " + counted(symbols, "symbol") + " done") {}

  void show(std::size_t symbol, std::size_t done, std::size_t total) {
    const std::lock_guard lock(mutex_);
    shares_[symbol] = static_cast<double>(done) / static_cast<double>(total);
    double sum = 0.0;
    for (const double share : shares_) sum += share;
    bar_.show(sum / static_cast<double>(shares_.size()),
              grouped(std::size_t(std::ranges::count(shares_, 1.0))) + text_);
  }

 private:
  std::mutex mutex_;
  ProgressBar bar_;
  std::vector<double> shares_;
  std::string text_;
};

/// What is kept of a symbol: its bars and its run only where they are written into a folder.
struct Outcome {
  std::unique_ptr<Finished> finished;
  std::string text;
  ordered_json document;
  SymbolFigures figures;
  std::exception_ptr error;
};

/// Calls `work(i)` for each i below `count`, at most `jobs` at once. `work` does not throw.
template <class Work>
void in_parallel(std::size_t count, std::size_t jobs, const Work& work) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> pool;
  for (std::size_t j = 0; j < std::min(jobs, count); ++j) {
    pool.emplace_back([&] {
      for (std::size_t i = next++; i < count; i = next++) work(i);
    });
  }
}

fs::path without_slash(const fs::path& folder) { return folder.has_filename() ? folder : folder.parent_path(); }

/// Throws unless `folder` can become one of reports: it is not there, or it is one, or it is a single report.
void require_replaceable_set(const fs::path& folder) {
  if (!fs::is_directory(folder) || !fs::exists(folder / kSummaryFile)) return require_replaceable(folder);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) {
      require_replaceable(entry.path());
    } else if (entry.path().filename() != kSummaryFile) {
      throw std::invalid_argument(folder.string() + ": holds files that are not reports, name another folder");
    }
  }
}

void require_folder_names(const std::vector<BarsArguments>& symbols) {
  for (const BarsArguments& each : symbols) {
    const std::string& name = each.symbol;
    if (name.empty() || name == "." || name == ".." || name == kSummaryFile || name.find('/') != std::string::npos)
      throw std::invalid_argument("symbol '" + name + "' cannot name a folder in --out");
  }
}

ordered_json head_of(const std::string& verb) {
  return {{"schema_version", kReportSchema}, {"verb", verb}, {"sentio_version", program_version()}};
}

/// Writes <symbol>/ for each report and summary.json into a folder beside `folder`, which then takes its place.
void write_set(const std::vector<Outcome>& outcomes, const ordered_json& summary, const fs::path& folder) {
  require_replaceable_set(folder);
  const auto beside = [&](const char* what) {
    fs::path path = without_slash(folder);
    return path += std::string(".") + what + std::to_string(getpid());
  };
  const fs::path fresh = beside("part"), old = beside("old"), place = without_slash(folder);
  const HeldSignals held;
  try {
    fs::remove_all(fresh);  // what a killed process of this number left
    fs::create_directories(fresh);
    for (const Outcome& each : outcomes) write_folder(each.finished->report, fresh / each.figures.symbol);
    write_file(fresh / kSummaryFile, summary.dump(2) + "\n");
    if (fs::exists(place)) fs::rename(place, old);
    fs::rename(fresh, place);
    fs::remove_all(old);
  } catch (...) {
    std::error_code ignored;  // the first error is the one to report
    fs::remove_all(fresh, ignored);
    if (fs::exists(old, ignored) && !fs::exists(place, ignored)) fs::rename(old, place, ignored);
    throw;
  }
}

void require_no_error(const std::vector<BarsArguments>& symbols, const std::vector<Outcome>& outcomes) {
  std::vector<std::pair<std::string, std::exception_ptr>> errors;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    if (outcomes[i].error) errors.emplace_back(symbols[i].symbol, outcomes[i].error);
  }
  if (!errors.empty()) throw SymbolErrors(std::move(errors));
}

}  // namespace

void run_several(const std::vector<BarsArguments>& symbols, std::size_t jobs, const RunSymbol& run,
                 const SeveralOutputs& outputs) {
  if (!outputs.out.empty()) {
    require_folder_names(symbols);
    require_replaceable_set(outputs.out);
  }
  const bool only_json = outputs.json == "-";
  std::optional<OutputFile> json_file;  // opened before the run: a wrong path must not cost a long one
  if (!outputs.json.empty() && !only_json) json_file.emplace(outputs.json);

  std::vector<Outcome> outcomes(symbols.size());
  {
    SharedProgress progress(symbols.size());
    in_parallel(symbols.size(), jobs, [&](std::size_t i) {
      Outcome& outcome = outcomes[i];
      try {
        outcome.finished = run(symbols[i], [&](std::size_t done, std::size_t total) { progress.show(i, done, total); });
        const Report& report = outcome.finished->report;
        outcome.figures = figures_of(report);
        if (only_json || json_file) outcome.document = to_json(report);
        if (!only_json) outcome.text = to_text(report, outputs.colour);
        if (outputs.out.empty()) outcome.finished.reset();
      } catch (...) {
        outcome.error = std::current_exception();
      }
    });
  }
  for (const Outcome& outcome : outcomes) {
    if (!outcome.error && !only_json) std::cout << outcome.text << '\n';
  }
  std::cout.flush();  // before what went wrong is said
  require_no_error(symbols, outcomes);

  std::vector<SymbolFigures> figures;
  ordered_json document = head_of(outputs.verb), short_document = document;
  document["symbols"] = ordered_json::array();
  for (Outcome& outcome : outcomes) {
    figures.push_back(outcome.figures);
    document["symbols"].push_back(std::move(outcome.document));
  }
  const Summary summary = summary_of(std::move(figures));
  document["summary"] = short_document["summary"] = to_json(summary);
  if (!outputs.out.empty()) write_set(outcomes, short_document, outputs.out);
  if (json_file) {
    json_file->stream() << document.dump(2) << '\n';
    json_file->commit();
  }
  if (only_json) {
    std::cout << document.dump(2) << '\n';
  } else {
    std::cout << to_text(summary, outputs.colour);
  }
}

}  // namespace sentio::cli

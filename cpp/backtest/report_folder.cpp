#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <span>
#include <stdexcept>
#include <system_error>

#include "backtest/report.hpp"
#include "bars/file.hpp"
#include "bars/number.hpp"
#include "bars/sha256.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

namespace fs = std::filesystem;

/// What may lie in the folder of a report: what is written here, and the pages that `sentio report` makes of it.
constexpr std::array<const char*, 7> kFiles{"report.json", "equity.csv", "fills.csv", "decisions.csv",
                                            "report.html", "report.png", "report.md"};

/// Lines of comma-separated fields, handed on in pieces, so that a table of any length takes little memory.
template <class Take>
class CsvLines {
 public:
  CsvLines(Take& take, std::string_view header) : take_(take) {
    piece_.reserve(kPiece + kLongestLine);
    piece_ += header;
    piece_ += '\n';
  }

  CsvLines& time(std::int64_t time_ns) {
    append_time(piece_, time_ns);
    return comma();
  }
  CsvLines& number(double value) {
    append_number(piece_, value);
    return comma();
  }
  CsvLines& text(std::string_view text) {
    piece_ += text;
    return comma();
  }
  void end_line() {
    piece_.back() = '\n';
    if (piece_.size() >= kPiece) hand_on();
  }
  void finish() { hand_on(); }

 private:
  static constexpr std::size_t kPiece = 1 << 16, kLongestLine = 1 << 10;

  CsvLines& comma() {
    piece_ += ',';
    return *this;
  }
  void hand_on() {
    take_(std::string_view(piece_));
    piece_.clear();
  }

  Take& take_;
  std::string piece_;
};

template <class Take>
void equity_lines(const Report& report, Take take) {
  CsvLines csv(take, "ts,open,close,position,equity,buy_and_hold_equity");
  const Run &run = report.run, &hold = report.analysis.buy_and_hold_run;
  for (std::size_t i = 0; i < run.size(); ++i) {
    const std::size_t bar = run.begin + i;
    csv.time(report.bars.time_ns[bar]).number(report.bars.open[bar]).number(report.bars.close[bar]);
    csv.number(run.position[i]).number(run.equity[i]).number(hold.equity[i]).end_line();
  }
  csv.finish();
}

/// From the bar before the first measured one, whose decision is acted on at the first measured open.
template <class Take>
void decision_lines(const Report& report, Take take) {
  CsvLines csv(take, "ts,exposure,probability,reason");
  const Run& run = report.run;
  for (std::size_t bar = run.begin - std::min<std::size_t>(run.begin, 1); bar < run.end; ++bar) {
    const Decision& decision = run.decisions[bar];
    csv.time(report.bars.time_ns[bar]).number(decision.exposure);
    if (std::isnan(decision.probability)) {
      csv.text("");
    } else {
      csv.number(decision.probability);
    }
    csv.text(decision.reason).end_line();
  }
  csv.finish();
}

template <class Take>
void fill_lines(const Run& run, Take take) {
  CsvLines csv(take,
               "ts,at,quantity,reference,price,commission,spread_cost,slippage_cost,borrow,position,average_price,cash,"
               "reason");
  for (const Fill& fill : run.fills) {
    csv.time(fill.time_ns).text(name_of(fill.at));
    csv.number(fill.quantity).number(fill.reference).number(fill.price).number(fill.commission);
    csv.number(fill.spread_cost).number(fill.slippage_cost).number(fill.borrow).number(fill.position);
    csv.number(fill.average_price).number(fill.cash).text(fill.reason).end_line();
  }
  csv.finish();
}

/// A file that takes pieces of text. It lies in a folder that gets its name when it is whole.
class OutFile {
 public:
  explicit OutFile(const fs::path& path) : path_(path), file_(path, std::ios::binary | std::ios::trunc) { check(); }

  void operator()(std::string_view piece) {
    file_.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    check();
  }
  void close() {
    file_.close();
    check();
  }

 private:
  void check() const {
    if (!file_) throw std::runtime_error(path_.string() + ": cannot be written, " + std::strerror(errno));
  }

  fs::path path_;
  std::ofstream file_;
};

bool is_report(const fs::path& folder) {
  return std::ranges::all_of(fs::directory_iterator(folder), [](const fs::directory_entry& entry) {
    return std::ranges::find(kFiles, entry.path().filename().string()) != kFiles.end();
  });
}

fs::path without_slash(const fs::path& folder) { return folder.has_filename() ? folder : folder.parent_path(); }

/// A name beside `folder` that no other process uses.
fs::path beside(const fs::path& folder, const char* what) {
  fs::path path = without_slash(folder);
  path += std::string(".") + what + std::to_string(getpid());
  return path;
}

}  // namespace

std::string fills_csv(const Run& run) {
  std::string csv;
  fill_lines(run, [&](std::string_view piece) { csv += piece; });
  return csv;
}

std::string fills_hash(const Run& run) {
  Sha256 hash;
  fill_lines(run, [&](std::string_view piece) { hash.add(std::as_bytes(std::span(piece))); });
  return "sha256:" + hash.hex();
}

void require_replaceable(const fs::path& folder) {
  if (!fs::exists(folder)) return;
  if (!fs::is_directory(folder)) throw std::invalid_argument(folder.string() + ": is a file, a folder is wanted");
  if (!is_report(folder)) {
    throw std::invalid_argument(folder.string() + ": holds files that are not a report, name another folder");
  }
}

void write_folder(const Report& report, const fs::path& folder) {
  require_replaceable(folder);
  const fs::path fresh = beside(folder, "part"), old = beside(folder, "old");
  try {
    fs::remove_all(fresh);  // what a killed process of this number left
    fs::create_directories(fresh);
    write_file(fresh / "report.json", to_json(report).dump(2) + "\n");
    const auto write = [&](const char* name, auto&& lines) {
      OutFile file(fresh / name);
      lines([&](std::string_view piece) { file(piece); });
      file.close();
    };
    write("equity.csv", [&](auto take) { equity_lines(report, take); });
    write("fills.csv", [&](auto take) { fill_lines(report.run, take); });
    write("decisions.csv", [&](auto take) { decision_lines(report, take); });
    if (fs::exists(folder)) fs::rename(without_slash(folder), old);
    fs::rename(fresh, without_slash(folder));
    fs::remove_all(old);
  } catch (...) {
    std::error_code ignored;  // the first error is the one to report
    fs::remove_all(fresh, ignored);
    if (fs::exists(old, ignored) && !fs::exists(folder, ignored)) fs::rename(old, without_slash(folder), ignored);
    throw;
  }
}

}  // namespace sentio

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
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

constexpr std::array<const char*, 4> kFiles{"report.json", "equity.csv", "fills.csv", "decisions.csv"};

/// Appends fields, separated by commas, and ends the line.
template <class... Fields>
void append_line(std::string& csv, const Fields&... fields) {
  std::size_t left = sizeof...(fields);
  ((csv += fields, csv += --left > 0 ? ',' : '\n'), ...);
}

std::string equity_csv(const Report& report) {
  std::string csv = "ts,close,position,equity,buy_and_hold_equity\n";
  const Run &run = report.run, &hold = report.analysis.buy_and_hold_run;
  for (std::size_t i = 0; i < run.size(); ++i) {
    const std::size_t bar = run.begin + i;
    append_line(csv, format_time(report.bars.time_ns[bar]), format_number(report.bars.close[bar]),
                format_number(run.position[i]), format_number(run.equity[i]), format_number(hold.equity[i]));
  }
  return csv;
}

/// From the bar before the first measured one, whose decision is acted on at the first measured open.
std::string decisions_csv(const Report& report) {
  std::string csv = "ts,exposure,probability,reason\n";
  const Run& run = report.run;
  for (std::size_t bar = run.begin - std::min<std::size_t>(run.begin, 1); bar < run.end; ++bar) {
    const Decision& decision = run.decisions[bar];
    const bool known = !std::isnan(decision.probability);
    append_line(csv, format_time(report.bars.time_ns[bar]), format_number(decision.exposure),
                known ? format_number(decision.probability) : std::string(), std::string(decision.reason));
  }
  return csv;
}

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
  std::string csv =
      "ts,at,quantity,reference,price,commission,spread_cost,slippage_cost,borrow,position,average_price,cash,reason\n";
  for (const Fill& fill : run.fills) {
    append_line(csv, format_time(fill.time_ns), name_of(fill.at), format_number(fill.quantity),
                format_number(fill.reference), format_number(fill.price), format_number(fill.commission),
                format_number(fill.spread_cost), format_number(fill.slippage_cost), format_number(fill.borrow),
                format_number(fill.position), format_number(fill.average_price), format_number(fill.cash), fill.reason);
  }
  return csv;
}

std::string fills_hash(const Run& run) { return "sha256:" + sha256_hex(fills_csv(run)); }

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
    fs::create_directories(fresh);
    write_file(fresh / "report.json", to_json(report).dump(2) + "\n");
    write_file(fresh / "equity.csv", equity_csv(report));
    write_file(fresh / "fills.csv", fills_csv(report.run));
    write_file(fresh / "decisions.csv", decisions_csv(report));
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

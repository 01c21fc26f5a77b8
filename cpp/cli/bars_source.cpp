#include "cli/bars_source.hpp"

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "bars/error.hpp"
#include "bars/suggest.hpp"

namespace sentio::cli {
namespace {

namespace fs = std::filesystem;

bool fits(std::string_view file_name, std::string_view symbol) {
  if (!file_name.starts_with(symbol)) return false;
  const std::string_view rest = file_name.substr(symbol.size());
  if (!rest.ends_with(".csv") && !rest.ends_with(".csv.gz")) return false;
  return rest.front() == '.' ? rest == ".csv" || rest == ".csv.gz" : rest.front() == '_' || rest.front() == '-';
}

}  // namespace

void add_bars_options(CLI::App& verb, BarsArguments& a) {
  verb.add_option("symbol", a.symbol,
                  "Whose bars: SYMBOL.csv, SYMBOL_*.csv or SYMBOL-*.csv in the data folder, or .gz");
  verb.add_option("--bars", a.bars, "The bars file, CSV or gzip, in place of looking the symbol up");
  verb.add_option("--data-dir", a.data_dir, "Folder in which a symbol is looked up")->capture_default_str();
  verb.add_option("--on-bad-bar", a.on_bad_bar, "refuse the file, or skip bad bars and report them")
      ->check(CLI::IsMember({"refuse", "skip"}))
      ->capture_default_str();
  std::vector<std::string> calendars;
  for (const SessionCalendar& calendar : session_calendars()) calendars.push_back(calendar.name);
  verb.add_option("--session", a.session, "Calendar of the sessions (default: the model's, or us_equity)")
      ->check(CLI::IsMember(calendars));
}

fs::path find_bars(const fs::path& data_dir, const std::string& symbol) {
  std::vector<std::string> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(data_dir, error)) {
    const std::string name = entry.path().filename().string();
    if (fits(name, symbol)) found.push_back(entry.path().string());
  }
  if (error)
    throw InputError(data_dir.string() + ": " + error.message() + "; --bars or --data-dir says where bars are");
  std::ranges::sort(found);
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    throw InputError(data_dir.string() + ": has no bars of '" + symbol + "'; looked for " + symbol + ".csv, " + symbol +
                     "_*.csv, " + symbol + "-*.csv, each also with .gz");
  }
  std::string list;
  for (const std::string& path : found) list += (list.empty() ? "" : ", ") + path;
  throw std::invalid_argument("several files fit '" + symbol + "', name one with --bars: " + list);
}

LoadedBars load_bars(const BarsArguments& arguments, const std::string& session) {
  if (arguments.bars.empty() && arguments.symbol.empty()) {
    throw std::invalid_argument("a symbol or --bars FILE is needed, found neither");
  }
  LoadedBars loaded;
  loaded.path = arguments.bars.empty() ? find_bars(arguments.data_dir, arguments.symbol) : fs::path(arguments.bars);
  loaded.calendar = session_calendar(arguments.session.empty() ? session : arguments.session);
  loaded.csv = read_csv(loaded.path, arguments.on_bad_bar == "skip" ? OnBadBar::skip : OnBadBar::refuse);
  return loaded;
}

}  // namespace sentio::cli

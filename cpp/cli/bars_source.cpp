#include "cli/bars_source.hpp"

#include <stdexcept>
#include <vector>

#include "bars/error.hpp"
#include "bars/find_bars.hpp"

namespace sentio::cli {

namespace fs = std::filesystem;

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

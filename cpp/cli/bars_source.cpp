#include "cli/bars_source.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <vector>

#include "bars/error.hpp"
#include "bars/find_bars.hpp"

namespace sentio::cli {

namespace fs = std::filesystem;

void add_bars_options(CLI::App& verb, BarsArguments& a) {
  verb.add_option("symbol", a.symbol, kSymbolHelp);
  verb.add_option("--bars", a.bars, "The bars file, CSV or gzip, in place of looking the symbol up");
  add_reading_options(verb, a);
}

void add_reading_options(CLI::App& verb, BarsArguments& a) {
  verb.add_option("--data-dir", a.data_dir, "Folder in which a symbol is looked up")->capture_default_str();
  verb.add_option("--on-bad-bar", a.on_bad_bar, "refuse the file, or skip bad bars and report them")
      ->check(CLI::IsMember({"refuse", "skip"}))
      ->capture_default_str();
  std::vector<std::string> calendars;
  for (const SessionCalendar& calendar : session_calendars()) calendars.push_back(calendar.name);
  verb.add_option("--session", a.session, "Calendar of the sessions (default: the model's, or us_equity)")
      ->check(CLI::IsMember(calendars));
}

std::vector<BarsArguments> bars_of_symbols(const std::vector<std::string>& symbols,
                                           const std::vector<std::string>& files, const BarsArguments& common) {
  std::vector<BarsArguments> bars;
  for (const std::string& symbol : symbols) {
    if (std::ranges::count(symbols, symbol) > 1)
      throw std::invalid_argument("symbols must differ, '" + symbol + "' is given twice");
    bars.push_back(common);
    bars.back().symbol = symbol;
  }
  std::vector<std::string> unnamed;
  for (const std::string& file : files) {
    const auto named = std::ranges::find_if(bars, [&](const BarsArguments& each) {
      return file.starts_with(each.symbol + "=") && file.size() > each.symbol.size() + 1;
    });
    if (named == bars.end()) {
      unnamed.push_back(file);
    } else if (named->bars.empty()) {
      named->bars = file.substr(named->symbol.size() + 1);
    } else {
      throw std::invalid_argument("--bars names '" + named->symbol + "' twice");
    }
  }
  const auto without_file = std::ranges::count(bars, "", &BarsArguments::bars);
  if (unnamed.empty()) return bars;
  if (static_cast<std::ptrdiff_t>(unnamed.size()) != without_file)
    throw std::invalid_argument("--bars must be given once per symbol, " + std::to_string(bars.size()) + ", found " +
                                std::to_string(files.size()) + "; or say whose with --bars SYMBOL=FILE");
  auto next = unnamed.begin();
  for (BarsArguments& each : bars) {
    if (each.bars.empty()) each.bars = *next++;
  }
  return bars;
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

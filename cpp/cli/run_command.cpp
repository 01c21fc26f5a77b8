#include "cli/run_command.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include "backtest/bar_by_bar.hpp"
#include "backtest/report.hpp"
#include "bars/number.hpp"
#include "bars/sha256.hpp"
#include "bars/time.hpp"
#include "cli/held_signals.hpp"
#include "cli/output_file.hpp"
#include "cli/progress_bar.hpp"
#include "cli/several.hpp"
#include "cli/version.hpp"
#include "inference/ledger.hpp"

namespace sentio::cli {
namespace {

bool colour_wanted() {
  const char* const no_colour = std::getenv("NO_COLOR");  // https://no-color.org: set and not empty
  return isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0');
}

/// What is the same for all symbols of a command. Read by several threads at once.
struct Command {
  const std::string& verb;
  const RunArguments& arguments;
  const ChooseMeasured& choose;
  ReadyStrategy ready;
  RunOptions options;  ///< but for the calendar and the measured bars, which are a symbol's
  Trials trials;
  std::vector<std::string> notes;
};

RunOptions options_of(const RunArguments& a) {
  RunOptions options;
  options.broker = {.costs = find_costs(a.costs),
                    .capital = a.capital,
                    .max_exposure = a.max_exposure,
                    .fractional = a.fractional,
                    .max_volume_share = a.max_volume_share};
  options.protection = {.stop_loss = a.stop_loss, .take_profit = a.take_profit};
  options.flat_at_close = a.flat_at_close;
  require_valid(options);
  return options;
}

/// What --trials says, or else the ledger beside a model; a rule is taken for the only one tried.
void count_trials(Command& command) {
  if (const auto& given = command.arguments.trials) {
    if (*given < 1) throw std::invalid_argument("trials must be at least 1, found " + std::to_string(*given));
    command.trials = {static_cast<std::size_t>(*given), "given by --trials", true};
  } else if (command.ready.ledger) {
    if (auto trials = command.ready.ledger()) {
      command.trials = *trials;
    } else {
      command.notes.emplace_back(kNoLedgerNote);
    }
  }
}

Command command_of(const std::string& verb, const RunArguments& a, const ChooseMeasured& choose) {
  Command command{.verb = verb,
                  .arguments = a,
                  .choose = choose,
                  .ready = make_strategy(a.strategy),
                  .options = options_of(a),
                  .trials = {},
                  .notes = {}};
  for (const std::string& warning : command.ready.warnings) std::cerr << "sentio_cli: warning: " << warning << '\n';
  command.notes = command.ready.warnings;
  if (!command.ready.backend_note.empty()) command.notes.push_back(command.ready.backend_note);
  if (command.ready.trained_on_synthetic) command.notes.emplace_back("The model was trained on SYNTHETIC bars.");
  count_trials(command);
  return command;
}

/// What a reader must know of a model before believing its figures on these bars.
std::vector<std::string> notes_of(const Command& command, const std::string& symbol, const LoadedBars& loaded) {
  const ReadyStrategy& ready = command.ready;
  std::vector<std::string> notes = command.notes;
  if (!ready.symbols.empty() && std::ranges::find(ready.symbols, symbol) == ready.symbols.end()) {
    std::string symbols;
    for (const std::string& each : ready.symbols) symbols += (symbols.empty() ? "" : ", ") + each;
    notes.push_back("The model was trained on " + symbols + ", not on " + symbol + ".");
  }
  const double interval_s =
      static_cast<double>(median_interval_ns(loaded.csv.bars.time_ns)) / static_cast<double>(kSecondNs);
  if (ready.bar_interval_s && *ready.bar_interval_s != interval_s) {
    notes.push_back("The model was trained on bars of " + format_number(*ready.bar_interval_s) + " s, these have " +
                    format_number(interval_s) + " s.");
  }
  return notes;
}

Subject subject_of(const Command& command, const std::string& symbol, const LoadedBars& loaded) {
  const ReadyStrategy& ready = command.ready;
  const bool kept = !command.arguments.out.empty() || !command.arguments.json.empty();
  return {.verb = command.verb,
          .program_version = program_version(),
          .symbol = symbol,
          .bars_file = loaded.path.filename().string(),
          .bars_hash = kept ? "sha256:" + sha256_of_file(loaded.path) : "",
          .skipped = loaded.csv.skipped,
          .synthetic = loaded.csv.synthetic,
          .strategy = ready.identity,
          .strategy_label = ready.label,
          .notes = notes_of(command, symbol, loaded),
          .warmup = static_cast<std::size_t>(ready.strategy->warmup())};
}

std::unique_ptr<Finished> run_symbol(const Command& command, const BarsArguments& of, const Progress& progress) {
  auto finished = std::make_unique<Finished>(Finished{load_bars(of, command.ready.session), {}});
  const LoadedBars& loaded = finished->loaded;
  const BarsView bars = loaded.csv.bars.view();
  std::unique_ptr<Strategy> strategy = command.ready.another();
  if (command.arguments.bar_by_bar) strategy = std::make_unique<BarByBar>(std::move(strategy));
  RunOptions options = command.options;
  options.calendar = loaded.calendar;
  const Measured measured = command.choose(bars, loaded.calendar, static_cast<std::size_t>(strategy->warmup()));
  options.begin = measured.begin;
  options.end = measured.end;

  Run run = sentio::run(bars, *strategy, options, progress);
  const Context context{.spans = command.ready.spans,
                        .synthetic = !loaded.csv.synthetic.is_null(),
                        .periods = measured.periods,
                        .trials = command.trials};
  Analysis analysis = analyse(run, bars, options, context);
  finished->report = {subject_of(command, of.symbol, loaded), bars, options, std::move(run), std::move(analysis)};
  return finished;
}

void run_one(const Command& command, const BarsArguments& of, std::optional<OutputFile>& json_file) {
  const RunArguments& a = command.arguments;
  std::unique_ptr<Finished> finished;
  {
    ProgressBar progress(command.ready.identity["name"].get<std::string>());
    finished = run_symbol(command, of, [&](std::size_t done, std::size_t total) { progress.show(done, total); });
  }
  const Report& report = finished->report;
  if (!a.out.empty()) {
    const HeldSignals held;
    write_folder(report, a.out);
  }
  if (a.json == "-") {
    std::cout << to_json(report).dump(2) << '\n';
    return;
  }
  if (json_file) {
    json_file->stream() << to_json(report).dump(2) << '\n';
    json_file->commit();
  }
  std::cout << to_text(report, colour_wanted());
}

std::size_t jobs_of(const RunArguments& a) {
  if (!a.jobs) return std::max(1U, std::thread::hardware_concurrency());
  if (*a.jobs < 1) throw std::invalid_argument("jobs must be at least 1, found " + std::to_string(*a.jobs));
  return static_cast<std::size_t>(*a.jobs);
}

}  // namespace

void add_run_options(CLI::App& verb, RunArguments& a) {
  verb.add_option("symbol", a.symbols, std::string(kSymbolHelp) + "; several make a report each, and a summary")
      ->required();
  verb.add_option("--bars", a.files,
                  "The bars file, CSV or gzip, in place of looking the symbol up; for several symbols once each in "
                  "their order, or as SYMBOL=FILE")
      ->allow_extra_args(false);
  add_reading_options(verb, a.bars);
  add_strategy_options(verb, a.strategy);
  verb.add_option("--trials", a.trials,
                  "How many strategies this one was picked from (default: a model's ledger, else 1)");
  verb.add_option("--costs", a.costs, "A shipped cost model (see list costs) or a cost file")->capture_default_str();
  verb.add_option("--capital", a.capital, "Cash at the start, in the currency of the prices")->capture_default_str();
  verb.add_option("--max-exposure", a.max_exposure, "Cut wanted exposures to this, above 0 and at most 1")
      ->capture_default_str();
  verb.add_flag("--fractional", a.fractional, "Trade parts of a unit");
  verb.add_option("--max-volume-share", a.max_volume_share,
                  "The share of a bar's volume that its fills may take, above 0 and at most 1; no limit if not given");
  verb.add_option("--stop-loss", a.stop_loss,
                  "Close a position this fraction on the losing side of its average price, above 0 and below 1");
  verb.add_option("--take-profit", a.take_profit,
                  "Close a position this fraction on the winning side of its average price, above 0");
  verb.add_flag("--flat-at-close", a.flat_at_close, "Close positions at the close of each session's last bar");
  verb.add_flag("--bar-by-bar", a.bar_by_bar, "Give the strategy its bars one by one, as stream does, not in blocks");
  verb.add_option("--jobs", a.jobs, "Symbols that run at once (default: one per processor)");
  verb.add_option("--json", a.json, "Write the report as JSON to this file; - for stdout, in place of the table");
  verb.add_option("--out", a.out,
                  "Write report.json, equity.csv, fills.csv and decisions.csv into this folder; for several symbols "
                  "into <symbol>/ of it, beside summary.json");
}

void run_and_report(const std::string& verb, const RunArguments& a, const ChooseMeasured& choose) {
  const std::vector<BarsArguments> symbols = bars_of_symbols(a.symbols, a.files, a.bars);
  const std::size_t jobs = jobs_of(a);
  if (symbols.size() > 1) {
    const Command command = command_of(verb, a, choose);
    const auto run = [&](const BarsArguments& of, const Progress& progress) {
      return run_symbol(command, of, progress);
    };
    return run_several(symbols, jobs, run, {.verb = verb, .json = a.json, .out = a.out, .colour = colour_wanted()});
  }
  if (!a.out.empty()) require_replaceable(a.out);
  std::optional<OutputFile> json_file;  // opened before the run: a wrong path must not cost a long one
  if (!a.json.empty() && a.json != "-") json_file.emplace(a.json);
  run_one(command_of(verb, a, choose), symbols.front(), json_file);
}

}  // namespace sentio::cli

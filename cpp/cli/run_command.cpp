#include "cli/run_command.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>

#include "backtest/bar_by_bar.hpp"
#include "backtest/report.hpp"
#include "bars/number.hpp"
#include "bars/time.hpp"
#include "cli/output_file.hpp"
#include "cli/progress_bar.hpp"
#include "cli/version.hpp"

namespace sentio::cli {
namespace {

bool colour_wanted() {
  const char* const no_colour = std::getenv("NO_COLOR");  // https://no-color.org: set and not empty
  return isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0');
}

RunOptions options_of(const RunArguments& a, const LoadedBars& loaded) {
  RunOptions options;
  options.broker = {.costs = find_costs(a.costs),
                    .capital = a.capital,
                    .max_exposure = a.max_exposure,
                    .fractional = a.fractional,
                    .max_volume_share = a.max_volume_share};
  options.protection = {.stop_loss = a.stop_loss, .take_profit = a.take_profit};
  options.flat_at_close = a.flat_at_close;
  require_valid(options);
  options.calendar = loaded.calendar;
  return options;
}

/// What a reader must know of a model before believing its figures on these bars.
std::vector<std::string> notes_of(const ReadyStrategy& ready, const RunArguments& a, const LoadedBars& loaded) {
  std::vector<std::string> notes = ready.warnings;
  if (!ready.backend_note.empty()) notes.push_back(ready.backend_note);
  if (ready.trained_on_synthetic) notes.emplace_back("The model was trained on SYNTHETIC bars.");
  if (!ready.symbols.empty() && std::ranges::find(ready.symbols, a.bars.symbol) == ready.symbols.end()) {
    std::string symbols;
    for (const std::string& symbol : ready.symbols) symbols += (symbols.empty() ? "" : ", ") + symbol;
    notes.push_back("The model was trained on " + symbols + ", not on " + a.bars.symbol + ".");
  }
  const double interval_s =
      static_cast<double>(median_interval_ns(loaded.csv.bars.time_ns)) / static_cast<double>(kSecondNs);
  if (ready.bar_interval_s && *ready.bar_interval_s != interval_s) {
    notes.push_back("The model was trained on bars of " + format_number(*ready.bar_interval_s) + " s, these have " +
                    format_number(interval_s) + " s.");
  }
  return notes;
}

Subject subject_of(const std::string& verb, const RunArguments& a, const LoadedBars& loaded,
                   const ReadyStrategy& ready) {
  return {.verb = verb,
          .program_version = program_version(),
          .symbol = a.bars.symbol,
          .bars_file = loaded.path.filename().string(),
          .skipped = loaded.csv.skipped,
          .synthetic = loaded.csv.synthetic,
          .strategy = ready.identity,
          .strategy_label = ready.label,
          .notes = notes_of(ready, a, loaded),
          .warmup = static_cast<std::size_t>(ready.strategy->warmup())};
}

void publish(const Report& report, const RunArguments& a, std::optional<OutputFile>& json_file) {
  if (!a.out.empty()) write_folder(report, a.out);
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

}  // namespace

void add_run_options(CLI::App& verb, RunArguments& a) {
  add_bars_options(verb, a.bars);
  verb.get_option("symbol")->required();
  add_strategy_options(verb, a.strategy);
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
  verb.add_option("--json", a.json, "Write the report as JSON to this file; - for stdout, in place of the table");
  verb.add_option("--out", a.out, "Write report.json, equity.csv, fills.csv and decisions.csv into this folder");
}

void run_and_report(const std::string& verb, const RunArguments& a, const ChooseMeasured& choose) {
  if (!a.out.empty()) require_replaceable(a.out);
  std::optional<OutputFile> json_file;  // opened before the run: a wrong path must not cost a long one
  if (!a.json.empty() && a.json != "-") json_file.emplace(a.json);
  ReadyStrategy ready = make_strategy(a.strategy);
  for (const std::string& warning : ready.warnings) std::cerr << "sentio_cli: warning: " << warning << '\n';
  if (a.bar_by_bar) ready.strategy = std::make_unique<BarByBar>(std::move(ready.strategy));
  const LoadedBars loaded = load_bars(a.bars, ready.session);
  RunOptions options = options_of(a, loaded);
  const BarsView bars = loaded.csv.bars.view();
  const auto warmup = static_cast<std::size_t>(ready.strategy->warmup());
  const Measured measured = choose(bars, loaded.calendar, warmup);
  options.begin = measured.begin;
  options.end = measured.end;

  Run run;
  {
    ProgressBar progress(ready.identity["name"].get<std::string>());
    run = sentio::run(bars, *ready.strategy, options,
                      [&](std::size_t done, std::size_t total) { progress.show(done, total); });
  }
  const Context context{
      .spans = ready.spans, .synthetic = !loaded.csv.synthetic.is_null(), .periods = measured.periods};
  Analysis analysis = analyse(run, bars, options, context);
  publish({subject_of(verb, a, loaded, ready), bars, options, std::move(run), std::move(analysis)}, a, json_file);
}

}  // namespace sentio::cli

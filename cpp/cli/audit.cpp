#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>

#include "backtest/audit_report.hpp"
#include "backtest/table.hpp"
#include "backtest/text.hpp"
#include "bars/error.hpp"
#include "cli/bars_source.hpp"
#include "cli/output_file.hpp"
#include "cli/progress_bar.hpp"
#include "cli/strategy_source.hpp"
#include "cli/verbs.hpp"
#include "cli/version.hpp"
#include "features/builder.hpp"
#include "inference/tfa_strategy.hpp"

namespace sentio::cli {
namespace {

/// Bars beside the warm-up in a window: the strategy's blocks are no longer.
constexpr std::size_t kWindow = 8192;

/// LibTorch rounds by batch size, and a batch ends where the bars end.
constexpr double kTorchTolerance = 1e-5;

struct Arguments {
  BarsArguments bars;
  StrategyArguments strategy;
  std::string costs = "us_equity";
  std::int64_t cuts = AuditOptions{}.cuts;
  std::int64_t seed = AuditOptions{}.seed;
  std::optional<std::int64_t> window;
  std::string json;  ///< a file, "-" for stdout, or empty
};

void append_features(const FeatureSpec& spec, BarsView bars, std::vector<AuditColumn>& columns) {
  const auto width = static_cast<std::size_t>(spec.width());
  std::vector<float> rows(bars.size() * width);
  FeatureBuilder(spec).build_checked(bars, rows);
  const std::vector<std::string> names = spec.names();
  const std::vector<Column> emitted = spec.emitted_columns();
  for (std::size_t c = 0; c < width; ++c) {
    AuditColumn column{.name = "feature " + names[c], .values = std::vector<double>(bars.size())};
    for (std::size_t t = 0; t < bars.size(); ++t) column.values[t] = rows[t * width + c];
    const int settle = spec.graph().facts(emitted[c]).settle;
    if (settle < kNever) column.settle = static_cast<std::size_t>(std::max(settle, spec.emit_from()));
    columns.push_back(std::move(column));
  }
}

/// The columns of a model: its features, then what the strategy makes of them.
std::vector<AuditColumn> with_features(const Artifact& artifact, const Observe& observe, BarsView bars) {
  std::vector<AuditColumn> columns;
  append_features(artifact.spec(), bars, columns);
  for (AuditColumn& column : observe(bars)) {
    const bool of_network = column.name == "logit" || column.name == "probability";
    if (of_network && artifact.settle()) column.settle = static_cast<std::size_t>(*artifact.settle());
    if (artifact.backend() == "torch") {
      if (!of_network) continue;  // a decision may turn on the last bit of a logit
      column.tolerance = kTorchTolerance;
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

AuditSubject subject_of(const Arguments& a, const ReadyStrategy& ready, const RunOptions& options) {
  const auto* const model = dynamic_cast<const TFAStrategy*>(ready.strategy.get());
  if (model == nullptr) return audit_subject([rule = a.strategy] { return make_strategy(rule).strategy; }, options);
  const Artifact& artifact = model->artifact();
  const AuditSubject decisions = audit_subject([artifact] { return std::make_unique<TFAStrategy>(artifact); }, options);
  return {.observe = [=](BarsView bars) { return with_features(artifact, decisions.observe, bars); },
          .bar_by_bar = [=](BarsView bars) { return with_features(artifact, decisions.bar_by_bar, bars); }};
}

/// What is left out, and why; empty if nothing is.
std::string left_out(const ReadyStrategy& ready) {
  const auto* const model = dynamic_cast<const TFAStrategy*>(ready.strategy.get());
  if (model == nullptr || model->artifact().backend() != "torch") return "";
  return "Exposures, fills and equity are not compared: LibTorch rounds by batch size, and a decision may turn on "
         "that. "
         "With --backend native they are, where the artifact has its graph.";
}

std::string settings_text(const AuditOptions& options, std::size_t bars) {
  const bool whole = options.window == 0 || options.window >= bars;
  return counted(options.cuts, "cut") + ", seed " + std::to_string(options.seed) + ", " +
         (whole ? "all bars each" : "windows of " + counted(options.window, "bar"));
}

nlohmann::ordered_json document_of(const Arguments& a, const LoadedBars& loaded, const ReadyStrategy& ready,
                                   const AuditOptions& options, const AuditResult& result) {
  nlohmann::ordered_json document = {
      {"verb", "audit"},
      {"program_version", program_version()},
      {"symbol", a.bars.symbol},
      {"bars", {{"file", loaded.path.filename().string()}, {"count", loaded.csv.bars.size()}}},
      {"strategy", ready.identity},
      {"left_out", left_out(ready)},
      {"settings",
       {{"cuts", options.cuts},
        {"seed", options.seed},
        {"window", options.window},
        {"warmup", options.warmup},
        {"costs", a.costs}}}};
  document.update(to_json(result));
  return document;
}

/// @throws std::invalid_argument "--cuts must be at least 1, found 0"
std::size_t whole(const char* option, std::int64_t value, std::int64_t least) {
  if (value >= least) return static_cast<std::size_t>(value);
  throw std::invalid_argument(std::string(option) + " must be at least " + std::to_string(least) + ", found " +
                              std::to_string(value));
}

void run(const Arguments& a) {
  std::optional<OutputFile> json_file;
  if (!a.json.empty() && a.json != "-") json_file.emplace(a.json);
  const ReadyStrategy ready = make_strategy(a.strategy);
  for (const std::string& warning : ready.warnings) std::cerr << "sentio_cli: warning: " << warning << '\n';
  const LoadedBars loaded = load_bars(a.bars, ready.session);
  const BarsView bars = loaded.csv.bars.view();
  RunOptions run_options;
  run_options.broker.costs = find_costs(a.costs);
  run_options.calendar = loaded.calendar;

  AuditOptions options{.cuts = whole("--cuts", a.cuts, 1),
                       .seed = whole("--seed", a.seed, 0),
                       .warmup = static_cast<std::size_t>(ready.strategy->warmup())};
  if (options.warmup + 2 >= bars.size())
    throw InputError(counted(bars.size(), "bar") + " leave no bar to cut at after the " + grouped(options.warmup) +
                     " that the strategy wants as warm-up");
  const std::size_t history = std::max(options.warmup, static_cast<std::size_t>(ready.settle_bars.value_or(0)));
  options.window = a.window ? whole("--window", *a.window, 0) : kWindow + 2 * history;
  if (options.window != 0 && options.window < options.warmup + 2)
    throw std::invalid_argument("--window must be 0 or at least " + std::to_string(options.warmup + 2) +
                                ", the strategy's warm-up and 2 bars, found " + std::to_string(options.window));

  AuditResult result;
  {
    ProgressBar progress("audit");
    result = audit(bars, subject_of(a, ready, run_options), options,
                   [&](std::size_t done, std::size_t total) { progress.show(done, total); });
  }
  const std::string document = document_of(a, loaded, ready, options, result).dump(2);
  if (json_file) {
    json_file->stream() << document << '\n';
    json_file->commit();
  }
  if (a.json == "-") {
    std::cout << document << '\n';
  } else {
    std::cout << "Look-ahead audit of " << ready.label << " on " << loaded.path.filename().string() << ", "
              << counted(bars.size(), "bar") << "\n"
              << settings_text(options, bars.size()) << "\n"
              << (left_out(ready).empty() ? "" : wrapped("", left_out(ready), 0))
              << to_text(result, isatty(STDOUT_FILENO) != 0);
  }
  if (!result.clean()) throw std::runtime_error("audit: " + describe(result.differences.front()));
}

}  // namespace

void add_audit(CLI::App& app) {
  auto* verb = app.add_subcommand("audit", "Looks for look-ahead: replaces the future by noise and compares");
  auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  add_bars_options(*verb, a.bars);
  add_strategy_options(*verb, a.strategy);
  verb->add_option("--costs", a.costs, "A shipped cost model (see list costs) or a cost file")->capture_default_str();
  verb->add_option("--cuts", a.cuts, "Bars at which the future is replaced by each kind of noise")
      ->capture_default_str();
  verb->add_option("--seed", a.seed, "Seed of the cuts and of the noise")->capture_default_str();
  verb->add_option("--window", a.window,
                   "Bars that are run around each cut, 0 for all (default: 8192 and twice the strategy's memory)");
  verb->add_option("--json", a.json, "Write the result as JSON to this file; - for stdout, in place of the table");
  verb->callback([arguments] { run(*arguments); });
}

}  // namespace sentio::cli

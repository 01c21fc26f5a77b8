#include <algorithm>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include "backtest/text.hpp"
#include "bars/error.hpp"
#include "bars/number.hpp"
#include "bars/time.hpp"
#include "cli/bars_source.hpp"
#include "cli/model.hpp"
#include "cli/verbs.hpp"
#include "features/spec.hpp"

namespace sentio::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string path;
  std::string on_bad_bar = "refuse";
};

void check_spec(const fs::path& path) {
  const FeatureSpec spec = FeatureSpec::load(path);
  std::cout << path.string() << ": a feature spec with " << counted(static_cast<std::size_t>(spec.width()), "feature")
            << ", warm-up " << counted(static_cast<std::size_t>(spec.warmup()), "bar") << ", rows from bar "
            << spec.emit_from() << " on, " << spec.hash() << '\n';
  for (const std::string& warning : spec.warnings()) std::cout << "  note: " << warning << '\n';
}

void check_bars(const Arguments& arguments) {
  BarsArguments wanted;
  wanted.bars = arguments.path;
  wanted.on_bad_bar = arguments.on_bad_bar;
  const LoadedBars loaded = load_bars(wanted);
  const Bars& bars = loaded.csv.bars;
  const double interval_s = static_cast<double>(median_interval_ns(bars.time_ns)) / static_cast<double>(kSecondNs);
  const auto silent = static_cast<std::size_t>(std::ranges::count(bars.volume, 0.0));
  std::cout << arguments.path << ": " << counted(bars.size(), "bar") << " of " << format_number(interval_s) << " s, "
            << format_time(bars.time_ns.front()) << " to " << format_time(bars.time_ns.back()) << ", "
            << grouped(silent) << " without volume\n";
  if (!loaded.csv.synthetic.is_null()) std::cout << "  SYNTHETIC DATA: generated, not recorded\n";
  for (const SkippedBars& kind : loaded.csv.skipped) {
    std::cout << "  skipped " << counted(kind.count, "bad bar") << " (" << kind.kind << "), first " << kind.first
              << '\n';
  }
}

void run(const Arguments& arguments) {
  const fs::path path = arguments.path;
  if (!fs::exists(path)) throw InputError(arguments.path + ": no such file or folder");
  if (fs::is_directory(path)) {
    std::cout << describe_artifact(path);
  } else if (path.extension() == ".json") {
    check_spec(path);
  } else {
    check_bars(arguments);
  }
}

}  // namespace

void add_check(CLI::App& app) {
  auto* verb = app.add_subcommand("check", "Checks bars, a feature spec (.json) or a trained model (a folder)");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("path", arguments->path, "What to check")->required();
  verb->add_option("--on-bad-bar", arguments->on_bad_bar, "refuse the file, or skip bad bars and count them")
      ->check(CLI::IsMember({"refuse", "skip"}))
      ->capture_default_str();
  verb->callback([arguments] { run(*arguments); });
}

}  // namespace sentio::cli

#include <algorithm>
#include <iostream>
#include <memory>
#include <stdexcept>

#include "backtest/text.hpp"
#include "cli/bars_source.hpp"
#include "cli/matrix_writer.hpp"
#include "cli/output_file.hpp"
#include "cli/progress_bar.hpp"
#include "cli/verbs.hpp"
#include "features/builder.hpp"

namespace sentio::cli {
namespace {

constexpr std::size_t kBlock = 4096;

struct Arguments {
  BarsArguments bars;
  std::string spec, out;
};

enum class Format { csv, npy };

Format format_of(const std::string& out) {
  if (out == "-" || out.ends_with(".csv")) return Format::csv;
  if (out.ends_with(".npy")) return Format::npy;
  throw std::invalid_argument("--out must end in .csv or .npy, or be - for CSV on stdout, found '" + out + "'");
}

void write_matrix(std::ostream& out, Format format, BarsView bars, const FeatureSpec& spec) {
  const auto width = static_cast<std::size_t>(spec.width());
  if (format == Format::npy) {
    const std::string header = npy_header(bars.size(), width);
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
  } else {
    write_csv_header(out, spec.names());
  }
  FeatureBuilder builder(spec);
  std::vector<float> rows;
  ProgressBar progress("features");
  for (std::size_t begin = 0; begin < bars.size(); begin += kBlock) {
    const BarsView block = bars.subview(begin, std::min(kBlock, bars.size() - begin));
    rows.resize(block.size() * width);
    builder.build(block, rows);
    if (format == Format::npy) {
      write_npy_rows(out, rows);
    } else {
      write_csv_rows(out, block.time_ns, rows);
    }
    progress.show(begin + block.size(), bars.size());
  }
}

void run(const Arguments& arguments) {
  const Format format = format_of(arguments.out);
  const FeatureSpec spec = FeatureSpec::load(arguments.spec);
  for (const std::string& warning : spec.warnings()) std::cerr << "sentio_cli: warning: " << warning << '\n';
  const LoadedBars loaded = load_bars(arguments.bars);
  for (const SkippedBars& kind : loaded.csv.skipped) {
    std::cerr << "sentio_cli: warning: skipped " << counted(kind.count, "bad bar") << " (" << kind.kind << "), first "
              << kind.first << '\n';
  }
  if (arguments.out == "-") {
    write_matrix(std::cout, format, loaded.csv.bars.view(), spec);
    return;
  }
  OutputFile file(arguments.out);
  write_matrix(file.stream(), format, loaded.csv.bars.view(), spec);
  file.commit();
}

}  // namespace

void add_features(CLI::App& app) {
  auto* verb = app.add_subcommand("features", "Bars in, feature matrix out");
  auto arguments = std::make_shared<Arguments>();
  add_bars_options(*verb, arguments->bars);
  verb->add_option("--spec", arguments->spec, "Feature spec, JSON")->required();
  verb->add_option("--out", arguments->out, "The matrix: FILE.csv, FILE.npy (float32), or - for CSV on stdout")
      ->required();
  verb->callback([arguments] { run(*arguments); });
}

}  // namespace sentio::cli

// Trades a model on bars as they come: build/embed artifacts/TFA/v1 bars.csv prints a line for each.

#include <exception>
#include <iostream>
#include <utility>

#include "bars/csv.hpp"
#include "bars/number.hpp"
#include "bars/time.hpp"
#include "inference/tfa_strategy.hpp"

namespace {

/// What stands for your feed: calls `on_bar` with each bar of a file.
template <class OnBar>
void read_feed(const char* path, const OnBar& on_bar) {
  sentio::CsvReader reader(path);
  for (sentio::Bars bars = reader.next(1); !bars.empty(); bars = reader.next(1)) on_bar(bars[0]);
}

void run(const char* folder, const char* feed) {
  sentio::Artifact artifact = sentio::Artifact::load(folder);  // verified, or refused
  for (const std::string& warning : artifact.warnings()) std::cerr << "embed: " << warning << '\n';
  sentio::TFAStrategy strategy(std::move(artifact));
  read_feed(feed, [&](const sentio::Bar& bar) {
    const sentio::Decision decision = strategy.on_bar(bar);
    std::cout << sentio::format_time(bar.time_ns) << ',' << sentio::format_number(decision.exposure) << ','
              << sentio::format_number(decision.probability) << ',' << decision.reason << '\n';
  });
}

}  // namespace

int main(int count, char** arguments) try {
  if (count != 3) {
    std::cerr << "embed: an artifact folder and a file of bars are needed\n";
    return 2;
  }
  run(arguments[1], arguments[2]);
} catch (const std::exception& error) {
  std::cerr << "embed: " << error.what() << '\n';
  return 1;
}

// How long it takes from a bar to a decision when bars come one by one: features, the network, the rule.
//
// Each bar is timed alone, from the second one that has a logit on, as the first makes room for it; the clock's own
// time is inside every figure and is measured beside them. Usage: decision native|torch ARTIFACT BARS.csv PASSES; one
// JSON document on standard output.

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "allocation/allocations.hpp"
#include "bars/csv.hpp"
#include "inference/tfa_strategy.hpp"
#include "times.hpp"

namespace {

using namespace sentio;
using namespace sentio::bench;
using Json = nlohmann::json;

/// More say no more.
constexpr std::size_t kMostBars = 100'000;

Json pass(const Artifact& artifact, BarsView bars, std::size_t first) {
  TFAStrategy strategy(artifact);
  for (std::size_t t = 0; t < first; ++t) static_cast<void>(strategy.on_bar(bars[t]));
  std::vector<std::uint32_t> times(bars.size() - first);
  double exposure = 0.0;
  const std::size_t before = test::allocations();
  for (std::size_t t = first; t < bars.size(); ++t) {
    const Bar bar = bars[t];
    const auto began = Clock::now();
    exposure += strategy.on_bar(bar).exposure;
    times[t - first] = nanoseconds_since(began);
  }
  const std::size_t allocated = test::allocations() - before;
  Json result = distribution(times);
  result["allocations"] = allocated;
  result["exposure"] = exposure;
  return result;
}

}  // namespace

int main(int count, char** arguments) {
  const std::span<char*> given(arguments, static_cast<std::size_t>(count));
  if (given.size() != 5) {
    std::cerr << "usage: decision native|torch ARTIFACT BARS.csv PASSES\n";
    return 2;
  }
  const Backend backend = std::string_view(given[1]) == "native" ? Backend::native : Backend::torch;
  try {
    const Artifact artifact = Artifact::load(given[2], {.backend = backend});
    const Bars file = read_csv(given[3]).bars;
    const BarsView bars = file.view().subview(0, std::min(kMostBars, file.size()));
    const auto first = static_cast<std::size_t>(artifact.warmup()) + 1;
    if (bars.size() <= first) {
      std::cerr << given[3] << ": has no bar after the warm-up\n";
      return 2;
    }
    Json result = {{"bars", bars.size() - first}, {"clock", clock_alone(bars.size())}, {"passes", Json::array()}};
    const int passes = std::stoi(given[4]);
    for (int i = 0; i < passes; ++i) result["passes"].push_back(pass(artifact, bars, first));
    std::cout << result.dump() << '\n';
  } catch (const InputError& error) {
    std::cout << Json{{"refused", error.what()}}.dump() << '\n';
  }
  return 0;
}

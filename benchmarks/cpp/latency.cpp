// How long one bar takes when bars come one by one: the distribution over all bars of a file, and what it allocates.
//
// Each push is timed alone with std::chrono::steady_clock; the clock's own time is inside every figure and is measured
// beside them. Usage: latency BARS.csv PASSES SPEC.json...; one JSON document on standard output.

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "allocation/allocations.hpp"
#include "bars/csv.hpp"
#include "features/builder.hpp"
#include "times.hpp"

namespace {

using namespace sentio;
using namespace sentio::bench;
using Json = nlohmann::json;

/// Larger than a core's own caches: what a program that does other things between two bars has left of them.
constexpr std::size_t kOtherWork = std::size_t{4} << 20;
/// Between two bars of the cold run all of that is walked, so that fewer bars must do.
constexpr std::size_t kColdBars = 5'000;

/// One run over `bars` from a fresh start; `between` is called before each bar, outside of the time.
Json pass(const FeatureSpec& spec, BarsView bars, auto between) {
  FeatureBuilder builder(spec);
  std::vector<float> row(static_cast<std::size_t>(spec.width()));
  std::vector<std::uint32_t> times(bars.size());
  const std::size_t before = test::allocations();
  for (std::size_t t = 0; t < bars.size(); ++t) {
    const Bar bar = bars[t];
    between();
    const auto began = Clock::now();
    builder.push(bar, row);
    times[t] = nanoseconds_since(began);
  }
  const std::size_t allocated = test::allocations() - before;
  Json result = distribution(times);
  result["allocations"] = allocated;
  return result;
}

}  // namespace

int main(int count, char** arguments) {
  const std::span<char*> given(arguments, static_cast<std::size_t>(count));
  if (given.size() < 4) {
    std::cerr << "usage: latency BARS.csv PASSES SPEC.json...\n";
    return 2;
  }
  const Bars bars = read_csv(given[1]).bars;
  const int passes = std::stoi(given[2]);
  std::vector<unsigned char> other_work(kOtherWork);

  Json result = {{"bars", bars.size()}, {"clock", clock_alone(bars.size())}, {"specs", Json::array()}};
  for (const char* const path : given.subspan(3)) {
    const FeatureSpec spec = FeatureSpec::load(path);
    Json warm = Json::array();
    for (int i = 0; i < passes; ++i) warm.push_back(pass(spec, bars.view(), [] {}));
    const Json cold = pass(spec, bars.view().subview(0, std::min(kColdBars, bars.size())), [&] {
      for (std::size_t i = 0; i < other_work.size(); i += 64) ++other_work[i];
    });
    result["specs"].push_back({{"spec", std::filesystem::path(path).stem().string()}, {"warm", warm}, {"cold", cold}});
  }
  std::cout << result.dump() << '\n';
  return 0;
}

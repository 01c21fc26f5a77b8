// Nanoseconds a bar of every op of the registry, with its default parameters: in a batch, and bar by bar.
// The cost of taking a bar and writing its row is in each of them; IDENT has hardly any other.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "bars/bars.hpp"
#include "features/builder.hpp"
#include "features/registry.hpp"

namespace {

using namespace sentio;

constexpr std::size_t kBars = 16'384;

Bars random_walk() {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  Bars bars;
  double price = 100.0;
  for (std::size_t i = 0; i < kBars; ++i) {
    const double open = price, close = open * std::exp(0.001 * normal(random));
    const double high = std::max(open, close) * (1.0 + 0.0005 * std::abs(normal(random)));
    const double low = std::min(open, close) * (1.0 - 0.0005 * std::abs(normal(random)));
    bars.push_back({static_cast<std::int64_t>(i), open, high, low, close, std::exp(8.0 + normal(random))});
    price = close;
  }
  return bars;
}

FeatureSpec spec_of(const Op& op) {
  nlohmann::json feature = {{"name", "x"}, {"op", op.name}};
  if (op.sources == 2) feature["sources"] = {"close", "open"};
  return FeatureSpec::from_json(nlohmann::json{{"schema_version", "1.0"}, {"features", {feature}}}.dump());
}

/// Shows as "ns_a_bar" in nanoseconds.
void report(benchmark::State& state) {
  using benchmark::Counter;
  const double bars = static_cast<double>(state.iterations()) * static_cast<double>(kBars);
  state.counters["ns_a_bar"] = Counter(bars * 1e-9, Counter::kIsRate | Counter::kInvert);
}

void batch(benchmark::State& state, const FeatureBuilder& fresh, const Bars& bars) {
  std::vector<float> matrix(bars.size());
  for (auto _ : state) {
    FeatureBuilder builder = fresh;
    builder.build(bars.view(), matrix);
    benchmark::DoNotOptimize(matrix.data());
  }
  report(state);
}

void step(benchmark::State& state, const FeatureBuilder& fresh, const Bars& bars) {
  float cell = 0.0F;
  for (auto _ : state) {
    FeatureBuilder builder = fresh;
    for (std::size_t t = 0; t < bars.size(); ++t) {
      builder.push(bars[t], {&cell, 1});
      benchmark::DoNotOptimize(cell);
    }
  }
  report(state);
}

}  // namespace

int main(int count, char** arguments) {
  const Bars bars = random_walk();
  for (const Op& op : ops()) {
    const FeatureBuilder fresh(spec_of(op));
    benchmark::RegisterBenchmark(("batch/" + op.name).c_str(),
                                 [&bars, fresh](auto& state) { batch(state, fresh, bars); });
    benchmark::RegisterBenchmark(("step/" + op.name).c_str(),
                                 [&bars, fresh](auto& state) { step(state, fresh, bars); });
  }
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

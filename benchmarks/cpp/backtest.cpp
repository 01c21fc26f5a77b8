// Milliseconds of a backtest of a million one-minute bars: the simulation alone, with a rule before it, and with the
// analysis behind it.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <utility>
#include <vector>

#include "backtest/analysis.hpp"
#include "backtest/simulation.hpp"
#include "market.hpp"
#include "strategies/registry.hpp"

namespace {

using namespace sentio;

constexpr std::size_t kBars = 1'000'000;
constexpr std::size_t kHeld = 100;  // bars that a given exposure is held

const Bars& bars() {
  static const Bars made = test::random_bars(kBars, 1, 0.0005);
  return made;
}

RunOptions options() {
  RunOptions options;
  options.broker.costs = find_costs("us_equity");
  options.calendar = session_calendar("utc_day");
  return options;
}

std::vector<Decision> given() {
  constexpr double kExposures[] = {1.0, 0.0, -0.5};
  std::vector<Decision> decisions(kBars);
  for (std::size_t i = 0; i < kBars; ++i) decisions[i] = {.exposure = kExposures[i / kHeld % 3], .reason = "given"};
  return decisions;
}

void given_exposures(benchmark::State& state) {
  const RunOptions run_options = options();
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<Decision> decisions = given();
    state.ResumeTiming();
    benchmark::DoNotOptimize(run_decisions(bars().view(), std::move(decisions), run_options));
  }
}

void rule(benchmark::State& state) {
  const StrategyRow& row = *find_strategy("sma_cross");
  const RunOptions run_options = options();
  for (auto _ : state) {
    const auto strategy = row.make(parse_params(row, ""));
    benchmark::DoNotOptimize(run(bars().view(), *strategy, run_options));
  }
}

void analysis(benchmark::State& state) {
  const RunOptions run_options = options();
  const Run run = run_decisions(bars().view(), given(), run_options);
  for (auto _ : state) benchmark::DoNotOptimize(analyse(run, bars().view(), run_options, {}));
}

BENCHMARK(given_exposures)->Name("given exposures")->Unit(benchmark::kNanosecond);
BENCHMARK(rule)->Name("sma_cross")->Unit(benchmark::kNanosecond);
BENCHMARK(analysis)->Name("the analysis of given exposures")->Unit(benchmark::kNanosecond);

}  // namespace

BENCHMARK_MAIN();

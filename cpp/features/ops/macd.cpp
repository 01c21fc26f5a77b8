#include <algorithm>

#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/smoothing.hpp"

namespace sentio {
namespace {

struct Macd {
  Column line, signal;
};

/// Both averages start on the bar on which the longer one is full, as in TA-Lib, and the three outputs start together.
Macd macd(Graph& graph, const Args& args) {
  const int a = args.integer(0), b = args.integer(1), smooth = args.integer(2);
  const int fast = std::min(a, b), slow = std::max(a, b);
  const Column fast_mean = graph.add(exponential_mean(fast, fast, slow - fast), {args.source()});
  const Column slow_mean = graph.add(exponential_mean(slow, slow), {args.source()});
  const Column line = graph.add(Minus{}, {fast_mean, slow_mean});
  return {graph.add(Minus{smooth - 1}, {fast_mean, slow_mean}), graph.add(exponential_mean(smooth, smooth), {line})};
}

constexpr const char* kReference = "TA-Lib MACD; Appel 1979";

}  // namespace

std::vector<Op> macd_ops() {
  const std::vector<Param> params = {{.name = "fast", .fallback = 12, .min = 2, .max = 10'000},
                                     {.name = "slow", .fallback = 26, .min = 2, .max = 10'000},
                                     {.name = "signal", .fallback = 9, .min = 1, .max = 10'000}};
  return {
      {.name = "MACD_LINE",
       .formula = "EMA(fast) - EMA(slow), both seeded on the bar that fills the slow one",
       .reference = kReference,
       .sources = 1,
       .params = params,
       .degree = 1,
       .build = [](Graph& graph, const Args& args) { return macd(graph, args).line; }},
      {.name = "MACD_SIGNAL",
       .formula = "EMA(signal) of the MACD line",
       .reference = kReference,
       .sources = 1,
       .params = params,
       .degree = 1,
       .build = [](Graph& graph, const Args& args) { return macd(graph, args).signal; }},
      {.name = "MACD_HISTOGRAM",
       .formula = "MACD line - MACD signal",
       .reference = kReference,
       .sources = 1,
       .params = params,
       .degree = 1,
       .build =
           [](Graph& graph, const Args& args) {
             const auto [line, signal] = macd(graph, args);
             return graph.add(Minus{}, {line, signal});
           }},
  };
}

}  // namespace sentio

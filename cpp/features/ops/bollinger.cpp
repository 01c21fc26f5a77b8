#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/window.hpp"

namespace sentio {
namespace {

struct Band {
  static constexpr int kInputs = 2;
  double k;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* mean, const double* deviation) const { return limited(*mean + k * *deviation); }
  bool operator==(const Band&) const = default;
};

Column band(Graph& graph, Column x, int window, double k) {
  return graph.add(Band{k}, {window_mean(graph, x, window), window_std(graph, x, window)});
}

constexpr const char* kReference = "TA-Lib BBANDS; Bollinger 1983";

}  // namespace

std::vector<Op> bollinger_ops() {
  const std::vector<Param> params = {window_param(20, 2),
                                     {.name = "k", .fallback = 2.0, .min = 0.0, .max = 100.0, .integer = false}};
  return {
      {.name = "BOLLINGER_UPPER",
       .formula = "SMA(n) + k population std(n)",
       .reference = kReference,
       .sources = 1,
       .params = params,
       .degree = 1,
       .build = [](Graph& graph,
                   const Args& args) { return band(graph, args.source(), args.integer(0), args.number(1)); }},
      {.name = "BOLLINGER_MIDDLE",
       .formula = "SMA(n)",
       .reference = kReference,
       .sources = 1,
       .params = params,
       .degree = 1,
       .build = [](Graph& graph, const Args& args) { return window_mean(graph, args.source(), args.integer(0)); }},
      {.name = "BOLLINGER_LOWER",
       .formula = "SMA(n) - k population std(n)",
       .reference = kReference,
       .sources = 1,
       .params = params,
       .degree = 1,
       .build = [](Graph& graph,
                   const Args& args) { return band(graph, args.source(), args.integer(0), -args.number(1)); }},
  };
}

}  // namespace sentio

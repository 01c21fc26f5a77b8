#include "features/op.hpp"
#include "features/window.hpp"

namespace sentio {
namespace {

struct PercentK {
  static constexpr int kInputs = 3;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* close, const double* lowest, const double* highest) const {
    return *highest > *lowest ? 100.0 * ((*close - *lowest) / (*highest - *lowest)) : 50.0;
  }
  bool operator==(const PercentK&) const = default;
};

struct PercentR {
  static constexpr int kInputs = 3;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* close, const double* lowest, const double* highest) const {
    return *highest > *lowest ? -100.0 * ((*highest - *close) / (*highest - *lowest)) : -50.0;
  }
  bool operator==(const PercentR&) const = default;
};

template <class Formula>
Column in_range(Graph& graph, int window) {
  return graph.add(Formula{}, {kClose, window_min(graph, kLow, window), window_max(graph, kHigh, window)});
}

}  // namespace

std::vector<Op> stochastic_ops() {
  const Param smooth{.name = "smooth", .fallback = 3, .min = 1, .max = 10'000};
  return {
      {.name = "STOCHASTIC_K",
       .formula = "100 (c - L)/(H - L), L and H over the last n bars; 50 on a flat range",
       .reference = "TA-Lib STOCHF, fast %K; Lane 1984",
       .params = {window_param(14)},
       .build = [](Graph& graph, const Args& args) { return in_range<PercentK>(graph, args.integer(0)); }},
      {.name = "STOCHASTIC_D",
       .formula = "mean of the last `smooth` values of %K(n)",
       .reference = "TA-Lib STOCHF, fast %D; Lane 1984",
       .params = {window_param(14), smooth},
       .build =
           [](Graph& graph, const Args& args) {
             return window_mean(graph, in_range<PercentK>(graph, args.integer(0)), args.integer(1));
           }},
      {.name = "WILLIAMS_R",
       .formula = "-100 (H - c)/(H - L), L and H over the last n bars; -50 on a flat range",
       .reference = "TA-Lib WILLR; Williams 1973",
       .params = {window_param(14)},
       .build = [](Graph& graph, const Args& args) { return in_range<PercentR>(graph, args.integer(0)); }},
  };
}

}  // namespace sentio

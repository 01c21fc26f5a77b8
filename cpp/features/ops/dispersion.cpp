#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/window.hpp"

namespace sentio {
namespace {

struct StandardScore {
  static constexpr int kInputs = 3;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* x, const double* mean, const double* deviation) const {
    return ratio_or_zero(*x - *mean, *deviation);
  }
  bool operator==(const StandardScore&) const = default;
};

}  // namespace

std::vector<Op> dispersion_ops() {
  return {
      {.name = "STD",
       .formula = "population standard deviation of the last n values",
       .reference = "TA-Lib STDDEV",
       .sources = 1,
       .params = {window_param(20, 2)},
       .degree = 1,
       .build = [](Graph& graph, const Args& args) { return window_std(graph, args.source(), args.integer(0)); }},
      {.name = "VOLATILITY",
       .formula = "population standard deviation of the last n log returns of x, or of the last n values where x is "
                  "`logret`; not annualised",
       .reference = "definition",
       .sources = 1,
       .params = {window_param(20, 2)},
       .build =
           [](Graph& graph, const Args& args) {
             // The volatility of the log return is that of the price: a log return of it would mean nothing.
             const bool is_return = args.source() == graph.find(LogReturn{1}, {kClose});
             const Column returns = is_return ? args.source() : log_return(graph, args.source());
             return window_std(graph, returns, args.integer(0));
           }},
      {.name = "ZWIN",
       .formula = "(x - mean) / std over the last n values, population; 0 where std is 0",
       .reference = "definition",
       .sources = 1,
       .params = {window_param(20, 2)},
       .build =
           [](Graph& graph, const Args& args) {
             const int window = args.integer(0);
             return graph.add(StandardScore{}, {args.source(), window_mean(graph, args.source(), window),
                                                window_std(graph, args.source(), window)});
           }},
  };
}

}  // namespace sentio

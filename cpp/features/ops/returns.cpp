#include "features/op.hpp"
#include "features/ops/formulas.hpp"

namespace sentio {
namespace {

struct Lag {
  static constexpr int kInputs = 1;
  int window;
  [[nodiscard]] int lookback() const { return window; }
  [[nodiscard]] double at(const double* x) const { return x[-window]; }
  bool operator==(const Lag&) const = default;
};

struct Percent {
  static constexpr int kInputs = 1;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* x) const { return limited(100.0 * *x); }
  bool operator==(const Percent&) const = default;
};

}  // namespace

std::vector<Op> return_ops() {
  return {
      {.name = "IDENT",
       .formula = "x[t]",
       .reference = "identity",
       .sources = 1,
       .degree = 1,
       .build = [](Graph&, const Args& args) { return args.source(); }},
      {.name = "LAG",
       .formula = "x[t-n]",
       .reference = "definition",
       .sources = 1,
       .params = {window_param(1)},
       .degree = 1,
       .build = [](Graph& graph, const Args& args) { return graph.add(Lag{args.integer(0)}, {args.source()}); }},
      {.name = "LOGRET",
       .formula = "ln((offset + x[t]) / (offset + x[t-n])); 0 where either side is not above 0",
       .reference = "definition; an offset of 1 keeps zero volumes defined",
       .sources = 1,
       .params = {window_param(1), {.name = "offset", .fallback = 0.0, .min = 0.0, .max = 1e9, .integer = false}},
       .build =
           [](Graph& graph, const Args& args) {
             return graph.add(LogReturn{args.integer(0), args.number(1)}, {args.source()});
           }},
      {.name = "MOMENTUM",
       .formula = "x[t] / x[t-n] - 1; 0 where x[t-n] is 0",
       .reference = "TA-Lib ROCP",
       .sources = 1,
       .params = {window_param(10)},
       .build = [](Graph& graph,
                   const Args& args) { return graph.add(SimpleReturn{args.integer(0)}, {args.source()}); }},
      {.name = "ROC",
       .formula = "100 (x[t] / x[t-n] - 1); 0 where x[t-n] is 0",
       .reference = "TA-Lib ROC",
       .sources = 1,
       .params = {window_param(10)},
       .build =
           [](Graph& graph, const Args& args) {
             return graph.add(Percent{}, {graph.add(SimpleReturn{args.integer(0)}, {args.source()})});
           }},
  };
}

}  // namespace sentio

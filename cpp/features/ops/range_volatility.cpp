#include <cmath>
#include <numbers>

#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/window.hpp"

namespace sentio {
namespace {

[[nodiscard]] double squared(double x) { return x * x; }

struct SquaredLogRange {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* high, const double* low) const { return squared(log_of(*high / *low)); }
  bool operator==(const SquaredLogRange&) const = default;
};

struct GarmanKlassTerm {
  static constexpr int kInputs = 3;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* squared_range, const double* close, const double* open) const {
    return 0.5 * *squared_range - (2.0 * std::numbers::ln2 - 1.0) * squared(log_of(*close / *open));
  }
  bool operator==(const GarmanKlassTerm&) const = default;
};

/// sqrt(max(0, x) / divisor).
struct RootOfMean {
  static constexpr int kInputs = 1;
  double divisor;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* x) const { return std::sqrt(*x > 0.0 ? *x / divisor : 0.0); }
  bool operator==(const RootOfMean&) const = default;
};

}  // namespace

std::vector<Op> range_volatility_ops() {
  return {
      {.name = "PARKINSON",
       .formula = "sqrt(mean of ln(h/l)^2 over n bars / (4 ln 2))",
       .reference = "Parkinson, Journal of Business 53, 1980",
       .params = {window_param(20)},
       .build =
           [](Graph& graph, const Args& args) {
             const Column mean = window_mean(graph, graph.add(SquaredLogRange{}, {kHigh, kLow}), args.integer(0));
             return graph.add(RootOfMean{4.0 * std::numbers::ln2}, {mean});
           }},
      {.name = "GARMAN_KLASS",
       .formula = "sqrt(max(0, mean of 1/2 ln(h/l)^2 - (2 ln 2 - 1) ln(c/o)^2 over n bars))",
       .reference = "Garman & Klass, Journal of Business 53, 1980",
       .params = {window_param(20)},
       .build =
           [](Graph& graph, const Args& args) {
             const Column range = graph.add(SquaredLogRange{}, {kHigh, kLow});
             const Column term = graph.add(GarmanKlassTerm{}, {range, kClose, kOpen});
             return graph.add(RootOfMean{1.0}, {window_mean(graph, term, args.integer(0))});
           }},
  };
}

}  // namespace sentio

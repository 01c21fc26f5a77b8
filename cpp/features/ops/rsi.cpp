#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/smoothing.hpp"

namespace sentio {
namespace {

struct Gain {
  static constexpr int kInputs = 1;
  [[nodiscard]] int lookback() const { return 1; }
  [[nodiscard]] double at(const double* x) const { return x[0] > x[-1] ? x[0] - x[-1] : 0.0; }
  bool operator==(const Gain&) const = default;
};

struct Loss {
  static constexpr int kInputs = 1;
  [[nodiscard]] int lookback() const { return 1; }
  [[nodiscard]] double at(const double* x) const { return x[0] < x[-1] ? x[-1] - x[0] : 0.0; }
  bool operator==(const Loss&) const = default;
};

struct RelativeStrength {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* gain, const double* loss) const {
    const double both = *gain + *loss;
    return both > kFaded ? 100.0 * (*gain / both) : 50.0;  // no change was seen: neither side leads
  }
  bool operator==(const RelativeStrength&) const = default;
};

}  // namespace

std::vector<Op> rsi_ops() {
  return {{.name = "RSI",
           .formula = "100 G/(G+L), Wilder means of gains and losses; 50 where no change was seen",
           .reference = "Wilder, New Concepts in Technical Trading Systems, 1978",
           .sources = 1,
           .params = {window_param(14)},
           .build = [](Graph& graph, const Args& args) {
             const Column gain = graph.add(wilder_mean(args.integer(0)), {graph.add(Gain{}, {args.source()})});
             const Column loss = graph.add(wilder_mean(args.integer(0)), {graph.add(Loss{}, {args.source()})});
             return graph.add(RelativeStrength{}, {gain, loss});
           }}};
}

}  // namespace sentio

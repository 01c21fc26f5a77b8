#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/window.hpp"

namespace sentio {
namespace {

/// Rounding decides whether typical prices that differ by less than this share of themselves are equal.
constexpr double kTie = 1e-10;

/// Typical price times volume where the typical price moved in the wanted direction, else 0.
struct Flow {
  static constexpr int kInputs = 2;
  double direction;  ///< 1: up, -1: down
  [[nodiscard]] int lookback() const { return 1; }
  [[nodiscard]] double at(const double* price, const double* volume) const {
    const double moved = direction * (price[0] - price[-1]);
    return moved >= kTie * price[-1] ? price[0] * *volume : 0.0;
  }
  bool operator==(const Flow&) const = default;
};

struct FlowIndex {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* up, const double* down) const {
    const double both = *up + *down;
    return both > 0.0 ? 100.0 * (*up / both) : 50.0;
  }
  bool operator==(const FlowIndex&) const = default;
};

}  // namespace

std::vector<Op> mfi_ops() {
  return {{.name = "MFI",
           .formula =
               "100 U/(U+D), sums of p v over the last n bars with p = (h+l+c)/3 up or down by at least 1e-10 p; "
               "50 where no flow was seen",
           .reference = "TA-Lib MFI; Quong & Soudack 1989",
           .params = {window_param(14)},
           .build = [](Graph& graph, const Args& args) {
             const Column price = typical_price(graph);
             const Column up = window_sum(graph, graph.add(Flow{1.0}, {price, kVolume}), args.integer(0));
             const Column down = window_sum(graph, graph.add(Flow{-1.0}, {price, kVolume}), args.integer(0));
             return graph.add(FlowIndex{}, {up, down});
           }}};
}

}  // namespace sentio

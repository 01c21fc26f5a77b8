#include <cmath>

#include "features/op.hpp"
#include "features/ops/formulas.hpp"

namespace sentio {
namespace {

/// Both sums run from the oldest value to the newest, over differences from the newest, so that equal prices cancel.
struct ChannelIndex {
  static constexpr int kInputs = 1;
  int window;
  [[nodiscard]] int lookback() const { return window - 1; }

  [[nodiscard]] double at(const double* price) const {
    double sum = 0.0;
    for (int i = window - 1; i > 0; --i) sum += price[-i] - price[0];
    const double mean = sum / window;
    double deviation = 0.0;
    for (int i = window - 1; i > 0; --i) deviation += std::abs((price[-i] - price[0]) - mean);
    deviation = (deviation + std::abs(mean)) / window;
    return ratio_or_zero(-mean, 0.015 * deviation);
  }

  bool operator==(const ChannelIndex&) const = default;
};

}  // namespace

std::vector<Op> cci_ops() {
  return {{.name = "CCI",
           .formula = "(p - SMA(p)) / (0.015 mean |p - SMA(p)|), p = (h+l+c)/3; 0 on zero deviation",
           .reference = "Lambert, Commodities magazine, October 1980",
           .params = {window_param(20, 2)},
           .build = [](Graph& graph, const Args& args) {
             return graph.add(ChannelIndex{args.integer(0)}, {typical_price(graph)});
           }}};
}

}  // namespace sentio

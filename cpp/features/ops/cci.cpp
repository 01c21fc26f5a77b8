#include <cmath>

#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/window.hpp"

namespace sentio {
namespace {

/// Mean distance of the last values from their mean, summed from the oldest to the newest.
struct MeanDeviation {
  static constexpr int kInputs = 2;
  int window;
  [[nodiscard]] int lookback(int input) const { return input == 0 ? window - 1 : 0; }

  [[nodiscard]] double at(const double* x, const double* mean) const {
    double sum = 0.0;
    for (int i = window - 1; i >= 0; --i) sum += std::abs(x[-i] - *mean);
    return sum / window;
  }

  bool operator==(const MeanDeviation&) const = default;
};

struct ChannelIndex {
  static constexpr int kInputs = 3;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* price, const double* mean, const double* deviation) const {
    return ratio_or_zero(*price - *mean, 0.015 * *deviation);
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
             const Column price = typical_price(graph), mean = window_mean(graph, price, args.integer(0));
             const Column deviation = graph.add(MeanDeviation{args.integer(0)}, {price, mean});
             return graph.add(ChannelIndex{}, {price, mean, deviation});
           }}};
}

}  // namespace sentio

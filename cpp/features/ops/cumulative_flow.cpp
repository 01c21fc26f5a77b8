#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/window.hpp"

namespace sentio {
namespace {

/// The sum of all values since the start.
struct RunningTotal {
  static constexpr int kInputs = 1;
  [[nodiscard]] int delay() const { return 0; }
  [[nodiscard]] int settle() const { return kNever; }
  double step(double x) { return memory += x; }
  bool operator==(const RunningTotal&) const = default;
  double memory = 0.0;
};

/// On-balance volume starts from the first bar's volume, as in TA-Lib.
struct OnBalanceVolume {
  static constexpr int kInputs = 2;
  [[nodiscard]] int delay() const { return 0; }
  [[nodiscard]] int settle() const { return kNever; }
  double step(double close, double volume) {
    auto& [seen, previous, total] = memory;
    if (seen == 0.0 || close > previous) total += volume;
    if (seen != 0.0 && close < previous) total -= volume;
    seen = 1.0;
    previous = close;
    return total;
  }
  bool operator==(const OnBalanceVolume&) const = default;

  struct Memory {
    double seen = 0.0, previous = 0.0, total = 0.0;
    bool operator==(const Memory&) const = default;
  } memory = {};
};

/// Volume with the sign of the change in close.
struct SignedVolume {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 1; }
  [[nodiscard]] double at(const double* close, const double* volume) const {
    return close[0] > close[-1] ? *volume : close[0] < close[-1] ? -*volume : 0.0;
  }
  bool operator==(const SignedVolume&) const = default;
};

/// Volume times the simple return.
struct ReturnVolume {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 1; }
  [[nodiscard]] double at(const double* close, const double* volume) const {
    return *volume * (close[0] / close[-1] - 1.0);
  }
  bool operator==(const ReturnVolume&) const = default;
};

/// The flow of the last n bars as a share of their volume; 0 where there was none.
Column share_of_volume(Graph& graph, Column flow, int window) {
  return graph.add(RatioOrZero{}, {window_sum(graph, flow, window), window_sum(graph, kVolume, window)});
}

Column total_or_share(Graph& graph, Column flow, int window) {
  return window == 0 ? graph.add(RunningTotal{}, {flow}) : share_of_volume(graph, flow, window);
}

}  // namespace

std::vector<Op> cumulative_flow_ops() {
  const std::vector<Param> params = {window_param(0, 0)};
  return {
      {.name = "OBV",
       .formula = "n = 0: running total of volume signed by the change in close, from the first volume; "
                  "n > 0: sum of signed volume / sum of volume over n bars, 0 where that is 0",
       .reference = "TA-Lib OBV; Granville 1963",
       .params = params,
       .build =
           [](Graph& graph, const Args& args) {
             if (args.integer(0) == 0) return graph.add(OnBalanceVolume{}, {kClose, kVolume});
             return share_of_volume(graph, graph.add(SignedVolume{}, {kClose, kVolume}), args.integer(0));
           }},
      {.name = "VPT",
       .formula = "n = 0: running total of v (c[t]/c[t-1] - 1); "
                  "n > 0: its sum / sum of volume over n bars, 0 where that is 0",
       .reference = "volume price trend, definition",
       .params = params,
       .build =
           [](Graph& graph, const Args& args) {
             const Column flow = graph.add(ReturnVolume{}, {kClose, kVolume});
             return total_or_share(graph, flow, args.integer(0));
           }},
      {.name = "AD_LINE",
       .formula = "n = 0: running total of ((c-l) - (h-c))/(h-l) v, a flat bar adding 0; "
                  "n > 0: its sum / sum of volume over n bars (Chaikin money flow), 0 where that is 0",
       .reference = "TA-Lib AD; Chaikin",
       .params = params,
       .build =
           [](Graph& graph, const Args& args) {
             const Column flow = graph.add(LocatedVolume{}, {kHigh, kLow, kClose, kVolume});
             return total_or_share(graph, flow, args.integer(0));
           }},
  };
}

}  // namespace sentio

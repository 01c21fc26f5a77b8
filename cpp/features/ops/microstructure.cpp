#include <cmath>

#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/window.hpp"

namespace sentio {
namespace {

[[nodiscard]] double spread_bp(double high, double low) { return 1e4 * ((high - low) / ((high + low) / 2.0)); }

struct SpreadBp {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* high, const double* low) const { return spread_bp(*high, *low); }
  bool operator==(const SpreadBp&) const = default;
};

struct PriceImpact {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 1; }
  [[nodiscard]] double at(const double* close, const double* volume) const {
    return ratio_or_zero(1e6 * std::abs(close[0] / close[-1] - 1.0), std::sqrt(*volume));
  }
  bool operator==(const PriceImpact&) const = default;
};

struct MarketDepth {
  static constexpr int kInputs = 3;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* high, const double* low, const double* volume) const {
    return *volume / (1.0 + spread_bp(*high, *low));
  }
  bool operator==(const MarketDepth&) const = default;
};

struct BuyersShare {
  static constexpr int kInputs = 3;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* high, const double* low, const double* close) const {
    return *high > *low ? (*close - *low) / (*high - *low) : 0.5;
  }
  bool operator==(const BuyersShare&) const = default;
};

constexpr const char* kProxy = "bar-level proxy, definition";

}  // namespace

std::vector<Op> microstructure_ops() {
  return {
      {.name = "SPREAD_BP",
       .formula = "10^4 (h - l) / ((h + l)/2)",
       .reference = kProxy,
       .build = [](Graph& graph, const Args&) { return graph.add(SpreadBp{}, {kHigh, kLow}); }},
      {.name = "PRICE_IMPACT",
       .formula = "10^6 |c[t]/c[t-1] - 1| / sqrt(v); 0 where v is 0",
       .reference = "square-root law of price impact, on bars",
       .build = [](Graph& graph, const Args&) { return graph.add(PriceImpact{}, {kClose, kVolume}); }},
      {.name = "ORDER_FLOW",
       .formula = "n = 0: ((c-l) - (h-c))/(h-l) v, 0 on a flat bar; n > 0: that / SMA(n) of v, 0 where that is 0",
       .reference = "Chaikin's money flow volume",
       .params = {window_param(0, 0)},
       .build =
           [](Graph& graph, const Args& args) {
             const Column flow = graph.add(LocatedVolume{}, {kHigh, kLow, kClose, kVolume});
             if (args.integer(0) == 0) return flow;
             return graph.add(RatioOrZero{}, {flow, window_mean(graph, kVolume, args.integer(0))});
           }},
      {.name = "MARKET_DEPTH",
       .formula = "n = 0: v / (1 + spread_bp); n > 0: that / its SMA(n) - 1, 0 where that is 0",
       .reference = kProxy,
       .params = {window_param(0, 0)},
       .build =
           [](Graph& graph, const Args& args) {
             const Column depth = graph.add(MarketDepth{}, {kHigh, kLow, kVolume});
             if (args.integer(0) == 0) return depth;
             return graph.add(RelativeTo{}, {depth, window_mean(graph, depth, args.integer(0))});
           }},
      {.name = "BID_ASK_RATIO",
       .formula = "(c - l)/(h - l), the buyers' share of the range; 0.5 on a flat bar",
       .reference = kProxy,
       .build = [](Graph& graph, const Args&) { return graph.add(BuyersShare{}, {kHigh, kLow, kClose}); }},
  };
}

}  // namespace sentio

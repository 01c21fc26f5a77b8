#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/smoothing.hpp"

namespace sentio {
namespace {

/// +DM: how far the high rose, where it rose more than the low fell.
struct RiseOfHigh {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 1; }
  [[nodiscard]] double at(const double* high, const double* low) const {
    const double up = high[0] - high[-1], down = low[-1] - low[0];
    return up > down && up > 0.0 ? up : 0.0;
  }
  bool operator==(const RiseOfHigh&) const = default;
};

/// -DM: how far the low fell, where it fell more than the high rose.
struct FallOfLow {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 1; }
  [[nodiscard]] double at(const double* high, const double* low) const {
    const double up = high[0] - high[-1], down = low[-1] - low[0];
    return down > up && down > 0.0 ? down : 0.0;
  }
  bool operator==(const FallOfLow&) const = default;
};

/// Wilder's mean as his directional system seeds it: with the sum of the first window - 1 values over the window.
RecursiveMean directional_mean(int window) {
  const double n = window;
  return {.alpha = 1.0 / n, .seed = n - 1.0, .divisor = n, .wait = 1.0};
}

struct Indicator {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* movement, const double* range) const {
    return *range > kFaded ? 100.0 * (*movement / *range) : 0.0;
  }
  bool operator==(const Indicator&) const = default;
};

struct DirectionalIndex {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* plus, const double* minus) const {
    return 100.0 * ratio_or_zero(std::abs(*plus - *minus), *plus + *minus);
  }
  bool operator==(const DirectionalIndex&) const = default;
};

template <class Movement>
Column directional_indicator(Graph& graph, int window) {
  const Column movement = graph.add(directional_mean(window), {graph.add(Movement{}, {kHigh, kLow})});
  const Column range = graph.add(directional_mean(window), {true_range(graph)});
  return graph.add(Indicator{}, {movement, range});
}

constexpr const char* kBook = "Wilder, New Concepts in Technical Trading Systems, 1978; seeded as in TA-Lib";

}  // namespace

std::vector<Op> directional_ops() {
  return {
      {.name = "PLUS_DI",
       .formula = "100 M(+DM)/M(TR), M Wilder means; 0 where no range was seen",
       .reference = kBook,
       .params = {window_param(14, 2)},
       .build = [](Graph& graph,
                   const Args& args) { return directional_indicator<RiseOfHigh>(graph, args.integer(0)); }},
      {.name = "MINUS_DI",
       .formula = "100 M(-DM)/M(TR), M Wilder means; 0 where no range was seen",
       .reference = kBook,
       .params = {window_param(14, 2)},
       .build = [](Graph& graph,
                   const Args& args) { return directional_indicator<FallOfLow>(graph, args.integer(0)); }},
      {.name = "ADX",
       .formula = "Wilder mean of 100 |+DI - -DI| / (+DI + -DI), a term being 0 where nothing moved",
       .reference = kBook,
       .params = {window_param(14, 2)},
       .build =
           [](Graph& graph, const Args& args) {
             const int window = args.integer(0);
             const Column index = graph.add(DirectionalIndex{}, {directional_indicator<RiseOfHigh>(graph, window),
                                                                 directional_indicator<FallOfLow>(graph, window)});
             return graph.add(wilder_mean(window), {index});
           }},
  };
}

}  // namespace sentio

#include <cmath>

#include "bars/number.hpp"
#include "features/op.hpp"
#include "features/ops/formulas.hpp"

namespace sentio {
namespace {

struct Plus {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* a, const double* b) const { return limited(*a + *b); }
  bool operator==(const Plus&) const = default;
};

struct Less {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* a, const double* b) const { return limited(*a - *b); }
  bool operator==(const Less&) const = default;
};

struct Times {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* a, const double* b) const { return limited(*a * *b); }
  bool operator==(const Times&) const = default;
};

struct Absolute {
  static constexpr int kInputs = 1;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* x) const { return std::abs(*x); }
  bool operator==(const Absolute&) const = default;
};

struct Sign {
  static constexpr int kInputs = 1;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* x) const { return *x > 0.0 ? 1.0 : *x < 0.0 ? -1.0 : 0.0; }
  bool operator==(const Sign&) const = default;
};

struct Clip {
  static constexpr int kInputs = 1;
  double low, high;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* x) const { return *x < low ? low : *x > high ? high : *x; }
  bool operator==(const Clip&) const = default;
};

template <class Formula>
Column of_two(Graph& graph, const Args& args) {
  return graph.add(Formula{}, {args.source(0), args.source(1)});
}

template <class Formula>
Column of_one(Graph& graph, const Args& args) {
  return graph.add(Formula{}, {args.source()});
}

constexpr const char* kDefinition = "definition";

}  // namespace

std::vector<Op> arithmetic_ops() {
  const Param low{.name = "low", .fallback = -1.0, .min = -1e30, .max = 1e30, .integer = false};
  const Param high{.name = "high", .fallback = 1.0, .min = -1e30, .max = 1e30, .integer = false};
  return {
      {.name = "ADD", .formula = "a + b", .reference = kDefinition, .sources = 2, .degree = 1, .build = of_two<Plus>},
      {.name = "SUB", .formula = "a - b", .reference = kDefinition, .sources = 2, .degree = 1, .build = of_two<Less>},
      {.name = "MUL", .formula = "a b", .reference = kDefinition, .sources = 2, .degree = 2, .build = of_two<Times>},
      {.name = "DIV",
       .formula = "a / b; 0 where b is 0",
       .reference = kDefinition,
       .sources = 2,
       .build = of_two<RatioOrZero>},
      {.name = "ABS", .formula = "|x|", .reference = kDefinition, .sources = 1, .degree = 1, .build = of_one<Absolute>},
      {.name = "SIGN",
       .formula = "1 above 0, -1 below, 0 at 0",
       .reference = kDefinition,
       .sources = 1,
       .build = of_one<Sign>},
      {.name = "CLIP",
       .formula = "x within [low, high]",
       .reference = kDefinition,
       .sources = 1,
       .params = {low, high},
       .degree = std::nullopt,
       .build = [](Graph& graph,
                   const Args& args) { return graph.add(Clip{args.number(0), args.number(1)}, {args.source()}); },
       .fault =
           [](const std::vector<double>& params) {
             return params[0] <= params[1] ? std::string()
                                           : "low must not be above high, found low " + format_number(params[0]) +
                                                 " and high " + format_number(params[1]);
           }},
  };
}

}  // namespace sentio

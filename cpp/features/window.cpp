#include "features/window.hpp"

#include <bit>
#include <cassert>
#include <cmath>

namespace sentio {
namespace {

// In the kernels below `older` is a window that ends `lag` bars before `newer` begins to overlap it: the newer part
// covers the last `lag` values, the older part those before.

struct JoinSums {
  static constexpr int kInputs = 2;
  int lag;
  [[nodiscard]] int lookback(int input) const { return input == 0 ? lag : 0; }
  [[nodiscard]] double at(const double* older, const double* newer) const { return older[-lag] + *newer; }
  bool operator==(const JoinSums&) const = default;
};

struct JoinMeans {
  static constexpr int kInputs = 2;
  int lag;
  double weight;  ///< the newer part's share of the values
  [[nodiscard]] int lookback(int input) const { return input == 0 ? lag : 0; }
  [[nodiscard]] double at(const double* older, const double* newer) const {
    return older[-lag] + (*newer - older[-lag]) * weight;
  }
  bool operator==(const JoinMeans&) const = default;
};

/// Sums of squared distances from the mean.
struct JoinSpreads {
  static constexpr int kInputs = 4;
  int lag;
  double weight;  ///< n_older * n_newer / (n_older + n_newer)
  [[nodiscard]] int lookback(int input) const { return input % 2 == 0 ? lag : 0; }
  [[nodiscard]] double at(const double* older, const double* newer, const double* older_mean,
                          const double* newer_mean) const {
    const double apart = *newer_mean - older_mean[-lag];
    return (older[-lag] + *newer) + apart * apart * weight;
  }
  bool operator==(const JoinSpreads&) const = default;
};

/// Two single values: their spread is half their squared distance.
struct SpreadOfTwo {
  static constexpr int kInputs = 1;
  [[nodiscard]] int lookback() const { return 1; }
  [[nodiscard]] double at(const double* x) const {
    const double apart = x[0] - x[-1];
    return apart * apart * 0.5;
  }
  bool operator==(const SpreadOfTwo&) const = default;
};

struct JoinSpreadWithOne {
  static constexpr int kInputs = 3;
  double weight;
  [[nodiscard]] int lookback(int input) const { return input < 2 ? 1 : 0; }
  [[nodiscard]] double at(const double* older, const double* older_mean, const double* x) const {
    const double apart = *x - older_mean[-1];
    return older[-1] + apart * apart * weight;
  }
  bool operator==(const JoinSpreadWithOne&) const = default;
};

struct Scale {
  static constexpr int kInputs = 1;
  double divisor;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* x) const { return *x / divisor; }
  bool operator==(const Scale&) const = default;
};

struct SquareRoot {
  static constexpr int kInputs = 1;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* x) const { return std::sqrt(*x); }
  bool operator==(const SquareRoot&) const = default;
};

struct Larger {
  static constexpr int kInputs = 1;
  int lag;
  [[nodiscard]] int lookback() const { return lag; }
  [[nodiscard]] double at(const double* x) const { return x[-lag] > x[0] ? x[-lag] : x[0]; }
  bool operator==(const Larger&) const = default;
};

struct Smaller {
  static constexpr int kInputs = 1;
  int lag;
  [[nodiscard]] int lookback() const { return lag; }
  [[nodiscard]] double at(const double* x) const { return x[-lag] < x[0] ? x[-lag] : x[0]; }
  bool operator==(const Smaller&) const = default;
};

/// Splits n into an older and a newer part: halves for powers of two, else all binary digits but the last, and the
/// last.
struct Parts {
  int older, newer;
};

Parts parts_of(int n) {
  assert(n >= 2);
  const auto bits = static_cast<unsigned>(n);
  if (std::has_single_bit(bits)) return {n / 2, n / 2};
  const int last = n & -n;
  return {n - last, last};
}

/// Sum of squared distances from the mean over n >= 2 values.
Column window_spread(Graph& graph, Column x, int n) {
  if (n == 2) return graph.add(SpreadOfTwo{}, {x});
  const auto [older, newer] = parts_of(n);
  const double weight = static_cast<double>(older) * newer / n;
  const Column older_spread = window_spread(graph, x, older);
  const Column older_mean = window_mean(graph, x, older);
  if (newer == 1) return graph.add(JoinSpreadWithOne{weight}, {older_spread, older_mean, x});
  return graph.add(JoinSpreads{newer, weight},
                   {older_spread, window_spread(graph, x, newer), older_mean, window_mean(graph, x, newer)});
}

/// Overlapping parts are fine for an extreme: n needs one step beyond the largest power of two below it.
template <class Extreme>
Column window_extreme(Graph& graph, Column x, int n) {
  int covered = 1;
  while (covered < n) {
    const int lag = covered * 2 <= n ? covered : n - covered;
    x = graph.add(Extreme{lag}, {x});
    covered += lag;
  }
  return x;
}

}  // namespace

Column window_sum(Graph& graph, Column x, int n) {
  if (n == 1) return x;
  const auto [older, newer] = parts_of(n);
  return graph.add(JoinSums{newer}, {window_sum(graph, x, older), window_sum(graph, x, newer)});
}

Column window_mean(Graph& graph, Column x, int n) {
  if (n == 1) return x;
  const auto [older, newer] = parts_of(n);
  const double weight = static_cast<double>(newer) / n;
  return graph.add(JoinMeans{newer, weight}, {window_mean(graph, x, older), window_mean(graph, x, newer)});
}

Column window_variance(Graph& graph, Column x, int n) {
  return graph.add(Scale{static_cast<double>(n)}, {window_spread(graph, x, n)});
}

Column window_std(Graph& graph, Column x, int n) { return graph.add(SquareRoot{}, {window_variance(graph, x, n)}); }

Column window_max(Graph& graph, Column x, int n) { return window_extreme<Larger>(graph, x, n); }
Column window_min(Graph& graph, Column x, int n) { return window_extreme<Smaller>(graph, x, n); }

}  // namespace sentio

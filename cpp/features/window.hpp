#pragma once

#include "features/graph.hpp"

namespace sentio {

// Statistics of the last n values, taken afresh at each bar in a fixed order that only n decides, so that a value
// depends on its window and on nothing else. The order is a doubling tree: windows of 1, 2, 4, 8, ... values come of
// two neighbours of half their length, and n is put together from its binary digits, the longest part oldest
// (20 = 16 + 4). That costs about log2(n) steps a bar instead of n, rounds less than a plain sum, and windows over one
// source share their parts.

/// Sum of the last n values.
[[nodiscard]] Column window_sum(Graph& graph, Column x, int n);

/// Mean of the last n values; exactly x where they are all equal.
[[nodiscard]] Column window_mean(Graph& graph, Column x, int n);

/// Population variance of the last n values; exactly 0 where they are all equal, never below 0.
/// Parts are joined by the update of Chan, Golub & LeVeque, 1979.
[[nodiscard]] Column window_variance(Graph& graph, Column x, int n);

/// Population standard deviation of the last n values.
[[nodiscard]] Column window_std(Graph& graph, Column x, int n);

/// Largest and smallest of the last n values.
[[nodiscard]] Column window_max(Graph& graph, Column x, int n);
[[nodiscard]] Column window_min(Graph& graph, Column x, int n);

}  // namespace sentio

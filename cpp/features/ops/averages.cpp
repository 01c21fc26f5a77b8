#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/smoothing.hpp"
#include "features/window.hpp"

namespace sentio {

std::vector<Op> average_ops() {
  return {
      {.name = "SMA",
       .formula = "mean of the last n values",
       .reference = "definition",
       .sources = 1,
       .params = {window_param(20)},
       .degree = 1,
       .build = [](Graph& graph, const Args& args) { return window_mean(graph, args.source(), args.integer(0)); }},
      {.name = "EMA",
       .formula = "e += 2/(n+1) (x - e); seeded with the mean of the first n values, or with the first",
       .reference = "TA-Lib EMA",
       .sources = 1,
       .params = {window_param(20), {.name = "seed", .fallback = 0.0, .choices = {"sma", "first"}}},
       .degree = 1,
       .build =
           [](Graph& graph, const Args& args) {
             const int window = args.integer(0);
             const bool seeded_with_first = args.integer(1) == 1;
             return graph.add(exponential_mean(window, seeded_with_first ? 1 : window), {args.source()});
           }},
      {.name = "WILDER",
       .formula = "w += (x - w)/n; seeded with the mean of the first n values",
       .reference = "Wilder, New Concepts in Technical Trading Systems, 1978",
       .sources = 1,
       .params = {window_param(14)},
       .degree = 1,
       .build = [](Graph& graph,
                   const Args& args) { return graph.add(wilder_mean(args.integer(0)), {args.source()}); }},
      {.name = "SUM",
       .formula = "sum of the last n values",
       .reference = "definition",
       .sources = 1,
       .params = {window_param(20)},
       .degree = 1,
       .build =
           [](Graph& graph, const Args& args) {
             if (args.integer(0) == 1) return args.source();
             return graph.add(Limited{}, {window_sum(graph, args.source(), args.integer(0))});
           }},
  };
}

}  // namespace sentio

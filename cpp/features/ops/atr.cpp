#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/smoothing.hpp"

namespace sentio {

std::vector<Op> atr_ops() {
  return {{.name = "ATR",
           .formula = "Wilder mean of the true range max(h, c[t-1]) - min(l, c[t-1])",
           .reference = "Wilder, New Concepts in Technical Trading Systems, 1978",
           .params = {window_param(14)},
           .degree = 1,
           .build = [](Graph& graph, const Args& args) {
             return graph.add(wilder_mean(args.integer(0)), {true_range(graph)});
           }}};
}

}  // namespace sentio

#include "features/op.hpp"
#include "features/window.hpp"

namespace sentio {

std::vector<Op> extreme_ops() {
  return {
      {.name = "MIN",
       .formula = "smallest of the last n values",
       .reference = "TA-Lib MIN",
       .sources = 1,
       .params = {window_param(20)},
       .degree = 1,
       .build = [](Graph& graph, const Args& args) { return window_min(graph, args.source(), args.integer(0)); }},
      {.name = "MAX",
       .formula = "largest of the last n values",
       .reference = "TA-Lib MAX",
       .sources = 1,
       .params = {window_param(20)},
       .degree = 1,
       .build = [](Graph& graph, const Args& args) { return window_max(graph, args.source(), args.integer(0)); }},
  };
}

}  // namespace sentio

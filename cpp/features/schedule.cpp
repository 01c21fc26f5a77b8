#include "features/schedule.hpp"

#include <algorithm>
#include <typeinfo>

namespace sentio {
namespace {

bool same_kind(const Kernel& a, const Kernel& b) { return typeid(a) == typeid(b); }

}  // namespace

std::vector<std::vector<std::size_t>> schedule(const Graph& graph) {
  const std::vector<Node>& nodes = graph.nodes();
  std::vector<std::vector<std::size_t>> groups;
  std::vector<bool> ready(static_cast<std::size_t>(graph.columns()), false);
  std::fill_n(ready.begin(), kBarColumns, true);
  const auto can_run = [&](const Node& node) {
    return std::all_of(node.inputs.begin(), node.inputs.begin() + node.kernel->inputs(),
                       [&](Column input) { return ready[static_cast<std::size_t>(input)]; });
  };

  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < nodes.size(); ++i) left.push_back(i);
  while (!left.empty()) {
    // Nodes that gain from company wait until nothing else can run.
    std::vector<std::size_t> blocked, waiting;
    for (const std::size_t i : left) {
      if (!can_run(nodes[i])) {
        blocked.push_back(i);
      } else if (nodes[i].kernel->has_lanes()) {
        waiting.push_back(i);
      } else {
        groups.push_back({i});
        ready[static_cast<std::size_t>(Graph::output(i))] = true;
      }
    }
    for (const std::size_t i : waiting) {
      ready[static_cast<std::size_t>(Graph::output(i))] = true;
      const bool joins = i != waiting.front() && same_kind(*nodes[groups.back().front()].kernel, *nodes[i].kernel);
      if (joins)
        groups.back().push_back(i);
      else
        groups.push_back({i});
    }
    left = std::move(blocked);
  }
  return groups;
}

}  // namespace sentio

#include "features/schedule.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <typeindex>

namespace sentio {

std::vector<std::vector<std::size_t>> schedule(const Graph& graph) {
  const std::vector<Node>& nodes = graph.nodes();
  std::vector<bool> ready(static_cast<std::size_t>(graph.columns()), false);
  std::fill_n(ready.begin(), kBarColumns, true);
  for (const SessionColumn& given : graph.session_columns()) ready[static_cast<std::size_t>(given.column)] = true;
  const auto can_run = [&](std::size_t i) {
    const auto inputs = std::span(nodes[i].inputs).first(static_cast<std::size_t>(nodes[i].kernel->inputs()));
    return std::ranges::all_of(inputs, [&](Column input) { return ready[static_cast<std::size_t>(input)]; });
  };
  const auto has_no_lanes = [&](std::size_t i) { return !nodes[i].kernel->has_lanes(); };
  const auto kind = [&](std::size_t i) -> std::type_index {
    const Kernel& kernel = *nodes[i].kernel;
    return typeid(kernel);
  };

  std::vector<std::vector<std::size_t>> groups;
  std::vector<std::size_t> left(nodes.size());
  std::iota(left.begin(), left.end(), std::size_t{0});
  while (!left.empty()) {
    // One round: what can run now, in which nothing reads anything else. Nodes that gain much from company wait until
    // nothing else can run.
    const auto blocked = std::stable_partition(left.begin(), left.end(), can_run);
    const auto waiting = std::stable_partition(left.begin(), blocked, has_no_lanes);
    std::vector<std::size_t> round(left.begin(), waiting == left.begin() ? blocked : waiting);
    left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(round.size()));

    for (const std::size_t i : round) ready[static_cast<std::size_t>(nodes[i].output)] = true;
    while (!round.empty()) {
      const std::type_index first = kind(round.front());
      const auto others =
          std::stable_partition(round.begin(), round.end(), [&](std::size_t i) { return kind(i) == first; });
      groups.emplace_back(round.begin(), others);
      round.erase(round.begin(), others);
    }
  }
  return groups;
}

}  // namespace sentio

#include "features/schedule.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <span>
#include <typeinfo>

namespace sentio {
namespace {

bool same_kind(const Kernel& a, const Kernel& b) { return typeid(a) == typeid(b); }

}  // namespace

std::vector<std::vector<std::size_t>> schedule(const Graph& graph) {
  const std::vector<Node>& nodes = graph.nodes();
  std::vector<bool> ready(static_cast<std::size_t>(graph.columns()), false);
  std::fill_n(ready.begin(), kBarColumns, true);
  for (const SessionColumn& given : graph.session_columns()) ready[static_cast<std::size_t>(given.column)] = true;
  const auto can_run = [&](std::size_t i) {
    const auto inputs = std::span(nodes[i].inputs).first(static_cast<std::size_t>(nodes[i].kernel->inputs()));
    return std::ranges::all_of(inputs, [&](Column input) { return ready[static_cast<std::size_t>(input)]; });
  };
  const auto has_lanes = [&](std::size_t i) { return nodes[i].kernel->has_lanes(); };

  std::vector<std::vector<std::size_t>> groups;
  std::vector<std::size_t> left(nodes.size());
  std::iota(left.begin(), left.end(), std::size_t{0});
  while (!left.empty()) {
    // One round: what can run now, in which nothing reads anything else. Nodes that gain much from company wait until
    // nothing else can run.
    const auto blocked = std::ranges::stable_partition(left, can_run);
    std::vector<std::size_t> round(left.begin(), blocked.begin());
    left.erase(left.begin(), blocked.begin());
    const auto waiting = std::ranges::stable_partition(round, std::not_fn(has_lanes));
    if (waiting.begin() != round.begin()) {
      left.insert(left.begin(), waiting.begin(), waiting.end());
      round.erase(waiting.begin(), round.end());
    }
    for (const std::size_t i : round) ready[static_cast<std::size_t>(graph.nodes()[i].output)] = true;
    while (!round.empty()) {
      const Kernel& first = *nodes[round.front()].kernel;
      const auto others =
          std::ranges::stable_partition(round, [&](std::size_t i) { return same_kind(*nodes[i].kernel, first); });
      groups.emplace_back(round.begin(), others.begin());
      round.erase(round.begin(), others.begin());
    }
  }
  return groups;
}

}  // namespace sentio

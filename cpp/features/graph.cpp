#include "features/graph.hpp"

#include <algorithm>
#include <cassert>

namespace sentio {

Graph::Graph(const Graph& other)
    : columns_(other.columns_), session_columns_(other.session_columns_), readers_(other.readers_) {
  nodes_.reserve(other.nodes_.size());
  for (const Node& node : other.nodes_) nodes_.push_back({node.kernel->clone(), node.inputs, node.output, node.start});
}

Column Graph::add_session(const SessionCalendar& calendar, SessionValue value) {
  for (const SessionColumn& known : session_columns_)
    if (known.calendar == &calendar && known.value == value) return known.column;
  session_columns_.push_back({&calendar, value, columns()});
  columns_.emplace_back();
  return session_columns_.back().column;
}

Graph::Inputs Graph::wired(std::initializer_list<Column> inputs) {
  Inputs sources{};
  std::copy(inputs.begin(), inputs.end(), sources.begin());
  return sources;
}

std::optional<Column> Graph::find_node(const Kernel& kernel, const Inputs& inputs) const {
  const auto readers = readers_.find(inputs);
  if (readers == readers_.end()) return std::nullopt;
  for (const std::size_t i : readers->second)
    if (nodes_[i].kernel->same_as(kernel)) return nodes_[i].output;
  return std::nullopt;
}

Column Graph::add_node(std::unique_ptr<Kernel> kernel, std::initializer_list<Column> inputs) {
  assert(static_cast<int>(inputs.size()) == kernel->inputs() && inputs.size() <= kMaxInputs);
  const Inputs sources = wired(inputs);
  if (const auto known = find_node(*kernel, sources)) return *known;
  readers_[sources].push_back(nodes_.size());

  ColumnFacts made{.recursive = kernel->recursive()};
  for (int i = 0; i < kernel->inputs(); ++i) {
    ColumnFacts& facts = columns_[static_cast<std::size_t>(sources[static_cast<std::size_t>(i)])];
    const int lookback = kernel->lookback(i);
    facts.history = std::max(facts.history, lookback);
    made.first = std::max(made.first, facts.first + lookback);
    made.settle = std::max(made.settle, facts.settle + lookback);
    made.recursive = made.recursive || facts.recursive;
  }
  const int start = made.first;
  made.first += kernel->delay();
  made.settle = std::min(kNever, made.settle + kernel->settle());
  nodes_.push_back({std::move(kernel), sources, columns(), start});
  columns_.push_back(made);
  return nodes_.back().output;
}

}  // namespace sentio

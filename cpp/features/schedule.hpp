#pragma once

#include <cstddef>
#include <vector>

#include "features/graph.hpp"

namespace sentio {

/// All nodes in an order in which each comes after its inputs. Nodes of one group do not read each other, are of one
/// kind and run side by side; most groups are a single node.
[[nodiscard]] std::vector<std::vector<std::size_t>> schedule(const Graph& graph);

}  // namespace sentio

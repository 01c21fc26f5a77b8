#pragma once

#include <cstddef>
#include <vector>

#include "features/graph.hpp"

namespace sentio {

/// All nodes in groups, each after its inputs. The nodes of a group are of one kind and do not read each other, so that
/// one call can run them all.
[[nodiscard]] std::vector<std::vector<std::size_t>> schedule(const Graph& graph);

}  // namespace sentio

#pragma once

#include "strategies/registry.hpp"

namespace sentio {

// One registry row per rule strategy, each in the source file of its name.
[[nodiscard]] StrategyRow buy_and_hold();
[[nodiscard]] StrategyRow sma_cross();

}  // namespace sentio

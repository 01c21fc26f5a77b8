#pragma once

#include "strategies/registry.hpp"

namespace sentio {

// One registry row per rule strategy, each in the source file of its name.
[[nodiscard]] StrategyRow buy_and_hold();
[[nodiscard]] StrategyRow sma_cross();
[[nodiscard]] StrategyRow rsi_reversion();
[[nodiscard]] StrategyRow bollinger_squeeze();
[[nodiscard]] StrategyRow opening_range_breakout();
[[nodiscard]] StrategyRow vwap_reversion();
[[nodiscard]] StrategyRow momentum_volume();

}  // namespace sentio

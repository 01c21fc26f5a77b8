#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backtest/broker.hpp"

namespace sentio {

/// A round trip: from flat to flat, or to the other side. Positions that are built or reduced in parts are one trade.
struct Trade {
  std::size_t entry_bar, exit_bar;
  std::int64_t entry_time_ns, exit_time_ns;  ///< open times of those bars
  double largest_position;                   ///< signed units
  double profit;                             ///< -sum(quantity x price + commission + borrow) over its fills
};

/// The trades that `fills` complete, oldest first. A position still open at the end is not a trade yet. A fill that
/// turns a position round closes one trade and opens the next; its commission is shared by quantity.
[[nodiscard]] std::vector<Trade> round_trips(std::span<const Fill> fills);

}  // namespace sentio

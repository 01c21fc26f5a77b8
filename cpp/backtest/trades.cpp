#include "backtest/trades.hpp"

#include <cmath>

namespace sentio {

std::vector<Trade> round_trips(std::span<const Fill> fills) {
  std::vector<Trade> trades;
  Trade open{};
  double position = 0.0;
  for (const Fill& fill : fills) {
    const bool leaves = position != 0.0 && position * fill.position <= 0.0;
    const double closing = leaves ? -position : position != 0.0 ? fill.quantity : 0.0;
    const double opening = fill.quantity - closing;
    const auto pay = [&](double quantity) {
      open.profit -= quantity * fill.price + fill.commission * std::abs(quantity / fill.quantity);
    };
    if (position != 0.0) {
      pay(closing);
      open.profit -= fill.borrow;
    }
    if (leaves) {
      open.exit_bar = fill.bar;
      open.exit_time_ns = fill.time_ns;
      trades.push_back(open);
    }
    if (opening != 0.0) {
      open = {.entry_bar = fill.bar,
              .exit_bar = 0,
              .entry_time_ns = fill.time_ns,
              .exit_time_ns = 0,
              .largest_position = 0.0,
              .profit = 0.0};
      pay(opening);
    }
    position = fill.position;
    if (std::abs(position) > std::abs(open.largest_position)) open.largest_position = position;
  }
  return trades;
}

}  // namespace sentio

#pragma once

#include <span>
#include <string_view>

#include "backtest/decision.hpp"
#include "bars/bars.hpp"

namespace sentio {

/// Turns bars into decisions. A strategy sees bars and nothing else: no clock, no file, no broker, so the same bars
/// give the same decisions whatever was filled.
class Strategy {
 public:
  Strategy() = default;
  Strategy(const Strategy&) = delete;
  Strategy& operator=(const Strategy&) = delete;
  virtual ~Strategy() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;

  /// Bars that it wants to have seen before its decisions count.
  [[nodiscard]] virtual int warmup() const = 0;

  /// What it wants once `bar` has closed.
  [[nodiscard]] virtual Decision on_bar(const Bar& bar) = 0;

  /// The decisions that `on_bar` gives for each of `bars` in turn; `out` has their length.
  virtual void on_bars(BarsView bars, std::span<Decision> out);
};

}  // namespace sentio

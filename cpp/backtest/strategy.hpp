#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "backtest/decision.hpp"
#include "bars/bars.hpp"
#include "bars/state.hpp"

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

  /// All that the next decision depends on, to go on in another process with the same bits.
  [[nodiscard]] std::vector<std::byte> state() const;

  /// Goes on from a state of the same strategy with the same params or model.
  /// @throws InputError if it is cut off, altered, impossible or another strategy's; nothing has changed then.
  void restore(std::span<const std::byte> state);

 private:
  /// Writes what `load` reads, in the same order: whatever `on_bar` changes and looks at later.
  virtual void save(StateWriter& to) const = 0;
  /// May leave the strategy half changed where it throws: `restore` puts back what was.
  virtual void load(StateReader& from) = 0;
};

}  // namespace sentio

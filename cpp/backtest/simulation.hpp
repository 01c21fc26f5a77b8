#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "backtest/broker.hpp"
#include "backtest/decision.hpp"
#include "backtest/strategy.hpp"
#include "bars/bars.hpp"
#include "bars/session.hpp"

namespace sentio {

struct RunOptions {
  BrokerOptions broker;
  bool flat_at_close = false;  ///< close the position at the last bar of each session, at its close
  SessionCalendar calendar = session_calendars().front();
  std::size_t begin = 0;           ///< the first measured bar; bars before it only warm the strategy up
  std::optional<std::size_t> end;  ///< one past the last measured bar; all bars if not given
};

/// What happened. Columns hold one value per measured bar, begin to end.
struct Run {
  std::size_t begin = 0, end = 0;
  double capital = 0.0;
  std::vector<Decision> decisions;  ///< for bars 0 to end, the warm-up included
  std::vector<Fill> fills;
  std::vector<double> equity;        ///< at the bar's close
  std::vector<double> position;      ///< units held at the bar's close
  std::vector<double> borrow;        ///< paid in the bar for borrowing the position held into it
  std::size_t orders_below_lot = 0;  ///< wanted changes that were too small to trade
  std::optional<std::size_t>
      ruined_at;  ///< the bar at which equity was found at 0 or below; nothing is traded after it

  [[nodiscard]] std::size_t size() const { return equity.size(); }
};

/// Bars done, bars in all.
using Progress = std::function<void(std::size_t, std::size_t)>;

/// The strategy's decisions for `bars`, each checked. Strategies get no feedback from the broker, so all decisions come
/// before the first fill.
[[nodiscard]] std::vector<Decision> decide(BarsView bars, Strategy& strategy, const Progress& progress = {});

/// Trades `decisions`, one per bar: decision t is acted on at the open of bar t + 1, so the last one is not.
///
/// An order is sent when the wanted exposure differs from the one last acted on, and not while it stays the same:
/// holding exposure 1 does not trade each bar, and prices may move a held position away from the exposure that was
/// wanted. One that they have moved 10 % above max_exposure x equity at a close is traded back at the next open, so
/// that a losing short is never left to grow. If equity is found at 0 or below, the position is closed at the next open
/// and nothing is traded after that.
///
/// @throws std::invalid_argument if the measured range is empty or outside the bars, a decision is not valid, or their
///         number is not that of the bars
[[nodiscard]] Run run_decisions(BarsView bars, std::vector<Decision> decisions, const RunOptions& options);

/// decide, then run_decisions.
[[nodiscard]] Run run(BarsView bars, Strategy& strategy, const RunOptions& options, const Progress& progress = {});

}  // namespace sentio

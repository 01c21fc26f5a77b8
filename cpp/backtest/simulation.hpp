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

/// Prices at which a position is closed by orders of its own, as fractions of its average price; none if not given.
struct Protection {
  std::optional<double> stop_loss;    ///< a stop order this far on the losing side, in (0, 1)
  std::optional<double> take_profit;  ///< a limit order this far on the winning side, above 0

  [[nodiscard]] bool any() const { return stop_loss || take_profit; }
};

struct RunOptions {
  BrokerOptions broker;
  Protection protection = {};
  bool flat_at_close = false;  ///< close the position at the last bar of each session, at its close
  SessionCalendar calendar = session_calendars().front();
  std::size_t begin = 0;           ///< the first measured bar; bars before it only warm the strategy up
  std::optional<std::size_t> end;  ///< one past the last measured bar; all bars if not given
};

/// Throws std::invalid_argument naming the option of the broker or the protection, the value and what is allowed.
void require_valid(const RunOptions& options);

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
  std::size_t orders_cut = 0;        ///< orders that a bar's volume let through in part, or not at all; each bar counts
  std::optional<std::size_t>
      ruined_at;  ///< the bar at which equity was found at 0 or below; nothing is traded after it

  [[nodiscard]] std::size_t size() const { return equity.size(); }
};

/// One decision for each of `count` bars.
[[nodiscard]] std::vector<Decision> same_decisions(std::size_t count, const Decision& decision);

/// Bars done, bars in all.
using Progress = std::function<void(std::size_t, std::size_t)>;

/// The strategy's decisions for `bars`, each checked. Strategies get no feedback from the broker, so all decisions come
/// before the first fill.
[[nodiscard]] std::vector<Decision> decide(BarsView bars, Strategy& strategy, const Progress& progress = {});

/// Trades `decisions`, one per bar: decision t is acted on in bar t + 1, so the last one is not.
///
/// *When.* An order is sent when the wanted exposure differs from the one last acted on, and not while it stays the
/// same: holding exposure 1 does not trade each bar, and prices may move a held position away from the exposure that
/// was wanted. One that they have moved 10 % above max_exposure x equity at a close is traded back at the next open, so
/// that a losing short is never left to grow. If equity is found at 0 or below, the position is closed at the next open
/// and nothing is traded after that.
///
/// *Where.* A market order meets the open of bar t + 1. A limit or stop order meets that bar as price_met says or dies
/// with it, and the next decision sends its own. It buys or sells as the wanted position at its price demands, and is
/// sized at the price that it is filled at.
///
/// *Protection.* After the open, a position has a stop loss and a take profit at its average price, costs included, x
/// (1 -+ fraction); they meet the rest of the bar as any stop or limit order does, and close the whole position. After
/// that the strategy stays flat until its wanted exposure changes; with flat_at_close, until the next session.
///
/// *Within a bar* the order of prices is not known, and the worse is taken: the stop loss before the take profit; a
/// limit or stop order that was filled can be stopped out in the same bar, on the way from its price to the bar's
/// extreme, and never takes profit there. Where a protective exit of the position held and the decision's own order
/// could both be filled, either the exit comes first and ends the bar's trading, or the order comes first, whichever
/// leaves less equity at the bar's close; the exit if they leave the same.
///
/// *Volume.* With max_volume_share, the fills of a bar together take at most that share of its volume, so none of a
/// volume of 0. The rest of an order is sent again with the next decision, at that decision's kind and price, as long
/// as the wanted exposure is the same, and only towards the side of the order that was cut. The rest of a protective
/// exit is sold at the next opens.
///
/// @throws std::invalid_argument if an option or a decision is not valid, the measured range is empty or outside the
///         bars, or the decisions are not as many as the bars
[[nodiscard]] Run run_decisions(BarsView bars, std::vector<Decision> decisions, const RunOptions& options);

/// decide, then run_decisions.
[[nodiscard]] Run run(BarsView bars, Strategy& strategy, const RunOptions& options, const Progress& progress = {});

}  // namespace sentio

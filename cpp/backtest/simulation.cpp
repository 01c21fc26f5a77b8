#include "backtest/simulation.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "bars/number.hpp"
#include "bars/reserve.hpp"

namespace sentio {
namespace {

constexpr std::size_t kBlock = 8192;
constexpr double kYearNs = 365.25 * 86'400e9;
constexpr double kDrift = 1.1;
constexpr std::size_t kBarsToAFill = 8;  // what is reserved for fills; untouched memory costs nothing

/// Whether each bar is the last of its session; the last bar given is the last of the last session.
std::vector<bool> session_ends(BarsView bars, const SessionCalendar& calendar) {
  const std::vector<std::int32_t> days = session_days(bars.time_ns, calendar);
  std::vector<bool> ends(days.size(), true);
  for (std::size_t i = 0; i + 1 < days.size(); ++i) ends[i] = days[i] != days[i + 1];
  return ends;
}

std::size_t checked_end(BarsView bars, const RunOptions& options) {
  const std::size_t end = options.end.value_or(bars.size());
  if (end > bars.size() || options.begin >= end) {
    throw std::invalid_argument("measured bars must lie within 0 to " + std::to_string(bars.size()) + ", found " +
                                std::to_string(options.begin) + " to " + std::to_string(end));
  }
  return end;
}

/// The orders that protect a position: where they stand, and what closed it.
struct Exit {
  OrderKind kind;
  double price, reference;
};

std::string_view reason_of(const Exit& exit) { return exit.kind == OrderKind::stop ? "stop loss" : "take profit"; }

double sign_of(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0; }

/// The loop over measured bars: what the broker does, bar by bar.
class Loop {
 public:
  Loop(BarsView bars, const RunOptions& options, Run& run)
      : bars_(bars), options_(options), run_(run), protected_(options.protection.any()), state_(options.broker) {
    if (options.flat_at_close) session_ends_ = session_ends(bars, options.calendar);
  }

  void operator()() {
    for (std::size_t t = run_.begin; t < run_.end; ++t) {
      require_valid(run_.decisions[t], t);
      step(t);
    }
    run_.orders_below_lot = state_.orders_below_lot;
    run_.orders_cut = state_.orders_cut;
  }

 private:
  void step(std::size_t t) {
    const double borrowed = t > run_.begin ? borrow(t) : 0.0;
    if (const auto share = options_.broker.max_volume_share) state_.volume_left = *share * bars_.volume[t];
    if (t > 0) act_on(run_.decisions[t - 1], t);
    if (options_.flat_at_close && session_ends_[t])
      want(0.0, {t, bars_.time_ns[t], FillAt::close, bars_.close[t], "flat at close"});
    const double close = bars_.close[t];
    const double equity = broker().equity(close), position = broker().position();
    run_.equity.push_back(equity);
    run_.position.push_back(position);
    run_.borrow.push_back(borrowed);
    if (equity <= 0.0) ruin(t);
    state_.drifted = std::abs(position * close) > kDrift * options_.broker.max_exposure * equity;
  }

  /// All that an order changes, the run's fills aside.
  struct State {
    explicit State(const BrokerOptions& options) : broker(options) {}

    Broker broker;
    double wanted = 0.0;       ///< the exposure last acted on
    double working = 0.0;      ///< the side of an order towards it that volume cut; 0 if there is none
    std::string_view leaving;  ///< why a protective exit that volume cut goes on; empty if there is none
    bool drifted = false;      ///< at the last close, the position was worth too much more than max_exposure allows
    double volume_left = std::numeric_limits<double>::infinity();  ///< units that this bar's fills may still take
    std::size_t orders_below_lot = 0, orders_cut = 0;
  };

  Broker& broker() { return state_.broker; }

  double borrow(std::size_t t) {
    if (!(broker().position() < 0.0)) return 0.0;
    const double years = static_cast<double>(bars_.time_ns[t] - bars_.time_ns[t - 1]) / kYearNs;
    return broker().accrue_borrow(bars_.close[t - 1], years);
  }

  void act_on(const Decision& decision, std::size_t t) {
    const double open = bars_.open[t];
    if (broker().equity(open) <= 0.0) ruin(t);
    if (run_.ruined_at) {
      want(0.0, {t, bars_.time_ns[t], FillAt::open, open, "ruined"});
      return;
    }
    const bool at_open = decision.order == OrderKind::market;
    if (at_open || state_.drifted || !state_.leaving.empty())
      want(at_open ? decision.exposure : state_.wanted, {t, bars_.time_ns[t], FillAt::open, open, decision.reason});
    if (protected_ || !at_open) trade_within(decision, t);
  }

  /// At a price that is known: a market order for `exposure`, or what was left to do if that is wanted already.
  void want(double exposure, Broker::Order order) {
    if (exposure == state_.wanted) {
      if (!state_.leaving.empty()) {
        order.reason = state_.leaving;
        leave(order);
        return;
      }
      if (state_.drifted) {
        order.reason = "above max exposure";
      } else if (state_.working != 0.0) {
        order.side = state_.working;
      } else {
        return;
      }
    }
    send(exposure, order);
  }

  /// Whether there was a fill.
  bool send(double exposure, Broker::Order order) {
    const bool goes_on = exposure == state_.wanted && state_.working != 0.0;
    order.most = state_.volume_left;
    const bool filled = trade(exposure, order);
    const double unfilled = broker().unfilled();
    if (!filled && unfilled != 0.0) return false;  // not acted on: the next decision may want something else
    if (!filled && !goes_on && exposure != 0.0) ++state_.orders_below_lot;
    state_.wanted = exposure;
    state_.working = sign_of(unfilled);
    state_.leaving = {};
    state_.drifted = false;
    return filled;
  }

  /// Closes the position; the rest, where the volume is too small, at the next opens.
  void leave(Broker::Order order) {
    order.most = state_.volume_left;
    trade(0.0, order);
    state_.leaving = broker().unfilled() != 0.0 ? order.reason : std::string_view();
    state_.working = 0.0;
    state_.drifted = false;
  }

  /// Whether there was a fill.
  bool trade(double exposure, const Broker::Order& order) {
    const std::optional<Fill> fill = broker().trade(exposure, order);
    if (broker().unfilled() != 0.0) ++state_.orders_cut;
    if (!fill) return false;
    run_.fills.push_back(*fill);
    state_.volume_left -= std::abs(fill->quantity);
    return true;
  }

  /// What happens between the open and the close.
  void trade_within(const Decision& decision, std::size_t t) {
    const PriceRange range{bars_.open[t], bars_.high[t], bars_.low[t]};
    const std::optional<Exit> exit = exit_within(range, true);
    const std::optional<Broker::Order> order = resting_order(decision, t, range);
    const auto exit_first = [&] { leave(order_of(*exit, t)); };
    const auto order_first = [&] {
      if (!send(decision.exposure, *order)) return false;
      const PriceRange rest{order->reference, range.high, range.low};
      if (const auto stopped = exit_within(rest, false)) leave(order_of(*stopped, t));
      return true;
    };
    if (!order) {
      if (exit) exit_first();
      return;
    }
    if (!exit) {
      order_first();
      return;
    }
    const State before = state_;
    const std::size_t fills = run_.fills.size();
    const auto rewind = [&] {
      state_ = before;
      run_.fills.erase(run_.fills.begin() + static_cast<std::ptrdiff_t>(fills), run_.fills.end());
    };
    exit_first();
    const double equity_if_exit = broker().equity(bars_.close[t]);
    rewind();
    if (order_first() && broker().equity(bars_.close[t]) < equity_if_exit) return;
    rewind();
    exit_first();
  }

  /// The protective order that the range fills, the stop before the limit.
  [[nodiscard]] std::optional<Exit> exit_within(const PriceRange& range, bool may_profit) const {
    const double position = state_.broker.position();
    if (position == 0.0 || !state_.leaving.empty()) return std::nullopt;
    const double side = sign_of(position), average = state_.broker.average_price();
    const auto& [stop_loss, take_profit] = options_.protection;
    const auto met = [&](OrderKind kind, double price) -> std::optional<Exit> {
      const auto reference = price_met(kind, -side, price, range);
      return reference ? std::optional<Exit>({kind, price, *reference}) : std::nullopt;
    };
    std::optional<Exit> exit;
    if (stop_loss) exit = met(OrderKind::stop, average * (1.0 - side * *stop_loss));
    if (!exit && take_profit && may_profit) exit = met(OrderKind::limit, average * (1.0 + side * *take_profit));
    return exit;
  }

  [[nodiscard]] Broker::Order order_of(const Exit& exit, std::size_t t) const {
    return order_at(t, exit.kind, exit.price, exit.reference, reason_of(exit));
  }

  [[nodiscard]] Broker::Order order_at(std::size_t t, OrderKind kind, double price, double reference,
                                       std::string_view reason) const {
    Broker::Order order{t, bars_.time_ns[t], FillAt::stop, reference, reason};
    if (kind == OrderKind::limit) {
      order.at = FillAt::limit;
      order.limit = price;
    }
    return order;
  }

  /// The decision's limit or stop order, if it is wanted and the range fills it.
  [[nodiscard]] std::optional<Broker::Order> resting_order(const Decision& decision, std::size_t t,
                                                           const PriceRange& range) {
    if (decision.order == OrderKind::market) return std::nullopt;
    const bool goes_on = decision.exposure == state_.wanted;
    if (goes_on && state_.working == 0.0) return std::nullopt;
    const double limit = decision.order == OrderKind::limit ? decision.price : std::numeric_limits<double>::quiet_NaN();
    const double wanted = broker().wanted_position(decision.exposure, decision.price, limit);
    const double side = sign_of(wanted - broker().position());
    if (goes_on && side != state_.working) {
      state_.working = 0.0;  // the price has come so far that nothing is left to do
      return std::nullopt;
    }
    if (side == 0.0) {
      if (decision.exposure != 0.0) ++state_.orders_below_lot;
      state_.wanted = decision.exposure;
      state_.working = 0.0;
      return std::nullopt;
    }
    const auto reference = price_met(decision.order, side, decision.price, range);
    if (!reference) return std::nullopt;
    Broker::Order order = order_at(t, decision.order, decision.price, *reference, decision.reason);
    order.side = side;
    return order;
  }

  void ruin(std::size_t t) {
    if (!run_.ruined_at) run_.ruined_at = t;
  }

  BarsView bars_;
  const RunOptions& options_;
  Run& run_;
  const bool protected_;
  State state_;
  std::vector<bool> session_ends_;
};

}  // namespace

void require_valid(const RunOptions& options) {
  require_valid(options.broker);
  const auto& [stop_loss, take_profit] = options.protection;
  if (stop_loss && !(*stop_loss > 0.0 && *stop_loss < 1.0)) {
    throw std::invalid_argument("stop_loss must be above 0 and below 1, found " + format_number(*stop_loss));
  }
  if (take_profit && !(*take_profit > 0.0 && std::isfinite(*take_profit))) {
    throw std::invalid_argument("take_profit must be a finite number above 0, found " + format_number(*take_profit));
  }
}

std::vector<Decision> same_decisions(std::size_t count, const Decision& decision) {
  std::vector<Decision> decisions;
  reserve_column(decisions, count);
  // By value, so that its members stay in registers: half the time of resize(count, decision).
  for (std::size_t i = 0; i < count; ++i) decisions.push_back(Decision(decision));
  return decisions;
}

std::vector<Decision> decide(BarsView bars, Strategy& strategy, const Progress& progress) {
  std::vector<Decision> decisions = same_decisions(bars.size(), {});
  for (std::size_t begin = 0; begin < bars.size(); begin += kBlock) {
    const std::size_t count = std::min(kBlock, bars.size() - begin);
    strategy.on_bars(bars.subview(begin, count), std::span(decisions).subspan(begin, count));
    if (progress) progress(begin + count, bars.size());
  }
  return decisions;
}

Run run_decisions(BarsView bars, std::vector<Decision> decisions, const RunOptions& options) {
  require_valid(options);
  Run run;
  run.begin = options.begin;
  run.end = checked_end(bars, options);
  run.capital = options.broker.capital;
  if (decisions.size() < run.end || decisions.size() > bars.size()) {
    throw std::invalid_argument("decisions must be one per bar, " + std::to_string(bars.size()) + ", found " +
                                std::to_string(decisions.size()));
  }
  decisions.resize(run.end);
  for (std::size_t i = 0; i < run.begin; ++i) require_valid(decisions[i], i);
  run.decisions = std::move(decisions);

  const std::size_t measured = run.end - run.begin;
  for (auto* column : {&run.equity, &run.position, &run.borrow}) reserve_column(*column, measured);
  reserve_column(run.fills, measured / kBarsToAFill);
  Loop(bars.subview(0, run.end), options, run)();
  return run;
}

Run run(BarsView bars, Strategy& strategy, const RunOptions& options, const Progress& progress) {
  const std::size_t end = checked_end(bars, options);
  return run_decisions(bars, decide(bars.subview(0, end), strategy, progress), options);
}

}  // namespace sentio

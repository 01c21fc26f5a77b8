#include "backtest/broker.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "bars/number.hpp"

namespace sentio {
namespace {

constexpr double kBps = 1e-4;
constexpr double kLotsPerUnit = 1e8;  // the smallest step of a bitcoin; finer than any broker's fractions of a share

/// The largest size of at least 0 with size x price <= share x (equity - cost), where the cost of moving there from
/// `start` (negative: on the other side) is fixed + linear |size - start|. First as a growing position; if that would
/// shrink it, as a shrinking one.
double affordable_size(double share, double equity, double start, double price, double linear, double fixed) {
  const double grown = share * (equity - fixed + linear * start) / (price + share * linear);
  if (grown >= start) return std::max(grown, 0.0);
  const double slope = price - share * linear;
  if (slope <= 0.0) return 0.0;  // a unit costs more to trade than it is worth: no size is affordable
  return std::clamp(share * (equity - fixed - linear * start) / slope, 0.0, std::max(start, 0.0));
}

/// A price not worse than `limit`; NaN is no limit.
double within_limit(double price, double quantity, double limit) {
  return quantity > 0.0 ? std::fmin(price, limit) : std::fmax(price, limit);
}

}  // namespace

void require_valid(const BrokerOptions& options) {
  require_valid(options.costs);
  if (!(options.capital > 0.0 && std::isfinite(options.capital))) {
    throw std::invalid_argument("capital must be a finite number above 0, found " + format_number(options.capital));
  }
  if (!(options.max_exposure > 0.0 && options.max_exposure <= 1.0)) {
    throw std::invalid_argument("max_exposure must be above 0 and at most 1, found " +
                                format_number(options.max_exposure));
  }
  if (const auto share = options.max_volume_share; share && !(*share > 0.0 && *share <= 1.0)) {
    throw std::invalid_argument("max_volume_share must be above 0 and at most 1, found " + format_number(*share));
  }
}

std::string_view name_of(FillAt at) {
  switch (at) {
    case FillAt::close: return "close";
    case FillAt::limit: return "limit";
    case FillAt::stop: return "stop";
    case FillAt::open: break;
  }
  return "open";
}

double target_position(double exposure, double equity, double position, double price, const CostModel& costs,
                       double limit) {
  if (exposure == 0.0 || equity <= 0.0) return 0.0;
  const double side = exposure > 0.0 ? 1.0 : -1.0;
  const double share = std::abs(exposure);
  const double start = side * position;

  // The order buys if the position must grow in a long or shrink in a short; that decides the price that bps are taken
  // of.
  const bool grows = share * equity / price >= start;
  const double quantity_side = grows ? side : -side;
  const double fill_price = within_limit(costs.fill_price(price, quantity_side), quantity_side, limit);
  const double impact = std::abs(fill_price - price);
  const double proportional = costs.commission_per_share + costs.commission_bps * kBps * fill_price;

  // commission = max(minimum, proportional x units) is the larger of two straight lines, so the size is the smaller
  // one.
  return side * std::min(affordable_size(share, equity, start, price, impact + proportional, 0.0),
                         affordable_size(share, equity, start, price, impact, costs.commission_minimum));
}

Broker::Broker(const BrokerOptions& options) : options_(options), cash_(options.capital) { require_valid(options); }

double Broker::rounded(double quantity) const {
  return options_.fractional ? std::trunc(quantity * kLotsPerUnit) / kLotsPerUnit : std::trunc(quantity);
}

double Broker::wanted_position(double exposure, double reference, double limit) const {
  const double capped = std::clamp(exposure, -options_.max_exposure, options_.max_exposure);
  const double exact = target_position(capped, equity(reference), position_, reference, options_.costs, limit);
  return exact == position_ ? position_ : rounded(exact);
}

std::optional<Fill> Broker::trade(double exposure, const Order& order) {
  const CostModel& costs = options_.costs;
  double target = wanted_position(exposure, order.reference, order.limit);
  double quantity = target - position_;
  unfilled_ = 0.0;
  if (order.side * quantity < 0.0) return std::nullopt;
  if (std::abs(quantity) > order.most) {
    const double taken = std::copysign(rounded(order.most), quantity);
    unfilled_ = quantity - taken;
    quantity = taken;
    target = position_ + taken;
  }
  if (quantity == 0.0) return std::nullopt;

  Fill fill{};
  fill.bar = order.bar;
  fill.time_ns = order.time_ns;
  fill.at = order.at;
  fill.quantity = quantity;
  fill.reference = order.reference;
  fill.price = costs.fill_price(order.reference, quantity);
  fill.spread_cost = std::abs(quantity) * order.reference * costs.half_spread_bps * kBps;
  fill.slippage_cost = std::abs(quantity) * order.reference * costs.slippage_bps * kBps;
  if (const double price = within_limit(fill.price, quantity, order.limit); price != fill.price) {
    const double paid = (price - order.reference) / (fill.price - order.reference);
    fill.price = price;
    fill.spread_cost *= paid;
    fill.slippage_cost *= paid;
  }
  fill.commission = costs.commission(quantity, fill.price);
  fill.borrow = std::exchange(borrow_since_fill_, 0.0);
  fill.reason = order.reason;

  cash_ -= quantity * fill.price + fill.commission;
  const double cost_per_unit = fill.commission / std::abs(quantity);
  book(target, fill.price + (quantity > 0.0 ? cost_per_unit : -cost_per_unit));
  fill.position = position_;
  fill.cash = cash_;
  fill.average_price = average_price_;
  return fill;
}

void Broker::book(double target, double price) {
  const bool same_side = position_ * target > 0.0;
  if (target == 0.0) {
    average_price_ = 0.0;
  } else if (!same_side) {
    average_price_ = price;
  } else if (std::abs(target) > std::abs(position_)) {
    average_price_ += (price - average_price_) * (target - position_) / target;
  }
  position_ = target;
}

double Broker::accrue_borrow(double price, double years) {
  const double paid = options_.costs.borrow(position_, price, years);
  cash_ -= paid;
  borrow_since_fill_ += paid;
  return paid;
}

}  // namespace sentio

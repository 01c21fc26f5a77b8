#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "backtest/costs.hpp"

namespace sentio {

struct BrokerOptions {
  CostModel costs = cost_models().front();
  double capital = 100'000.0;  ///< cash at the start, in the currency of the prices
  double max_exposure = 1.0;   ///< wanted exposures are cut to this, in (0, 1]
  bool fractional = false;     ///< orders in steps of 1e-8 of a unit, not of whole units
  /// The share of a bar's volume, in (0, 1], that the fills in that bar may take together; no limit if not given.
  std::optional<double> max_volume_share = std::nullopt;
};

/// Throws std::invalid_argument naming the option, the value and what is allowed.
void require_valid(const BrokerOptions& options);

/// What was met: a market order the bar's open or close; a limit or stop order its price, or the open beyond it.
enum class FillAt : std::uint8_t { open, close, limit, stop };

/// "open"
[[nodiscard]] std::string_view name_of(FillAt at);

/// An order, or the part of it that one bar executed.
struct Fill {
  std::size_t bar;       ///< the bar in which it was executed
  std::int64_t time_ns;  ///< that bar's open time
  FillAt at;
  double quantity;                                ///< signed units; buys are positive
  double reference;                               ///< a price of the bar, within its low and high
  double price;                                   ///< paid or received: reference, moved by half-spread and slippage
  double commission, spread_cost, slippage_cost;  ///< each at least 0
  double borrow;                                  ///< paid for a short position since the fill before
  double position, cash;                          ///< after the fill
  double average_price;  ///< at which the position after the fill was built, commissions included; 0 when flat
  std::string_view reason;

  bool operator==(const Fill&) const = default;
};

/// The largest position towards `exposure` whose value at `price` is at most |exposure| times the equity that remains
/// after the costs of trading there from `position`; in units, not rounded. With exposure 1 cash cannot fall below 0.
/// @param limit the worst price that the order may be filled at, as Broker::Order has it; NaN for none
[[nodiscard]] double target_position(double exposure, double equity, double position, double price,
                                     const CostModel& costs, double limit = std::numeric_limits<double>::quiet_NaN());

/// Cash and one position. After every fill: cash + position x price = equity, and
/// cash = capital - sum(quantity x price + commission + borrow).
class Broker {
 public:
  /// Where and why an order is executed.
  struct Order {
    std::size_t bar;
    std::int64_t time_ns;
    FillAt at;
    double reference;
    std::string_view reason;
    /// The worst price to fill at. A limit order pays half-spread and slippage as far as its limit leaves room: nothing
    /// where the price comes to it and somebody else crosses the spread; the market's, up to the limit, where the bar
    /// opens beyond it and it is executed at once.
    double limit = std::numeric_limits<double>::quiet_NaN();
    double most = std::numeric_limits<double>::infinity();  ///< units to fill; the rest is unfilled()
    double side = 0.0;  ///< 1 to buy only, -1 to sell only, 0 for whatever the exposure needs
  };

  explicit Broker(const BrokerOptions& options);

  /// Trades towards `exposure` of the equity at the order's reference price. No fill if the change is below one lot.
  std::optional<Fill> trade(double exposure, const Order& order);

  /// The position, in whole lots, that `trade` would go to at a reference price and a limit.
  [[nodiscard]] double wanted_position(double exposure, double reference, double limit) const;

  /// Signed units that the last order wanted beyond its `most`.
  [[nodiscard]] double unfilled() const { return unfilled_; }

  /// Pays for borrowing a short position over `years`, valued at `price`; says how much.
  double accrue_borrow(double price, double years);

  [[nodiscard]] double cash() const { return cash_; }
  [[nodiscard]] double position() const { return position_; }
  [[nodiscard]] double equity(double price) const { return cash_ + position_ * price; }

  [[nodiscard]] double average_price() const { return average_price_; }

 private:
  [[nodiscard]] double rounded(double quantity) const;
  void book(double target, double price);

  BrokerOptions options_;
  double cash_, position_ = 0.0, average_price_ = 0.0, borrow_since_fill_ = 0.0, unfilled_ = 0.0;
};

}  // namespace sentio

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sentio {

/// How an order meets the market. Its price is the one that the strategy names; a market order names none.
enum class OrderKind : std::uint8_t {
  market,  ///< at the open
  limit,   ///< at its price or better: buys below, sells above
  stop,    ///< becomes a market order once its price is reached: buys above, sells below
};

inline constexpr std::array kOrderKinds{OrderKind::market, OrderKind::limit, OrderKind::stop};

/// "limit"
[[nodiscard]] std::string_view name_of(OrderKind kind);

/// Throws std::invalid_argument if no kind has this name.
[[nodiscard]] OrderKind find_order_kind(std::string_view name);

/// The prices that an order can meet: it comes when the price is `from`, which then moves between `low` and `high`.
struct PriceRange {
  double from, high, low;
};

/// The price, before spread and slippage, at which an order for `side` (1: buy, -1: sell) is filled; none if it is not.
/// It always lies within the range.
///
///     market          from
///     limit buy  P    min(from, P) if low  < P      limit sell P    max(from, P) if high > P
///     stop  buy  P    max(from, P) if high >= P     stop  sell P    min(from, P) if low <= P
///
/// A limit order that the price only touches is not filled: others were in the queue before it. A stop that is touched
/// is. Where the price jumps over P, both are filled at what it jumped to.
[[nodiscard]] std::optional<double> price_met(OrderKind kind, double side, double price, const PriceRange& range);

}  // namespace sentio

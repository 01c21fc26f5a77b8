#include "backtest/order.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "bars/suggest.hpp"

namespace sentio {

std::string_view name_of(OrderKind kind) {
  switch (kind) {
    case OrderKind::limit: return "limit";
    case OrderKind::stop: return "stop";
    case OrderKind::market: break;
  }
  return "market";
}

OrderKind find_order_kind(std::string_view name) {
  const auto found = std::ranges::find(kOrderKinds, name, [](OrderKind kind) { return name_of(kind); });
  if (found != kOrderKinds.end()) return *found;
  std::vector<std::string> names;
  for (const OrderKind kind : kOrderKinds) names.emplace_back(name_of(kind));
  throw std::invalid_argument("order must be market, limit or stop, found '" + std::string(name) + "'" +
                              did_you_mean(std::string(name), names));
}

std::optional<double> price_met(OrderKind kind, double side, double price, const PriceRange& range) {
  const bool buys = side > 0.0;
  if (kind == OrderKind::limit) {
    if (buys ? range.low < price : range.high > price)
      return buys ? std::min(range.from, price) : std::max(range.from, price);
    return std::nullopt;
  }
  if (kind == OrderKind::stop) {
    if (buys ? range.high >= price : range.low <= price)
      return buys ? std::max(range.from, price) : std::min(range.from, price);
    return std::nullopt;
  }
  return range.from;
}

}  // namespace sentio

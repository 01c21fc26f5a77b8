#include "backtest/decision.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

#include "bars/number.hpp"

namespace sentio {
namespace {

bool price_fits(const Decision& decision) {
  if (decision.order == OrderKind::market) return std::isnan(decision.price);
  return decision.price > 0.0 && std::isfinite(decision.price);
}

}  // namespace

void require_valid(const Decision& decision, std::size_t bar) {
  const auto refuse = [&](const std::string& what, double found) {
    throw std::invalid_argument("decision at bar " + std::to_string(bar) + ": " + what + ", found " +
                                format_number(found));
  };
  if (!(std::abs(decision.exposure) <= 1.0)) refuse("exposure must be within [-1, 1]", decision.exposure);
  const double p = decision.probability;
  if (!std::isnan(p) && !(p >= 0.0 && p <= 1.0)) refuse("probability must be within [0, 1]", p);
  if (price_fits(decision)) return;
  if (decision.order == OrderKind::market) refuse("a market order has no price (nan)", decision.price);
  refuse("the price of a " + std::string(name_of(decision.order)) + " order must be a finite number above 0",
         decision.price);
}

}  // namespace sentio

#include "backtest/decision.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

#include "bars/number.hpp"

namespace sentio {

void require_valid(const Decision& decision, std::size_t bar) {
  const auto refuse = [&](const char* what, double found) {
    throw std::invalid_argument("decision at bar " + std::to_string(bar) + ": " + what + ", found " +
                                format_number(found));
  };
  if (!(std::abs(decision.exposure) <= 1.0)) refuse("exposure must be within [-1, 1]", decision.exposure);
  const double p = decision.probability;
  if (!std::isnan(p) && !(p >= 0.0 && p <= 1.0)) refuse("probability must be within [0, 1]", p);
}

}  // namespace sentio

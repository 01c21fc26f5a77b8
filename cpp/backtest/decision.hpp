#pragma once

#include <cstddef>
#include <limits>
#include <string_view>

#include "backtest/order.hpp"

namespace sentio {

/// What a strategy wants after a bar has closed.
///
/// The wanted exposure is reached by an order of the kind it names, which lives for the next bar alone. If it is not
/// filled there, the next decision sends its own, as long as it still wants something else than the position held.
struct Decision {
  double exposure = 0.0;  ///< wanted value of the position over equity, in [-1, 1]
  double probability = std::numeric_limits<double>::quiet_NaN();  ///< that the price rises; NaN if there is none
  std::string_view reason;                                        ///< of static storage
  float logit = std::numeric_limits<float>::quiet_NaN();          ///< of the model; NaN if there is none
  OrderKind order = OrderKind::market;
  double price = std::numeric_limits<double>::quiet_NaN();  ///< of a limit or stop order; NaN for a market order
};

/// Throws std::invalid_argument unless the exposure lies in [-1, 1], the probability in [0, 1] or is NaN, and limit and
/// stop orders, they alone, have a finite price above 0.
void require_valid(const Decision& decision, std::size_t bar);

}  // namespace sentio

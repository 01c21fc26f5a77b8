#pragma once

#include <cstddef>
#include <limits>
#include <string_view>

namespace sentio {

/// What a strategy wants after a bar has closed.
struct Decision {
  double exposure = 0.0;  ///< wanted value of the position over equity, in [-1, 1]
  double probability = std::numeric_limits<double>::quiet_NaN();  ///< that the price rises; NaN if there is none
  std::string_view reason;                                        ///< of static storage
  double logit = std::numeric_limits<double>::quiet_NaN();        ///< of the model; NaN if there is none
};

/// Throws std::invalid_argument unless the exposure lies in [-1, 1] and the probability in [0, 1] or is NaN.
void require_valid(const Decision& decision, std::size_t bar);

}  // namespace sentio

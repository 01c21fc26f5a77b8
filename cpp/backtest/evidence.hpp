#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace sentio {

/// How many strategies somebody could have picked this one from. Who picks the best of many must know of how many.
struct Trials {
  std::size_t count = 1;
  std::string from = "taken for the only one tried";  ///< where the number comes from
};

/// What a Sharpe ratio proves: see the definition cards of the metrics.
struct SharpeEvidence {
  Trials trials;
  std::size_t sessions = 0;  ///< session returns that the figures are of
  std::optional<double> sharpe_per_session, skewness, kurtosis;
  std::optional<double> probabilistic_sharpe, expected_maximum_sharpe, deflated_sharpe;
  std::optional<double> minimum_track_record;     ///< sessions
  std::optional<double> sharpe_low, sharpe_high;  ///< 95 % interval of the annualised Sharpe ratio, stationary bootstrap
};

[[nodiscard]] nlohmann::ordered_json to_json(const SharpeEvidence& evidence);

}  // namespace sentio

#include "backtest/evidence.hpp"

#include <nlohmann/json.hpp>

#include "backtest/json_value.hpp"

namespace sentio {

nlohmann::ordered_json to_json(const SharpeEvidence& e) {
  return {{"trials", {{"count", e.trials.count}, {"from", e.trials.from}}},
          {"sessions", e.sessions},
          {"sharpe_per_session", or_null(e.sharpe_per_session)},
          {"skewness", or_null(e.skewness)},
          {"kurtosis", or_null(e.kurtosis)},
          {"probabilistic_sharpe", or_null(e.probabilistic_sharpe)},
          {"expected_maximum_sharpe", or_null(e.expected_maximum_sharpe)},
          {"deflated_sharpe", or_null(e.deflated_sharpe)},
          {"minimum_track_record", or_null(e.minimum_track_record)},
          {"sharpe_low", or_null(e.sharpe_low)},
          {"sharpe_high", or_null(e.sharpe_high)}};
}

}  // namespace sentio

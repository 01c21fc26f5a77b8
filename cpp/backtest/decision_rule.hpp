#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>

#include "backtest/decision.hpp"
#include "bars/state.hpp"

namespace sentio {

/// Long at p >= long_above, short at p <= short_below; between them a position is kept until p comes back to its exit
/// (hysteresis). Entries go before exits.
struct ThresholdParams {
  double long_above = 0.53, short_below = 0.47;
  double exit_long_below = 0.5;   ///< a long is left at p <= this
  double exit_short_above = 0.5;  ///< a short is left at p >= this
  bool allow_short = true;
  int min_hold = 0;  ///< bars that a position is kept at least
  int cooldown =
      0;  ///< bars that a left position is followed by at least, flat; 0 lets a long turn into a short at once

  bool operator==(const ThresholdParams&) const = default;
};

/// exposure = clip(k (2 p - 1), -1, 1); no less than 0 unless shorts are allowed.
struct ScaledParams {
  double k = 1.0;
  bool allow_short = true;

  bool operator==(const ScaledParams&) const = default;
};

/// Turns one probability per bar into one decision per bar. A small value: copy it to start it twice.
class DecisionRule {
 public:
  /// The threshold rule with its defaults.
  DecisionRule() : DecisionRule(ThresholdParams{}) {}

  /// @throws std::invalid_argument if a parameter is out of range or the thresholds do not lie in the order
  ///         short_below <= exits <= long_above, short_below < long_above.
  explicit DecisionRule(const ThresholdParams& params);
  explicit DecisionRule(const ScaledParams& params);

  /// Reads {"rule": "threshold" | "scaled", parameters...}. An exit that is not given is 0.5, or the nearest value to
  /// it between short_below and long_above.
  ///
  /// @param where what stands before a key in a message: "metadata.json: decision."
  /// @throws InputError for an unknown key, a wrong type, a value out of range, thresholds out of order.
  [[nodiscard]] static DecisionRule from_json(const nlohmann::json& json, const std::string& where);
  [[nodiscard]] nlohmann::ordered_json to_json() const;

  /// The decision after a bar with this probability. NaN (not known yet) is flat and forgets the position.
  /// @throws std::invalid_argument if the probability is outside [0, 1]
  [[nodiscard]] Decision operator()(double probability);

  /// The present position, as a state keeps it.
  void save(StateWriter& to) const;
  /// @throws InputError if the state holds an impossible one
  void load(StateReader& from);

  [[nodiscard]] const std::variant<ThresholdParams, ScaledParams>& params() const { return params_; }

 private:
  Decision threshold(const ThresholdParams& params, double p);

  std::variant<ThresholdParams, ScaledParams> params_;
  int side_ = 0;     ///< 1 long, -1 short, 0 flat
  int held_ = 0;     ///< decisions for the present side
  int waiting_ = 0;  ///< decisions that must still be flat
};

}  // namespace sentio

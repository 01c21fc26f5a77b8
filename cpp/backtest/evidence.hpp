#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>

namespace sentio {

/// How many strategies somebody could have picked this one from. Who picks the best of many must know of how many.
struct Trials {
  std::size_t count = 1;
  std::string from = "taken for the only one tried";  ///< where the number comes from
  bool known = false;                                 ///< somebody said or counted it
};

/// What a Sharpe ratio proves: see the definition cards of the metrics.
struct SharpeEvidence {
  Trials trials;
  std::size_t sessions = 0;  ///< session returns that the figures are of
  std::optional<double> sharpe_per_session, skewness, kurtosis;
  std::optional<double> probabilistic_sharpe, expected_maximum_sharpe, deflated_sharpe;
  std::optional<double> minimum_track_record;  ///< sessions
  std::optional<double> sharpe_low,
      sharpe_high;  ///< 95 % interval of the annualised Sharpe ratio, stationary bootstrap
};

/// Probability that the true Sharpe ratio is above `benchmark`:
/// Phi((S - benchmark) sqrt(T - 1) / sqrt(1 - skewness S + (kurtosis - 1) / 4 S^2)).
/// Bailey & Lopez de Prado, The Sharpe Ratio Efficient Frontier, 2012. With the Sharpe ratio that the best of many
/// trials without skill would have for `benchmark`, it is the deflated Sharpe ratio (2014).
///
/// @param sharpe S, per period, not annualised
/// @param count T, the returns that it is of; undefined for T < 2
/// @param kurtosis of a normal distribution 3; undefined where the square root is not above 0
[[nodiscard]] std::optional<double> probabilistic_sharpe(double sharpe, std::size_t count, double skewness,
                                                         double kurtosis, double benchmark);

/// The largest Sharpe ratio that `trials` independent ones without skill are expected to have:
/// sqrt(variance) ((1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e))), g = 0.5772...; 0 for one trial.
/// Bailey & Lopez de Prado, The Deflated Sharpe Ratio, 2014.
///
/// @param variance of the Sharpe ratios across the trials, in the unit of the result squared
[[nodiscard]] double expected_maximum_sharpe(double variance, std::size_t trials);

/// Returns that are needed before probabilistic_sharpe reaches `confidence`:
/// 1 + (1 - skewness S + (kurtosis - 1) / 4 S^2) (Phi^-1(confidence) / (S - benchmark))^2; undefined for S <=
/// benchmark, and where probabilistic_sharpe is. Bailey & Lopez de Prado, The Sharpe Ratio Efficient Frontier, 2012.
[[nodiscard]] std::optional<double> minimum_track_record(double sharpe, double skewness, double kurtosis,
                                                         double benchmark, double confidence);

/// All figures of `returns`, one a session; none but their number below kSessionsToAnnualise of them.
///
/// @param sharpe_variance of the Sharpe ratios of the trials, per session; where it is not known, 1 / (T - 1), which is
///        what chance gives to trials without skill
[[nodiscard]] SharpeEvidence evidence_of(std::span<const double> returns, double sessions_per_year, Trials trials,
                                         std::optional<double> sharpe_variance = std::nullopt);

[[nodiscard]] nlohmann::ordered_json to_json(const SharpeEvidence& evidence);

}  // namespace sentio

#include "backtest/evidence.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <utility>

#include "backtest/bootstrap.hpp"
#include "backtest/equity_figures.hpp"
#include "backtest/json_value.hpp"
#include "backtest/metrics.hpp"
#include "backtest/normal.hpp"
#include "backtest/sums.hpp"

namespace sentio {
namespace {

constexpr double kConfidence = 0.95;

/// T - 1 times the variance of an estimated Sharpe ratio. Mertens, Comments on Variance of the IID Estimator in Lo,
/// 2002.
double scaled_variance(double sharpe, double skewness, double kurtosis) {
  return 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe;
}

/// mean((r - mean)^power) over mean((r - mean)^2)^(power / 2), for returns that are not all equal.
double standardised_moment(std::span<const double> returns, int power) {
  const double centre = *mean(returns);
  const auto n = static_cast<double>(returns.size());
  const double variance = sum_of(returns, [&](double r) { return (r - centre) * (r - centre); }) / n;
  return sum_of(returns, [&](double r) { return std::pow((r - centre) / std::sqrt(variance), power); }) / n;
}

}  // namespace

std::optional<double> probabilistic_sharpe(double sharpe, std::size_t count, double skewness, double kurtosis,
                                           double benchmark) {
  const double variance = scaled_variance(sharpe, skewness, kurtosis);
  if (count < 2 || !(variance > 0.0)) return std::nullopt;
  return normal_cdf((sharpe - benchmark) * std::sqrt(static_cast<double>(count - 1) / variance));
}

double expected_maximum_sharpe(double variance, std::size_t trials) {
  if (trials < 2) return 0.0;
  const auto n = static_cast<double>(trials);
  return std::sqrt(variance) * -((1.0 - std::numbers::egamma) * normal_quantile(1.0 / n) +
                                 std::numbers::egamma * normal_quantile(1.0 / (n * std::numbers::e)));
}

std::optional<double> minimum_track_record(double sharpe, double skewness, double kurtosis, double benchmark,
                                           double confidence) {
  const double variance = scaled_variance(sharpe, skewness, kurtosis);
  if (!(sharpe > benchmark) || !(variance > 0.0)) return std::nullopt;
  const double distance = normal_quantile(confidence) / (sharpe - benchmark);
  return 1.0 + variance * distance * distance;
}

SharpeEvidence evidence_of(std::span<const double> returns, double sessions_per_year, Trials trials,
                           std::optional<double> sharpe_variance) {
  SharpeEvidence e;
  e.trials = std::move(trials);
  e.sessions = returns.size();
  if (e.sessions < kSessionsToAnnualise) return e;
  e.sharpe_per_session = sharpe(moments(returns), 1.0);
  if (!e.sharpe_per_session) return e;
  const double ratio = *e.sharpe_per_session;
  e.skewness = standardised_moment(returns, 3);
  e.kurtosis = standardised_moment(returns, 4);
  e.probabilistic_sharpe = probabilistic_sharpe(ratio, e.sessions, *e.skewness, *e.kurtosis, 0.0);
  e.expected_maximum_sharpe =
      expected_maximum_sharpe(sharpe_variance.value_or(1.0 / static_cast<double>(e.sessions - 1)), e.trials.count);
  e.deflated_sharpe = probabilistic_sharpe(ratio, e.sessions, *e.skewness, *e.kurtosis, *e.expected_maximum_sharpe);
  e.minimum_track_record = minimum_track_record(ratio, *e.skewness, *e.kurtosis, 0.0, kConfidence);
  if (const auto interval = sharpe_interval(returns, sessions_per_year)) {
    e.sharpe_low = interval->low;
    e.sharpe_high = interval->high;
  }
  return e;
}

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

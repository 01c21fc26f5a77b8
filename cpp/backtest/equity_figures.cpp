#include "backtest/equity_figures.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backtest/json_value.hpp"
#include "backtest/text.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

std::vector<double> session_closes(const EquityCurve& curve) {
  std::vector<double> closes;
  for (std::size_t t = 0; t < curve.equity.size(); ++t) {
    const bool last_of_session = t + 1 == curve.equity.size() || curve.sessions[t + 1] != curve.sessions[t];
    if (last_of_session) closes.push_back(curve.equity[t]);
  }
  return closes;
}

SessionFigures session_figures(const EquityCurve& curve, double sessions_per_year) {
  SessionFigures figures;
  figures.count = count_sessions(curve);
  const std::vector<double> returns = session_returns(curve);
  if (returns.empty()) return figures;
  const Moments sample = moments(returns);
  figures.mean_return = sample.mean;
  figures.sample_std = sample.sample_std;
  if (figures.count >= kSessionsToAnnualise) figures.sharpe = sharpe(sample, sessions_per_year);
  figures.best = std::ranges::max(returns);
  figures.worst = std::ranges::min(returns);
  return figures;
}

}  // namespace

std::size_t count_sessions(const EquityCurve& curve) {
  std::size_t count = curve.equity.empty() ? 0 : 1;
  for (std::size_t t = 1; t < curve.sessions.size(); ++t) count += curve.sessions[t] != curve.sessions[t - 1];
  return count;
}

std::vector<double> session_returns(const EquityCurve& curve) {
  return simple_returns(session_closes(curve), curve.start);
}

EquityFigures equity_figures(const EquityCurve& curve, const PeriodsPerYear& per_year) {
  const double periods_per_year = per_year.value;
  const std::vector<double> returns = simple_returns(curve.equity, curve.start);
  const Moments sample = moments(returns);
  EquityFigures f;
  f.bars = curve.equity.size();
  f.start_equity = curve.start;
  f.end_equity = curve.equity.back();
  f.total_return = total_return(curve.equity, curve.start);
  f.sharpe_of_stretch = sharpe(sample, static_cast<double>(sample.count));
  f.drawdown = max_drawdown(curve.equity, curve.start);
  f.sessions = session_figures(curve, per_year.sessions);
  if (f.sessions.count < kSessionsToAnnualise) {
    f.not_annualised = "not annualised: " + counted(f.sessions.count, "session");
    return f;
  }
  f.annualised_return = annualised_return(f.total_return, f.bars, periods_per_year);
  f.monthly_return = monthly_return(f.total_return, f.bars, periods_per_year);
  f.volatility = volatility(sample, periods_per_year);
  f.sharpe = sharpe(sample, periods_per_year);
  f.sharpe_standard_error = sharpe_standard_error(sample, periods_per_year);
  f.sortino = sortino(returns, periods_per_year);
  f.calmar = calmar(f.annualised_return, f.drawdown.depth);
  return f;
}

nlohmann::ordered_json to_json(const EquityFigures& f, std::span<const std::int64_t> time_ns) {
  const auto time_or_null = [&](std::optional<std::size_t> bar) {
    return bar ? nlohmann::ordered_json(format_time(time_ns[*bar])) : nullptr;
  };
  return {{"bars", f.bars},
          {"start_equity", f.start_equity},
          {"end_equity", f.end_equity},
          {"not_annualised", f.not_annualised ? nlohmann::ordered_json(*f.not_annualised) : nullptr},
          {"total_return", or_null(f.total_return)},
          {"annualised_return", or_null(f.annualised_return)},
          {"monthly_return", or_null(f.monthly_return)},
          {"volatility", or_null(f.volatility)},
          {"sharpe", or_null(f.sharpe)},
          {"sharpe_of_stretch", or_null(f.sharpe_of_stretch)},
          {"sharpe_standard_error", or_null(f.sharpe_standard_error)},
          {"sortino", or_null(f.sortino)},
          {"calmar", or_null(f.calmar)},
          {"max_drawdown",
           {{"depth", f.drawdown.depth},
            {"peak", time_or_null(f.drawdown.peak)},
            {"bottom", time_or_null(f.drawdown.bottom)},
            {"recovery", time_or_null(f.drawdown.recovery)}}},
          {"sessions",
           {{"count", f.sessions.count},
            {"mean_return", or_null(f.sessions.mean_return)},
            {"sample_std", or_null(f.sessions.sample_std)},
            {"sharpe", or_null(f.sessions.sharpe)},
            {"best", or_null(f.sessions.best)},
            {"worst", or_null(f.sessions.worst)}}}};
}

}  // namespace sentio

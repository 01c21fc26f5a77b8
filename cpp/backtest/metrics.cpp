#include "backtest/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "bars/time.hpp"

namespace sentio {
namespace {

double compound(std::span<const double> returns) {
  double growth = 1.0;
  for (const double r : returns) growth *= 1.0 + r;
  return growth;
}

/// (1 + total)^exponent - 1
std::optional<double> return_at_pace(std::span<const double> returns, double exponent) {
  const double growth = compound(returns);
  if (returns.empty() || growth <= 0.0) return std::nullopt;
  return std::pow(growth, exponent) - 1.0;
}

double sum_of(std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

/// All values equal, so that a spread that is only rounding is not taken for one.
bool constant(std::span<const double> values) {
  return std::ranges::adjacent_find(values, std::not_equal_to<>()) == values.end();
}

}  // namespace

std::vector<double> simple_returns(std::span<const double> equity, double start) {
  std::vector<double> returns;
  returns.reserve(equity.size());
  double previous = start;
  for (const double value : equity) {
    if (previous <= 0.0) break;
    returns.push_back(value / previous - 1.0);
    previous = value;
  }
  return returns;
}

std::optional<double> total_return(std::span<const double> returns) {
  if (returns.empty()) return std::nullopt;
  return compound(returns) - 1.0;
}

std::optional<double> annualised_return(std::span<const double> returns, double periods_per_year) {
  return return_at_pace(returns, periods_per_year / static_cast<double>(returns.size()));
}

std::optional<double> monthly_return(std::span<const double> returns, double periods_per_year) {
  return return_at_pace(returns, periods_per_year / 12.0 / static_cast<double>(returns.size()));
}

std::optional<double> mean(std::span<const double> values) {
  if (values.empty()) return std::nullopt;
  return sum_of(values) / static_cast<double>(values.size());
}

std::optional<double> sample_std(std::span<const double> values) {
  if (values.size() < 2) return std::nullopt;
  if (constant(values)) return 0.0;
  const double centre = *mean(values);
  double squares = 0.0;
  for (const double x : values) squares += (x - centre) * (x - centre);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

std::optional<double> volatility(std::span<const double> returns, double periods_per_year) {
  const auto spread = sample_std(returns);
  if (!spread) return std::nullopt;
  return *spread * std::sqrt(periods_per_year);
}

std::optional<double> sharpe(std::span<const double> returns, double periods_per_year) {
  const auto spread = sample_std(returns);
  if (!spread || *spread == 0.0) return std::nullopt;
  return *mean(returns) / *spread * std::sqrt(periods_per_year);
}

std::optional<double> sharpe_standard_error(std::span<const double> returns, double periods_per_year) {
  const auto ratio = sharpe(returns, periods_per_year);
  if (!ratio) return std::nullopt;
  return std::sqrt((periods_per_year + *ratio * *ratio / 2.0) / static_cast<double>(returns.size()));
}

std::optional<double> sortino(std::span<const double> returns, double periods_per_year) {
  double squares = 0.0;
  for (const double r : returns) squares += std::min(r, 0.0) * std::min(r, 0.0);
  if (squares == 0.0) return std::nullopt;
  return *mean(returns) / std::sqrt(squares / static_cast<double>(returns.size())) * std::sqrt(periods_per_year);
}

Drawdown max_drawdown(std::span<const double> equity, double start) {
  Drawdown worst;
  double peak = start, worst_peak = start;
  std::optional<std::size_t> peak_bar;
  for (std::size_t i = 0; i < equity.size(); ++i) {
    if (worst.bottom && !worst.recovery && equity[i] >= worst_peak) worst.recovery = i;
    if (equity[i] >= peak) {
      peak = equity[i];
      peak_bar = i;
    } else if (const double depth = 1.0 - equity[i] / peak; depth > worst.depth) {
      worst = {.depth = depth, .peak = peak_bar, .bottom = i, .recovery = std::nullopt};
      worst_peak = peak;
    }
  }
  return worst;
}

std::optional<double> calmar(std::optional<double> annualised_return, double drawdown) {
  if (!annualised_return || drawdown == 0.0) return std::nullopt;
  return *annualised_return / drawdown;
}

TradeFigures trade_figures(std::span<const Trade> trades) {
  std::vector<double> wins, losses;
  for (const Trade& trade : trades) (trade.profit > 0.0 ? wins : losses).push_back(trade.profit);
  TradeFigures figures;
  figures.count = trades.size();
  figures.average_win = mean(wins);
  figures.average_loss = mean(losses);
  const double won = sum_of(wins), lost = -sum_of(losses);
  if (!trades.empty()) {
    const auto count = static_cast<double>(trades.size());
    figures.win_rate = static_cast<double>(wins.size()) / count;
    figures.expectancy = (won - lost) / count;
  }
  if (lost > 0.0) figures.profit_factor = won / lost;
  return figures;
}

SignalFigures signal_figures(std::span<const double> signals, std::span<const double> returns) {
  std::vector<double> x, y;
  std::size_t hits = 0, told = 0;
  for (std::size_t i = 0; i < signals.size(); ++i) {
    if (std::isnan(signals[i]) || std::isnan(returns[i])) continue;
    x.push_back(signals[i]);
    y.push_back(returns[i]);
    if (signals[i] == 0.0 || returns[i] == 0.0) continue;
    ++told;
    if ((signals[i] > 0.0) == (returns[i] > 0.0)) ++hits;
  }
  SignalFigures figures;
  figures.count = x.size();
  if (told > 0) figures.hit_rate = static_cast<double>(hits) / static_cast<double>(told);
  if (x.size() < 2 || constant(x) || constant(y)) return figures;
  const double x_mean = *mean(x), y_mean = *mean(y);
  double xx = 0.0, yy = 0.0, xy = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double dx = x[i] - x_mean, dy = y[i] - y_mean;
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  figures.information_coefficient = xy / (std::sqrt(xx) * std::sqrt(yy));
  return figures;
}

std::size_t longest_flat(std::span<const double> positions) {
  std::size_t longest = 0, current = 0;
  for (const double position : positions) {
    current = position == 0.0 ? current + 1 : 0;
    longest = std::max(longest, current);
  }
  return longest;
}

PeriodsPerYear periods_per_year(std::span<const std::int64_t> time_ns, std::span<const std::int32_t> sessions) {
  constexpr double kYearDays = 365.25, kTradingDays = 252.0, kCalendarDays = 365.0;
  const double days = static_cast<double>(time_ns.back() - time_ns.front()) / static_cast<double>(kDayNs);
  if (days >= 90.0) {
    return {static_cast<double>(time_ns.size() - 1) / (days / kYearDays), "bars in the file over its years"};
  }
  std::size_t count = 1;
  bool weekends = false;
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    if (i > 0 && sessions[i] != sessions[i - 1]) ++count;
    const int weekday = ((sessions[i] + 4) % 7 + 7) % 7;  // 1970-01-01 was a Thursday; 0 is Sunday
    weekends = weekends || weekday == 0 || weekday == 6;
  }
  const double per_session = static_cast<double>(time_ns.size()) / static_cast<double>(count);
  return weekends ? PeriodsPerYear{per_session * kCalendarDays, "mean bars per session x 365"}
                  : PeriodsPerYear{per_session * kTradingDays, "mean bars per session x 252"};
}

}  // namespace sentio

#include "backtest/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "backtest/sums.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

/// (1 + total)^exponent - 1
std::optional<double> return_at_pace(std::optional<double> total, double exponent) {
  if (!total || *total <= -1.0) return std::nullopt;
  return std::pow(1.0 + *total, exponent) - 1.0;
}

/// All values equal, so that a spread that is only rounding is not taken for one.
bool constant(std::span<const double> values) {
  return std::ranges::adjacent_find(values, std::not_equal_to<>()) == values.end();
}

}  // namespace

std::vector<double> simple_returns(std::span<const double> equity, double start) {
  const auto gone = std::ranges::find_if(equity, [](double value) { return value <= 0.0; });
  const auto usable = static_cast<std::size_t>(gone - equity.begin()) + (gone != equity.end() ? 1 : 0);
  if (usable == 0 || start <= 0.0) return {};
  std::vector<double> returns(usable);
  returns[0] = equity[0] / start - 1.0;
  for (std::size_t i = 1; i < usable; ++i) returns[i] = equity[i] / equity[i - 1] - 1.0;
  return returns;
}

std::optional<double> total_return(std::span<const double> equity, double start) {
  if (equity.empty() || start <= 0.0) return std::nullopt;
  return equity.back() / start - 1.0;
}

std::optional<double> annualised_return(std::optional<double> total, std::size_t n, double periods_per_year) {
  return return_at_pace(total, periods_per_year / static_cast<double>(n));
}

std::optional<double> monthly_return(std::optional<double> total, std::size_t n, double periods_per_year) {
  return return_at_pace(total, periods_per_year / 12.0 / static_cast<double>(n));
}

std::optional<double> mean(std::span<const double> values) {
  if (values.empty()) return std::nullopt;
  return sum_of(values) / static_cast<double>(values.size());
}

std::optional<double> sample_std(std::span<const double> values) { return moments(values).sample_std; }

Moments moments(std::span<const double> values) {
  Moments m{.count = values.size(), .mean = mean(values), .sample_std = std::nullopt};
  if (m.count < 2) return m;
  const double squares = sum_of(values, [centre = *m.mean](double x) { return (x - centre) * (x - centre); });
  m.sample_std = constant(values) ? 0.0 : std::sqrt(squares / static_cast<double>(m.count - 1));
  return m;
}

std::optional<double> volatility(const Moments& returns, double periods_per_year) {
  if (!returns.sample_std) return std::nullopt;
  return *returns.sample_std * std::sqrt(periods_per_year);
}

std::optional<double> sharpe(const Moments& returns, double periods_per_year) {
  if (!returns.sample_std || *returns.sample_std == 0.0) return std::nullopt;
  return *returns.mean / *returns.sample_std * std::sqrt(periods_per_year);
}

std::optional<double> sharpe_standard_error(const Moments& returns, double periods_per_year) {
  const auto ratio = sharpe(returns, periods_per_year);
  if (!ratio) return std::nullopt;
  return std::sqrt((periods_per_year + *ratio * *ratio / 2.0) / static_cast<double>(returns.count));
}

std::optional<double> sortino(std::span<const double> returns, double periods_per_year) {
  const double squares = sum_of(returns, [](double r) { return std::min(r, 0.0) * std::min(r, 0.0); });
  if (squares == 0.0) return std::nullopt;
  return *mean(returns) / std::sqrt(squares / static_cast<double>(returns.size())) * std::sqrt(periods_per_year);
}

Drawdown max_drawdown(std::span<const double> equity, double start) {
  Drawdown worst;
  if (start <= 0.0) return worst;
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
  const auto each_pair = [&](auto use) {
    for (std::size_t i = 0; i < signals.size(); ++i) {
      if (!std::isnan(signals[i]) && !std::isnan(returns[i])) use(signals[i], returns[i]);
    }
  };
  SignalFigures figures;
  std::size_t hits = 0, told = 0;
  Sum x_sum, y_sum;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double x_low = kInfinity, x_high = -kInfinity, y_low = kInfinity, y_high = -kInfinity;
  each_pair([&](double x, double y) {
    ++figures.count;
    x_sum.add(x);
    y_sum.add(y);
    x_low = std::min(x_low, x), x_high = std::max(x_high, x);
    y_low = std::min(y_low, y), y_high = std::max(y_high, y);
    const bool tells = (x != 0.0) & (y != 0.0);
    told += tells;
    hits += tells & ((x > 0.0) == (y > 0.0));
  });
  if (told > 0) figures.hit_rate = static_cast<double>(hits) / static_cast<double>(told);
  if (figures.count < 2 || x_low == x_high || y_low == y_high) return figures;
  const auto n = static_cast<double>(figures.count);
  const double x_mean = x_sum.value() / n, y_mean = y_sum.value() / n;
  Sum xx, yy, xy;
  each_pair([&](double x, double y) {
    const double dx = x - x_mean, dy = y - y_mean;
    xx.add(dx * dx);
    yy.add(dy * dy);
    xy.add(dx * dy);
  });
  figures.information_coefficient = xy.value() / (std::sqrt(xx.value()) * std::sqrt(yy.value()));
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
  std::size_t count = 1;
  bool weekends = false;
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    if (i > 0 && sessions[i] != sessions[i - 1]) ++count;
    const int weekday = ((sessions[i] + 4) % 7 + 7) % 7;  // 1970-01-01 was a Thursday; 0 is Sunday
    weekends = weekends || weekday == 0 || weekday == 6;
  }
  const double per_session = static_cast<double>(time_ns.size()) / static_cast<double>(count);
  if (days >= 90.0) {
    const double bars = static_cast<double>(time_ns.size() - 1) / (days / kYearDays);
    return {bars, bars / per_session, "bars in the file over its years"};
  }
  return weekends ? PeriodsPerYear{per_session * kCalendarDays, kCalendarDays, "mean bars per session x 365"}
                  : PeriodsPerYear{per_session * kTradingDays, kTradingDays, "mean bars per session x 252"};
}

}  // namespace sentio

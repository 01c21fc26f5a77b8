#include "backtest/measures.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "backtest/json_value.hpp"
#include "backtest/text.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <class Row, class Bar>
std::span<const Row> rows_within(const std::vector<Row>& rows, BarRange range, Bar bar) {
  const auto first = std::ranges::lower_bound(rows, range.begin, {}, bar);
  const auto last = std::ranges::lower_bound(rows, range.end, {}, bar);
  return {first, last};
}

CostsPaid costs_of(std::span<const Fill> fills, std::span<const double> borrow) {
  CostsPaid costs;
  for (const Fill& fill : fills) {
    costs.commission += fill.commission;
    costs.spread += fill.spread_cost;
    costs.slippage += fill.slippage_cost;
  }
  for (const double paid : borrow) costs.borrow += paid;
  return costs;
}

Drawdown shifted(Drawdown drawdown, std::size_t by) {
  for (auto* bar : {&drawdown.peak, &drawdown.bottom, &drawdown.recovery}) {
    if (*bar) **bar += by;
  }
  return drawdown;
}

nlohmann::ordered_json time_or_null(std::optional<std::size_t> bar, BarsView bars) {
  return bar ? nlohmann::ordered_json(format_time(bars.time_ns[*bar])) : nullptr;
}

}  // namespace

SignalSeries signal_series(const Run& run, BarsView bars) {
  SignalSeries series{std::vector<double>(run.size(), kNaN), std::vector<double>(run.size(), kNaN)};
  const bool has_probability =
      std::ranges::any_of(run.decisions, [](const Decision& decision) { return !std::isnan(decision.probability); });
  for (std::size_t t = run.begin; t < run.end; ++t) {
    const Decision& decision = run.decisions[t];
    series.signal[t - run.begin] = has_probability ? decision.probability - 0.5 : decision.exposure;
    if (t + 2 < run.end) series.forward_return[t - run.begin] = std::log(bars.open[t + 2] / bars.open[t + 1]);
  }
  return series;
}

Measurer::Measurer(const Run& run, BarsView bars, std::span<const std::int32_t> sessions, double periods_per_year)
    : run_(run),
      bars_(bars),
      sessions_(sessions),
      periods_per_year_(periods_per_year),
      trades_(round_trips(run.fills)),
      signals_(signal_series(run, bars)) {}

double Measurer::equity_before(std::size_t bar) const {
  return bar == run_.begin ? run_.capital : run_.equity[bar - 1 - run_.begin];
}

Measures Measurer::operator()(BarRange range) const {
  const std::size_t offset = range.begin - run_.begin;
  const auto column = [&](const std::vector<double>& values) {
    return std::span(values).subspan(offset, range.size());
  };
  const std::span<const double> equity = column(run_.equity), position = column(run_.position);
  const std::vector<double> returns = simple_returns(equity, equity_before(range.begin));
  const auto fills = rows_within(run_.fills, range, &Fill::bar);
  const auto bars = static_cast<double>(range.size());

  Measures m;
  m.bars = range.size();
  m.start_equity = equity_before(range.begin);
  m.end_equity = equity.back();
  m.total_return = total_return(returns);
  m.sharpe_of_stretch = sharpe(returns, static_cast<double>(returns.size()));
  m.drawdown = shifted(max_drawdown(equity, m.start_equity), range.begin);
  m.sessions = session_figures(range);
  if (m.sessions.count < kSessionsToAnnualise) {
    m.not_annualised = "not annualised: " + counted(m.sessions.count, "session");
  } else {
    m.annualised_return = annualised_return(returns, periods_per_year_);
    m.monthly_return = monthly_return(returns, periods_per_year_);
    m.volatility = volatility(returns, periods_per_year_);
    m.sharpe = sharpe(returns, periods_per_year_);
    m.sharpe_standard_error = sharpe_standard_error(returns, periods_per_year_);
    m.sortino = sortino(returns, periods_per_year_);
    m.calmar = calmar(m.annualised_return, m.drawdown.depth);
  }
  m.trades = trade_figures(rows_within(trades_, range, &Trade::exit_bar));
  m.fills = fills.size();
  m.costs = costs_of(fills, column(run_.borrow));
  m.longest_flat_bars = longest_flat(position);
  m.signal = signal_figures(column(signals_.signal), column(signals_.forward_return));
  m.trades_per_session = static_cast<double>(m.trades.count) / static_cast<double>(m.sessions.count);

  double exposure = 0.0, in_market = 0.0, traded = 0.0;
  for (std::size_t i = 0; i < position.size(); ++i) {
    exposure += std::abs(position[i] * bars_.close[range.begin + i] / equity[i]);
    in_market += position[i] != 0.0 ? 1.0 : 0.0;
  }
  for (const Fill& fill : fills) traded += std::abs(fill.quantity * fill.price);
  if (std::ranges::all_of(equity, [](double value) { return value > 0.0; })) m.mean_exposure = exposure / bars;
  m.time_in_market = in_market / bars;
  if (const double mean_equity = *mean(equity); mean_equity > 0.0) {
    m.turnover = traded / mean_equity;
    if (!m.not_annualised) m.annual_turnover = *m.turnover * periods_per_year_ / bars;
  }
  return m;
}

SessionFigures Measurer::session_figures(BarRange range) const {
  std::vector<double> closing_equity;
  for (std::size_t t = range.begin; t < range.end; ++t) {
    const bool last_of_session = t + 1 == range.end || sessions_[t + 1] != sessions_[t];
    if (last_of_session) closing_equity.push_back(run_.equity[t - run_.begin]);
  }
  const std::vector<double> returns = simple_returns(closing_equity, equity_before(range.begin));
  SessionFigures figures;
  figures.count = closing_equity.size();
  if (returns.empty()) return figures;
  const double sessions_per_year =
      periods_per_year_ * static_cast<double>(figures.count) / static_cast<double>(range.size());
  figures.mean_return = mean(returns);
  figures.sample_std = sample_std(returns);
  if (figures.count >= kSessionsToAnnualise) figures.sharpe = sharpe(returns, sessions_per_year);
  figures.best = std::ranges::max(returns);
  figures.worst = std::ranges::min(returns);
  return figures;
}

nlohmann::ordered_json to_json(const Measures& m, BarsView bars) {
  return {
      {"bars", m.bars},
      {"start_equity", m.start_equity},
      {"end_equity", m.end_equity},
      {"not_annualised", m.not_annualised ? nlohmann::ordered_json(*m.not_annualised) : nullptr},
      {"total_return", or_null(m.total_return)},
      {"annualised_return", or_null(m.annualised_return)},
      {"monthly_return", or_null(m.monthly_return)},
      {"volatility", or_null(m.volatility)},
      {"sharpe", or_null(m.sharpe)},
      {"sharpe_of_stretch", or_null(m.sharpe_of_stretch)},
      {"sharpe_standard_error", or_null(m.sharpe_standard_error)},
      {"sortino", or_null(m.sortino)},
      {"calmar", or_null(m.calmar)},
      {"max_drawdown",
       {{"depth", m.drawdown.depth},
        {"peak", time_or_null(m.drawdown.peak, bars)},
        {"bottom", time_or_null(m.drawdown.bottom, bars)},
        {"recovery", time_or_null(m.drawdown.recovery, bars)}}},
      {"trades",
       {{"count", m.trades.count},
        {"per_session", or_null(m.trades_per_session)},
        {"win_rate", or_null(m.trades.win_rate)},
        {"profit_factor", or_null(m.trades.profit_factor)},
        {"average_win", or_null(m.trades.average_win)},
        {"average_loss", or_null(m.trades.average_loss)},
        {"expectancy", or_null(m.trades.expectancy)}}},
      {"fills", m.fills},
      {"mean_exposure", or_null(m.mean_exposure)},
      {"time_in_market", or_null(m.time_in_market)},
      {"turnover", or_null(m.turnover)},
      {"annual_turnover", or_null(m.annual_turnover)},
      {"longest_flat_bars", m.longest_flat_bars},
      {"costs_paid",
       {{"total", m.costs.total()},
        {"commission", m.costs.commission},
        {"spread", m.costs.spread},
        {"slippage", m.costs.slippage},
        {"borrow", m.costs.borrow}}},
      {"signal",
       {{"count", m.signal.count},
        {"information_coefficient", or_null(m.signal.information_coefficient)},
        {"hit_rate", or_null(m.signal.hit_rate)}}},
      {"sessions",
       {{"count", m.sessions.count},
        {"mean_return", or_null(m.sessions.mean_return)},
        {"sample_std", or_null(m.sessions.sample_std)},
        {"sharpe", or_null(m.sessions.sharpe)},
        {"best", or_null(m.sessions.best)},
        {"worst", or_null(m.sessions.worst)}}},
  };
}

}  // namespace sentio

#include "backtest/measures.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "backtest/json_value.hpp"
#include "backtest/sums.hpp"

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
  costs.borrow = sum_of(borrow);
  return costs;
}

Drawdown shifted(Drawdown drawdown, std::size_t by) {
  for (auto* bar : {&drawdown.peak, &drawdown.bottom, &drawdown.recovery}) {
    if (*bar) **bar += by;
  }
  return drawdown;
}

}  // namespace

std::vector<double> forward_returns(BarsView bars, BarRange range) {
  std::vector<double> returns(range.size(), kNaN);
  for (std::size_t t = range.begin; t + 2 < range.end; ++t)
    returns[t - range.begin] = std::log(bars.open[t + 2] / bars.open[t + 1]);
  return returns;
}

std::vector<double> signals_of(const Run& run) {
  const std::span decisions = std::span(run.decisions).subspan(run.begin, run.size());
  const bool has_probability =
      std::ranges::any_of(run.decisions, [](const Decision& decision) { return !std::isnan(decision.probability); });
  std::vector<double> signals(run.size());
  std::ranges::transform(decisions, signals.begin(), [&](const Decision& decision) {
    return has_probability ? decision.probability - 0.5 : decision.exposure;
  });
  return signals;
}

Measurer::Measurer(const Run& run, BarsView bars, std::span<const std::int32_t> sessions,
                   std::span<const double> forward_returns, const PeriodsPerYear& per_year)
    : run_(run),
      bars_(bars),
      sessions_(sessions),
      forward_returns_(forward_returns),
      per_year_(per_year),
      trades_(round_trips(run.fills)),
      signals_(signals_of(run)) {}

EquityCurve Measurer::curve(BarRange range) const {
  const std::size_t offset = range.begin - run_.begin;
  return {.start = offset == 0 ? run_.capital : run_.equity[offset - 1],
          .equity = std::span(run_.equity).subspan(offset, range.size()),
          .sessions = sessions_.subspan(range.begin, range.size())};
}

Measures Measurer::operator()(BarRange range) const {
  const auto column = [&](std::span<const double> values) {
    return values.subspan(range.begin - run_.begin, range.size());
  };
  const EquityCurve stretch = curve(range);
  const std::span<const double> equity = stretch.equity, position = column(run_.position);
  const auto fills = rows_within(run_.fills, range, &Fill::bar);
  const auto bars = static_cast<double>(range.size());

  Measures m;
  static_cast<EquityFigures&>(m) = equity_figures(stretch, per_year_);
  m.drawdown = shifted(m.drawdown, range.begin);
  m.trades = trade_figures(rows_within(trades_, range, &Trade::exit_bar));
  m.trades_per_session = static_cast<double>(m.trades.count) / static_cast<double>(m.sessions.count);
  m.fills = fills.size();
  m.costs = costs_of(fills, column(run_.borrow));
  m.longest_flat_bars = longest_flat(position);
  m.signal = signal_figures(column(signals_), column(forward_returns_));

  double exposure = 0.0;
  std::size_t in_market = 0;
  for (std::size_t i = 0; i < position.size(); ++i) {
    exposure += std::abs(position[i] * bars_.close[range.begin + i] / equity[i]);
    in_market += position[i] != 0.0;
  }
  if (std::ranges::all_of(equity, [](double value) { return value > 0.0; })) m.mean_exposure = exposure / bars;
  m.time_in_market = static_cast<double>(in_market) / bars;
  double traded = 0.0;
  for (const Fill& fill : fills) traded += std::abs(fill.quantity * fill.price);
  if (const double mean_equity = *mean(equity); mean_equity > 0.0) {
    m.turnover = traded / mean_equity;
    if (!m.not_annualised) m.annual_turnover = *m.turnover * per_year_.value / bars;
  }
  return m;
}

nlohmann::ordered_json to_json(const Measures& m, BarsView bars) {
  nlohmann::ordered_json json = to_json(static_cast<const EquityFigures&>(m), bars.time_ns);
  json["trades"] = {{"count", m.trades.count},
                    {"per_session", or_null(m.trades_per_session)},
                    {"win_rate", or_null(m.trades.win_rate)},
                    {"profit_factor", or_null(m.trades.profit_factor)},
                    {"average_win", or_null(m.trades.average_win)},
                    {"average_loss", or_null(m.trades.average_loss)},
                    {"expectancy", or_null(m.trades.expectancy)}};
  json["fills"] = m.fills;
  json["mean_exposure"] = or_null(m.mean_exposure);
  json["time_in_market"] = or_null(m.time_in_market);
  json["turnover"] = or_null(m.turnover);
  json["annual_turnover"] = or_null(m.annual_turnover);
  json["longest_flat_bars"] = m.longest_flat_bars;
  json["costs_paid"] = {{"total", m.costs.total()},
                        {"commission", m.costs.commission},
                        {"spread", m.costs.spread},
                        {"slippage", m.costs.slippage},
                        {"borrow", m.costs.borrow}};
  json["signal"] = {{"count", m.signal.count},
                    {"information_coefficient", or_null(m.signal.information_coefficient)},
                    {"hit_rate", or_null(m.signal.hit_rate)}};
  return json;
}

}  // namespace sentio

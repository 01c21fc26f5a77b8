#include "backtest/summary.hpp"

#include <algorithm>
#include <utility>

#include "backtest/json_value.hpp"
#include "backtest/table.hpp"
#include "backtest/text.hpp"
#include "bars/session.hpp"

namespace sentio {
namespace {

using nlohmann::ordered_json;

constexpr const char* kPortfolio =
    "portfolio: the same capital in each symbol at the start, never rebalanced; its drawdown and Sharpe ratio are of "
    "session closes.";
constexpr const char* kNoPortfolio = "No portfolio: the symbols' measured sessions are not the same.";

template <class Figure>
Spread spread_over(const std::vector<SymbolFigures>& symbols, Figure figure) {
  std::vector<std::optional<double>> values;
  for (const SymbolFigures& each : symbols) values.push_back(each.*figure);
  return spread_of(values);
}

std::vector<double> sum_of(const std::vector<SymbolFigures>& symbols, std::vector<double> SymbolFigures::*equity) {
  std::vector<double> sum(symbols.front().sessions.size(), 0.0);
  for (const SymbolFigures& each : symbols) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += (each.*equity)[i];
  }
  return sum;
}

std::optional<Summary::Portfolio> portfolio_of(const std::vector<SymbolFigures>& symbols) {
  const auto same_sessions = [&](const SymbolFigures& each) { return each.sessions == symbols.front().sessions; };
  if (!std::ranges::all_of(symbols, same_sessions)) return std::nullopt;
  double capital = 0.0, sessions_per_year = 0.0;
  for (const SymbolFigures& each : symbols) {
    capital += each.capital;
    sessions_per_year += each.sessions_per_year / static_cast<double>(symbols.size());
  }
  const std::vector<double> equity = sum_of(symbols, &SymbolFigures::equity);
  const std::vector<double> held = sum_of(symbols, &SymbolFigures::buy_and_hold_equity);
  const std::vector<double> returns = simple_returns(equity, capital);
  Summary::Portfolio portfolio{.total_return = total_return(equity, capital),
                               .buy_and_hold_return = total_return(held, capital),
                               .sharpe = std::nullopt,
                               .max_drawdown = max_drawdown(equity, capital).depth};
  if (returns.size() >= kSessionsToAnnualise) portfolio.sharpe = sharpe(moments(returns), sessions_per_year);
  return portfolio;
}

ordered_json figures_json(const Summary& summary, std::optional<double> Spread::*figure) {
  return {{"total_return", or_null(summary.total_return.*figure)},
          {"buy_and_hold_return", or_null(summary.buy_and_hold_return.*figure)},
          {"sharpe", or_null(summary.sharpe.*figure)},
          {"deflated_sharpe", or_null(summary.deflated_sharpe.*figure)},
          {"max_drawdown", or_null(summary.max_drawdown.*figure)}};
}

ordered_json portfolio_json(const std::optional<Summary::Portfolio>& portfolio) {
  if (!portfolio) return nullptr;
  return {{"total_return", or_null(portfolio->total_return)},
          {"buy_and_hold_return", or_null(portfolio->buy_and_hold_return)},
          {"sharpe", or_null(portfolio->sharpe)},
          {"max_drawdown", portfolio->max_drawdown}};
}

}  // namespace

SymbolFigures figures_of(const Report& report) {
  const Run& run = report.run;
  const Analysis& analysis = report.analysis;
  SymbolFigures figures{.symbol = report.subject.symbol,
                        .sample = worst_of(analysis.samples),
                        .total_return = analysis.total.total_return,
                        .buy_and_hold_return = analysis.buy_and_hold.total_return,
                        .sharpe = analysis.total.sharpe,
                        .deflated_sharpe = analysis.evidence.deflated_sharpe,
                        .max_drawdown = analysis.total.drawdown.depth,
                        .trades = analysis.total.trades.count,
                        .stage = std::nullopt,
                        .capital = run.capital,
                        .sessions = {},
                        .equity = {},
                        .buy_and_hold_equity = {}};
  if (analysis.readiness) figures.stage = analysis.readiness->stage;
  const std::vector<std::int32_t> days = session_days(report.bars.time_ns, report.options.calendar);
  for (std::size_t bar = run.begin; bar < run.end; ++bar) {
    if (bar + 1 < run.end && days[bar + 1] == days[bar]) continue;
    figures.sessions.push_back(days[bar]);
    figures.equity.push_back(run.equity[bar - run.begin]);
    figures.buy_and_hold_equity.push_back(analysis.buy_and_hold_run.equity[bar - run.begin]);
  }
  figures.sessions_per_year = analysis.periods_per_year.sessions;
  return figures;
}

Summary summary_of(std::vector<SymbolFigures> symbols) {
  Summary summary;
  summary.symbols = std::move(symbols);
  summary.total_return = spread_over(summary.symbols, &SymbolFigures::total_return);
  summary.buy_and_hold_return = spread_over(summary.symbols, &SymbolFigures::buy_and_hold_return);
  summary.sharpe = spread_over(summary.symbols, &SymbolFigures::sharpe);
  summary.deflated_sharpe = spread_over(summary.symbols, &SymbolFigures::deflated_sharpe);
  summary.max_drawdown = spread_over(summary.symbols, &SymbolFigures::max_drawdown);
  std::swap(summary.max_drawdown.worst, summary.max_drawdown.best);  // the least drawdown is the best
  summary.portfolio = portfolio_of(summary.symbols);
  return summary;
}

ordered_json to_json(const Summary& summary) {
  ordered_json rows = ordered_json::array();
  for (const SymbolFigures& each : summary.symbols) {
    rows.push_back({{"symbol", each.symbol},
                    {"sample", name_of(each.sample)},
                    {"total_return", or_null(each.total_return)},
                    {"buy_and_hold_return", or_null(each.buy_and_hold_return)},
                    {"sharpe", or_null(each.sharpe)},
                    {"deflated_sharpe", or_null(each.deflated_sharpe)},
                    {"max_drawdown", or_null(each.max_drawdown)},
                    {"trades", each.trades},
                    {"stage", each.stage ? ordered_json(name_of(*each.stage)) : ordered_json()}});
  }
  return {{"symbols", rows},
          {"mean", figures_json(summary, &Spread::mean)},
          {"worst", figures_json(summary, &Spread::worst)},
          {"portfolio", portfolio_json(summary.portfolio)},
          {"portfolio_rule", summary.portfolio ? kPortfolio : kNoPortfolio}};
}

std::string to_text(const Summary& summary, bool colour) {
  Table table({"symbol", "sample", "return", "buy & hold", "Sharpe", "DSR", "max DD", "trades", "stage"});
  for (const SymbolFigures& each : summary.symbols) {
    table.add({{each.symbol},
               {std::string(name_of(each.sample)), each.sample >= Sample::unknown ? Tone::bad : Tone::plain},
               {percent(each.total_return), tone_of(each.total_return)},
               {percent(each.buy_and_hold_return), tone_of(each.buy_and_hold_return)},
               {grouped(each.sharpe, 2)},
               {grouped(each.deflated_sharpe, 2)},
               {percent(each.max_drawdown)},
               {grouped(each.trades)},
               {each.stage ? std::string(name_of(*each.stage)) : "-"}});
  }
  const auto row = [&](const char* name, std::optional<double> Spread::*figure) {
    table.add({{name},
               {""},
               {percent(summary.total_return.*figure)},
               {percent(summary.buy_and_hold_return.*figure)},
               {grouped(summary.sharpe.*figure, 2)},
               {grouped(summary.deflated_sharpe.*figure, 2)},
               {percent(summary.max_drawdown.*figure)}});
  };
  row("mean", &Spread::mean);
  row("worst", &Spread::worst);
  if (const auto& portfolio = summary.portfolio) {
    table.add({{"portfolio"},
               {""},
               {percent(portfolio->total_return), tone_of(portfolio->total_return)},
               {percent(portfolio->buy_and_hold_return), tone_of(portfolio->buy_and_hold_return)},
               {grouped(portfolio->sharpe, 2)},
               {"-"},
               {percent(portfolio->max_drawdown)}});
  }
  return toned("summary of " + counted(summary.symbols.size(), "symbol"), Tone::strong, colour) + "\n" +
         table.text(colour) + wrapped("  ", summary.portfolio ? kPortfolio : kNoPortfolio, 2);
}

}  // namespace sentio

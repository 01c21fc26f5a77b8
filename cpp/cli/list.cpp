#include <iostream>
#include <memory>
#include <stdexcept>
#include <utility>

#include "backtest/costs.hpp"
#include "backtest/metric_cards.hpp"
#include "backtest/table.hpp"
#include "bars/number.hpp"
#include "bars/session.hpp"
#include "bars/suggest.hpp"
#include "cli/strategy_source.hpp"
#include "cli/verbs.hpp"
#include "features/registry.hpp"

namespace sentio::cli {
namespace {

std::string param_text(const Param& param) {
  if (!param.choices.empty()) {
    std::string choices;
    for (const std::string& choice : param.choices) choices += (choices.empty() ? "" : "|") + choice;
    return param.name + "=" + param.choices[static_cast<std::size_t>(param.fallback)] + " (" + choices + ")";
  }
  return param.name + "=" + format_number(param.fallback) + " (" + format_number(param.min) + ".." +
         format_number(param.max) + ")";
}

std::string clock_text(int minute) {
  const auto two_digits = [](int n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  return two_digits(minute / 60) + ":" + two_digits(minute % 60);
}

/// A name on its own line, and below it what is to be said of it.
std::string entry(const std::string& name, std::initializer_list<std::string> lines) {
  std::string text = name + "\n";
  for (const std::string& line : lines) {
    if (!line.empty()) text += wrapped("", line, 4);
  }
  return text;
}

void list_ops() {
  for (const Op& op : ops()) {
    std::string params;
    for (const Param& param : op.params) params += (params.empty() ? "" : ", ") + param_text(param);
    std::cout << entry(op.name, {op.formula, params, op.reference});
  }
}

void list_rules_and_models() {
  for (const StrategyListing& row : list_strategies()) std::cout << entry(row.name, {row.description, row.params});
}

void list_costs() {
  Table table({"costs", "per share", "bps", "minimum", "half-spread bps", "slippage bps", "borrow p.a."});
  for (const CostModel& costs : cost_models()) {
    table.add({{costs.name},
               {format_number(costs.commission_per_share)},
               {format_number(costs.commission_bps)},
               {format_number(costs.commission_minimum)},
               {format_number(costs.half_spread_bps)},
               {format_number(costs.slippage_bps)},
               {format_number(costs.borrow_rate)}});
  }
  std::cout << table.text(false);
  for (const CostModel& costs : cost_models()) std::cout << wrapped("  " + costs.name, costs.description, 15);
}

void list_sessions() {
  Table table({"session", "time zone", "open", "close"});
  for (const SessionCalendar& calendar : session_calendars()) {
    table.add(
        {{calendar.name}, {calendar.zone}, {clock_text(calendar.open_minute)}, {clock_text(calendar.close_minute)}});
  }
  std::cout << table.text(false);
}

void list_metrics() {
  const auto line = [](const std::string& lead, std::string_view text) {
    return text.empty() ? std::string() : lead + std::string(text);
  };
  for (const MetricCard& card : metric_cards()) {
    std::cout << entry(std::string(card.name), {std::string(card.formula), line("n: ", card.n),
                                                line("per year: ", card.per_year), line("undefined: ", card.undefined),
                                                line("source: ", card.source), line("peers: ", card.peers)});
  }
}

void list_things(const std::string& what) {
  const std::vector<std::pair<std::string, void (*)()>> lists{{"ops", list_ops},
                                                              {"strategies", list_rules_and_models},
                                                              {"costs", list_costs},
                                                              {"sessions", list_sessions},
                                                              {"metrics", list_metrics}};
  std::vector<std::string> known;
  for (const auto& [name, print] : lists) {
    if (name == what) return print();
    known.push_back(name);
  }
  throw std::invalid_argument("cannot list '" + what + "'" + did_you_mean(what, known));
}

}  // namespace

void add_list(CLI::App& app) {
  auto* verb = app.add_subcommand("list", "Lists what there is: ops, strategies, costs, sessions or metrics");
  auto what = std::make_shared<std::string>();
  verb->add_option("what", *what, "ops, strategies, costs, sessions or metrics")->required();
  verb->callback([what] { list_things(*what); });
}

}  // namespace sentio::cli

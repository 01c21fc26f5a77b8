#include "strategies/registry.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "bars/number.hpp"
#include "bars/suggest.hpp"
#include "strategies/rules.hpp"

namespace sentio {
namespace {

std::optional<double> parse_value(const StrategyParam& param, std::string_view text) {
  if (param.kind == StrategyParam::Kind::flag) {
    if (text == "true") return 1.0;
    if (text == "false") return 0.0;
  }
  if (param.kind == StrategyParam::Kind::choice) {
    const auto choice = std::ranges::find(param.choices, text);
    if (choice == param.choices.end()) return std::nullopt;
    return static_cast<double>(choice - param.choices.begin());
  }
  const auto value = parse_number(text);
  if (!value || !(*value >= param.min && *value <= param.max)) return std::nullopt;
  if (param.kind != StrategyParam::Kind::real && *value != std::floor(*value)) return std::nullopt;
  return value;
}

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

}  // namespace

std::string value_text(const StrategyParam& param, double value) {
  return param.kind == StrategyParam::Kind::choice ? param.choices[static_cast<std::size_t>(value)]
                                                   : format_number(value);
}

std::string allowed(const StrategyParam& param) {
  if (param.kind == StrategyParam::Kind::flag) return "true or false";
  if (param.kind == StrategyParam::Kind::choice) {
    std::string list;
    for (const std::string& choice : param.choices) list += (list.empty() ? "" : " or ") + choice;
    return list;
  }
  return (param.kind == StrategyParam::Kind::whole ? "a whole number from " : "a number from ") +
         format_number(param.min) + " to " + format_number(param.max);
}

std::span<const StrategyRow> strategies() {
  static const std::array rows{buy_and_hold(),           sma_cross(),      rsi_reversion(),  bollinger_squeeze(),
                               opening_range_breakout(), vwap_reversion(), momentum_volume()};
  return rows;
}

const StrategyRow* find_strategy(std::string_view name) {
  const auto row = std::ranges::find(strategies(), name, &StrategyRow::name);
  return row == strategies().end() ? nullptr : &*row;
}

std::vector<std::string> strategy_names() {
  std::vector<std::string> names;
  for (const StrategyRow& row : strategies()) names.push_back(row.name);
  return names;
}

StrategyParams parse_params(const StrategyRow& row, std::string_view text) {
  StrategyParams values;
  std::vector<std::string> names;
  for (const StrategyParam& param : row.params) {
    values.push_back(param.fallback);
    names.push_back(param.name);
  }
  std::vector<bool> given(names.size(), false);
  for (bool more = !text.empty(); more;) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      throw std::invalid_argument("params must be written name=value,name=value, found " + quoted(item));
    }
    const std::string_view name = item.substr(0, equals), value = item.substr(equals + 1);
    const auto known = std::ranges::find(names, name);
    if (known == names.end()) {
      if (names.empty()) throw std::invalid_argument(row.name + " takes no params, found " + quoted(item));
      throw std::invalid_argument("unknown param " + quoted(name) + " of " + row.name + did_you_mean(name, names));
    }
    const auto index = static_cast<std::size_t>(known - names.begin());
    const auto parsed = parse_value(row.params[index], value);
    if (!parsed) {
      throw std::invalid_argument("param " + *known + " of " + row.name + " must be " + allowed(row.params[index]) +
                                  ", found " + quoted(value));
    }
    if (given[index]) throw std::invalid_argument("param " + *known + " of " + row.name + " is given twice");
    given[index] = true;
    values[index] = *parsed;
  }
  return values;
}

std::string label_of(const StrategyRow& row, const StrategyParams& params) {
  std::string label = row.name;
  for (std::size_t i = 0; i < params.size(); ++i) {
    label += (i == 0 ? " (" : ", ") + row.params[i].name + "=" + value_text(row.params[i], params[i]);
  }
  return params.empty() ? label : label + ")";
}

nlohmann::ordered_json params_json(const StrategyRow& row, const StrategyParams& params) {
  auto json = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < params.size(); ++i) {
    const StrategyParam& param = row.params[i];
    if (param.kind == StrategyParam::Kind::flag) {
      json[param.name] = params[i] != 0.0;
    } else if (param.kind == StrategyParam::Kind::whole) {
      json[param.name] = static_cast<long long>(params[i]);
    } else if (param.kind == StrategyParam::Kind::choice) {
      json[param.name] = value_text(param, params[i]);
    } else {
      json[param.name] = params[i];
    }
  }
  return json;
}

}  // namespace sentio

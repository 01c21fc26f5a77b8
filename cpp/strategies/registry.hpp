#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backtest/strategy.hpp"

namespace sentio {

/// A parameter of a rule strategy.
struct StrategyParam {
  enum class Kind { whole, real, flag, choice };

  std::string name;
  Kind kind;
  double fallback;
  double min, max;  ///< inclusive; a flag is 0 or 1
  std::string meaning;
  std::vector<std::string> choices = {};  ///< a choice is the index of one of them
};

/// The values of a strategy's parameters, in the order of its row.
using StrategyParams = std::vector<double>;

/// One row of the registry: all that is known of a rule strategy.
struct StrategyRow {
  std::string name;
  std::string description;  ///< one line
  std::vector<StrategyParam> params;
  std::unique_ptr<Strategy> (*make)(const StrategyParams&);
};

[[nodiscard]] std::span<const StrategyRow> strategies();

/// The strategy of that name, or null.
[[nodiscard]] const StrategyRow* find_strategy(std::string_view name);

[[nodiscard]] std::vector<std::string> strategy_names();

/// Reads "fast=10,slow=30"; what is not given has its default. Flags are written 0, 1, true or false,
/// choices by name.
/// @throws std::invalid_argument for text without '=', an unknown or repeated name, a value out of range
[[nodiscard]] StrategyParams parse_params(const StrategyRow& row, std::string_view text);

/// How a value of the param is written: "10", "us_equity".
[[nodiscard]] std::string value_text(const StrategyParam& param, double value);

/// What values the param takes: "a whole number from 1 to 10000".
[[nodiscard]] std::string allowed(const StrategyParam& param);

/// "sma_cross (fast=10, slow=30, allow_short=0)".
[[nodiscard]] std::string label_of(const StrategyRow& row, const StrategyParams& params);

/// {"fast": 10, "slow": 30, "allow_short": false}
[[nodiscard]] nlohmann::ordered_json params_json(const StrategyRow& row, const StrategyParams& params);

}  // namespace sentio

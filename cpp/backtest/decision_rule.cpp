#include "backtest/decision_rule.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <vector>

#include "backtest/json_fields.hpp"
#include "bars/error.hpp"
#include "bars/json.hpp"
#include "bars/number.hpp"
#include "bars/suggest.hpp"

namespace sentio {
namespace {

constexpr int kMaxBars = 1'000'000;
constexpr std::int64_t kMostHeld = std::int64_t{1} << 30;  ///< leaves room to count on
constexpr double kMaxScale = 1000.0;

struct Fault {
  const char* key;
  std::string what;
};

std::optional<Fault> fault_of(const ThresholdParams& p) {
  const auto is_probability = [](double x) { return x >= 0.0 && x <= 1.0; };
  for (const auto& [key, value] : {std::pair{"long_above", p.long_above},
                                   {"short_below", p.short_below},
                                   {"exit_long_below", p.exit_long_below},
                                   {"exit_short_above", p.exit_short_above}}) {
    if (!is_probability(value)) return Fault{key, "must be a number from 0 to 1, found " + format_number(value)};
  }
  if (!(p.short_below < p.long_above)) {
    return Fault{"short_below",
                 "must be below long_above " + format_number(p.long_above) + ", found " + format_number(p.short_below)};
  }
  for (const auto& [key, value] :
       {std::pair{"exit_long_below", p.exit_long_below}, {"exit_short_above", p.exit_short_above}}) {
    if (value < p.short_below || value > p.long_above) {
      return Fault{key, "must be between short_below " + format_number(p.short_below) + " and long_above " +
                            format_number(p.long_above) + ", found " + format_number(value)};
    }
  }
  for (const auto& [key, value] : {std::pair{"min_hold", p.min_hold}, {"cooldown", p.cooldown}}) {
    if (value < 0 || value > kMaxBars) {
      return Fault{key,
                   "must be a whole number from 0 to " + std::to_string(kMaxBars) + ", found " + std::to_string(value)};
    }
  }
  return std::nullopt;
}

std::optional<Fault> fault_of(const ScaledParams& p) {
  if (p.k > 0.0 && p.k <= kMaxScale) return std::nullopt;
  return Fault{"k", "must be above 0 and at most " + format_number(kMaxScale) + ", found " + format_number(p.k)};
}

template <class Params>
const Params& checked(const Params& params) {
  if (const auto fault = fault_of(params)) throw std::invalid_argument(fault->key + (": " + fault->what));
  return params;
}

template <class Params>
DecisionRule rule_of(const Params& params, const JsonFields& fields) {
  if (const auto fault = fault_of(params)) fields.refuse(fault->key, fault->what);
  return DecisionRule(params);
}

DecisionRule read_threshold(const nlohmann::json& json, const std::string& where) {
  const JsonFields fields(json, where,
                          {"rule", "long_above", "short_below", "exit_long_below", "exit_short_above", "allow_short",
                           "min_hold", "cooldown"});
  ThresholdParams p;
  p.long_above = fields.number("long_above", p.long_above, 0.0, 1.0);
  p.short_below = fields.number("short_below", p.short_below, 0.0, 1.0);
  const double exit = std::max(p.short_below, std::min(0.5, p.long_above));
  p.exit_long_below = fields.number("exit_long_below", exit, 0.0, 1.0);
  p.exit_short_above = fields.number("exit_short_above", exit, 0.0, 1.0);
  p.allow_short = fields.boolean("allow_short", p.allow_short);
  p.min_hold = fields.integer("min_hold", p.min_hold, 0, kMaxBars);
  p.cooldown = fields.integer("cooldown", p.cooldown, 0, kMaxBars);
  return rule_of(p, fields);
}

DecisionRule read_scaled(const nlohmann::json& json, const std::string& where) {
  const JsonFields fields(json, where, {"rule", "k", "allow_short"});
  ScaledParams p;
  p.k = fields.number("k", p.k, 0.0, kMaxScale);
  p.allow_short = fields.boolean("allow_short", p.allow_short);
  return rule_of(p, fields);
}

nlohmann::ordered_json json_of(const ThresholdParams& p) {
  return {{"rule", "threshold"},
          {"long_above", p.long_above},
          {"short_below", p.short_below},
          {"exit_long_below", p.exit_long_below},
          {"exit_short_above", p.exit_short_above},
          {"allow_short", p.allow_short},
          {"min_hold", p.min_hold},
          {"cooldown", p.cooldown}};
}

nlohmann::ordered_json json_of(const ScaledParams& p) {
  return {{"rule", "scaled"}, {"k", p.k}, {"allow_short", p.allow_short}};
}

Decision scaled(const ScaledParams& params, double p) {
  const double lowest = params.allow_short ? -1.0 : 0.0;
  return {std::clamp(params.k * (2.0 * p - 1.0), lowest, 1.0), p, "scaled"};
}

/// The side that `p` calls for, given the present side.
int wanted_side(const ThresholdParams& params, int side, double p) {
  if (p >= params.long_above) return 1;
  if (params.allow_short && p <= params.short_below) return -1;
  if (side > 0 && p > params.exit_long_below) return 1;
  if (side < 0 && p < params.exit_short_above) return -1;
  return 0;
}

}  // namespace

DecisionRule::DecisionRule(const ThresholdParams& params) : params_(checked(params)) {}

DecisionRule::DecisionRule(const ScaledParams& params) : params_(checked(params)) {}

DecisionRule DecisionRule::from_json(const nlohmann::json& json, const std::string& where) {
  if (!json.is_object()) throw InputError(where + "rule: must be within a JSON object, found " + shown(json));
  const nlohmann::json rule = json.value("rule", nlohmann::json("threshold"));
  if (rule == "threshold") return read_threshold(json, where);
  if (rule == "scaled") return read_scaled(json, where);
  const std::vector<std::string> known{"threshold", "scaled"};
  throw InputError(where + "rule: unknown rule " + shown(rule) +
                   did_you_mean(rule.is_string() ? rule.get<std::string>() : shown(rule), known));
}

nlohmann::ordered_json DecisionRule::to_json() const {
  return std::visit([](const auto& params) { return json_of(params); }, params_);
}

Decision DecisionRule::operator()(double probability) {
  if (std::isnan(probability)) {
    side_ = held_ = waiting_ = 0;
    return {0.0, probability, "not known yet"};
  }
  if (!(probability >= 0.0 && probability <= 1.0)) {
    throw std::invalid_argument("probability must be within [0, 1], found " + format_number(probability));
  }
  if (const auto* params = std::get_if<ScaledParams>(&params_)) return scaled(*params, probability);
  return threshold(std::get<ThresholdParams>(params_), probability);
}

void DecisionRule::save(StateWriter& to) const {
  for (const int value : {side_, held_, waiting_}) to.number(std::int64_t{value});
}

void DecisionRule::load(StateReader& from) {
  side_ = static_cast<int>(from.whole(-1, 1, "side"));
  held_ = static_cast<int>(from.whole(0, kMostHeld, "bars held"));
  waiting_ = static_cast<int>(from.whole(0, kMaxBars, "bars waiting"));
}

Decision DecisionRule::threshold(const ThresholdParams& params, double p) {
  const int wanted = wanted_side(params, side_, p);
  const auto decide = [&](const char* reason) { return Decision{static_cast<double>(side_), p, reason}; };

  if (side_ == 0) {
    if (waiting_ > 0) {
      --waiting_;
      return decide("cooldown");
    }
    if (wanted == 0) return decide("flat");
  } else {
    if (wanted == side_ || held_ < params.min_hold) {
      ++held_;
      return decide(wanted == side_ ? "hold" : "min_hold");
    }
    if (wanted == 0 || params.cooldown > 0) {
      side_ = 0;
      waiting_ = std::max(params.cooldown - 1, 0);
      return decide("exit");
    }
  }
  side_ = wanted;
  held_ = 1;
  return decide(side_ > 0 ? "enter long" : "enter short");
}

}  // namespace sentio

#include "backtest/json_fields.hpp"

#include <algorithm>
#include <vector>

#include "bars/error.hpp"
#include "bars/json.hpp"
#include "bars/number.hpp"
#include "bars/suggest.hpp"

namespace sentio {

JsonFields::JsonFields(const nlohmann::json& object, std::string where, std::initializer_list<std::string_view> known)
    : object_(object), where_(std::move(where)) {
  if (!object_.is_object()) throw InputError(where_ + "must be a JSON object, found " + shown(object_));
  const std::vector<std::string> names(known.begin(), known.end());
  for (const auto& [key, value] : object_.items()) {
    if (std::find(names.begin(), names.end(), key) == names.end()) {
      throw InputError(where_ + key + ": unknown key" + did_you_mean(key, names));
    }
  }
}

bool JsonFields::has(std::string_view key) const { return object_.contains(key); }

double JsonFields::number(std::string_view key, double fallback, double minimum, double maximum) const {
  if (!has(key)) return fallback;
  const nlohmann::json& value = object_.at(std::string(key));
  if (!value.is_number() || !(value.get<double>() >= minimum && value.get<double>() <= maximum)) {
    refuse(key, "must be a number from " + format_number(minimum) + " to " + format_number(maximum) + ", found " +
                    shown(value));
  }
  return value.get<double>();
}

int JsonFields::integer(std::string_view key, int fallback, int minimum, int maximum) const {
  if (!has(key)) return fallback;
  const nlohmann::json& value = object_.at(std::string(key));
  if (!value.is_number_integer() || !(value.get<double>() >= minimum && value.get<double>() <= maximum)) {
    refuse(key, "must be a whole number from " + std::to_string(minimum) + " to " + std::to_string(maximum) +
                    ", found " + shown(value));
  }
  return value.get<int>();
}

bool JsonFields::boolean(std::string_view key, bool fallback) const {
  if (!has(key)) return fallback;
  const nlohmann::json& value = object_.at(std::string(key));
  if (!value.is_boolean()) refuse(key, "must be true or false, found " + shown(value));
  return value.get<bool>();
}

std::string JsonFields::text(std::string_view key, std::string_view fallback) const {
  if (!has(key)) return std::string(fallback);
  const nlohmann::json& value = object_.at(std::string(key));
  if (!value.is_string()) refuse(key, "must be a text, found " + shown(value));
  return value.get<std::string>();
}

void JsonFields::refuse(std::string_view key, const std::string& what) const {
  throw InputError(where_ + std::string(key) + ": " + what);
}

}  // namespace sentio

#pragma once

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace sentio {

/// Reads the fields of one JSON object, strictly: a key that is not known, a value of the wrong type or out of range is
/// an InputError "where + key: what is right, what was found".
class JsonFields {
 public:
  /// `where` stands before the key in every message: "costs.json: " or "metadata.json: decision.".
  JsonFields(const nlohmann::json& object, std::string where, std::initializer_list<std::string_view> known);

  [[nodiscard]] bool has(std::string_view key) const;

  [[nodiscard]] double number(std::string_view key, double fallback, double minimum, double maximum) const;
  [[nodiscard]] int integer(std::string_view key, int fallback, int minimum, int maximum) const;
  [[nodiscard]] bool boolean(std::string_view key, bool fallback) const;
  [[nodiscard]] std::string text(std::string_view key, std::string_view fallback) const;

  /// Throws the InputError that `key` is wrong.
  [[noreturn]] void refuse(std::string_view key, const std::string& what) const;

 private:
  const nlohmann::json& object_;
  std::string where_;
};

}  // namespace sentio

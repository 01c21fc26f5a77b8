#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace sentio {

/// Parses a JSON document. Keys that are written twice in one object, deep nesting, and more values than fit into 256
/// MB are refused. @throws InputError "where:line:column: is not valid JSON", or what else is wrong.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, const std::string& where);

/// One line that shows a value in a message, cut off where it is long.
[[nodiscard]] std::string shown(const nlohmann::json& value);

}  // namespace sentio

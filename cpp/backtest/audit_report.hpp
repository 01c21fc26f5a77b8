#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "backtest/audit.hpp"

namespace sentio {

inline constexpr const char* kAuditSchema = "1.0";

/// What was compared and what differed: "clean", "columns", "checks", "differences", "starts", "not_compared".
/// A value that is not finite is null.
[[nodiscard]] nlohmann::ordered_json to_json(const AuditResult& result);

/// The same for people: a table, the starts, and a sentence per difference.
[[nodiscard]] std::string to_text(const AuditResult& result, bool colour);

}  // namespace sentio

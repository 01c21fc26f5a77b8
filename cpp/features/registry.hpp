#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "features/op.hpp"

namespace sentio {

/// Changes whenever a bit of any feature may change, so that nothing computed by another engine is taken for its own.
inline constexpr std::uint32_t kEngineVersion = 2;

/// All ops, in the order of the op page.
[[nodiscard]] std::span<const Op> ops();

/// The op of that name, or null.
[[nodiscard]] const Op* find_op(std::string_view name);

[[nodiscard]] std::vector<std::string> op_names();

/// What is known of the column that the op yields with these parameters.
[[nodiscard]] ColumnFacts facts_of(const Op& op, const std::vector<double>& params);
[[nodiscard]] std::vector<double> default_params(const Op& op);

}  // namespace sentio

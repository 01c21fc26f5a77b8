#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sentio {

/// `value` with `digits` decimals and a comma between thousands: "102,236.00"; "-" if there is none.
[[nodiscard]] std::string grouped(std::optional<double> value, int digits);
[[nodiscard]] std::string grouped(std::size_t count);

/// A fraction as a percentage with `digits` decimals: 0.0123 is "1.23%"; "-" if there is none.
[[nodiscard]] std::string percent(std::optional<double> fraction, int digits = 2);

/// "1 bar", "2 bars".
[[nodiscard]] std::string counted(std::size_t count, std::string_view noun);

}  // namespace sentio

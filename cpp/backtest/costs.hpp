#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

namespace sentio {

/// What it costs to trade. Money is in the currency of the prices.
struct CostModel {
  std::string name = {};
  std::string description = {};  ///< what it stands for, and where its figures come from
  double commission_per_share = 0.0;
  double commission_bps = 0.0;      ///< of the fill's notional, at the fill price
  double commission_minimum = 0.0;  ///< per fill
  double half_spread_bps = 0.0;     ///< of the reference price: buys pay more, sells get less
  double slippage_bps = 0.0;        ///< the same, on top
  double borrow_rate = 0.0;         ///< on the value of a short position, as a fraction per year of 365.25 days

  /// reference (1 + (half_spread + slippage) / 1e4) for a buy (quantity > 0), (1 - ...) for a sell.
  [[nodiscard]] double fill_price(double reference, double quantity) const;

  /// max(minimum, per_share |quantity| + bps / 1e4 |quantity| price); 0 for no quantity.
  [[nodiscard]] double commission(double quantity, double price) const;

  /// |quantity| price rate years, for a short position (quantity < 0); else 0.
  [[nodiscard]] double borrow(double quantity, double price, double years) const;

  bool operator==(const CostModel&) const = default;
};

/// The models that ship, also found as configs/execution/<name>.json.
[[nodiscard]] std::span<const CostModel> cost_models();

/// @throws std::invalid_argument if a figure is negative, not finite, or out of range.
void require_valid(const CostModel& costs);

/// Reads a cost file. Figures that it leaves out are 0.
/// @throws InputError "file: key: what is right, what was found"
[[nodiscard]] CostModel read_costs(const std::filesystem::path& path);

/// The shipped model of this name, or the cost file at this path.
/// @throws std::invalid_argument if it is neither; InputError as read_costs
[[nodiscard]] CostModel find_costs(const std::string& name_or_path);

[[nodiscard]] nlohmann::ordered_json to_json(const CostModel& costs);

}  // namespace sentio

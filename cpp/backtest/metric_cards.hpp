#pragma once

#include <span>
#include <string_view>

namespace sentio {

/// What a figure of a report means. Texts; empty where there is nothing to say.
struct MetricCard {
  std::string_view name;  ///< its key in the report's `metrics`, "max_drawdown.depth", or from the report's top
  std::string_view formula = {};
  std::string_view n = {};          ///< how many of what it is computed from
  std::string_view per_year = {};   ///< what it is annualised by
  std::string_view undefined = {};  ///< when it is null
  std::string_view source = {};     ///< where the definition comes from
  std::string_view peers = {};      ///< how quantstats, empyrical-reloaded and vectorbt differ
};

/// One card for each figure of `metrics`, `evidence` and `periods_per_year`, in the order of the report; then those of
/// `sentio sweep`, which come from sentio_trainer.overfitting.
[[nodiscard]] std::span<const MetricCard> metric_cards();

}  // namespace sentio

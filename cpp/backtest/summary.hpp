#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "backtest/report.hpp"

namespace sentio {

/// What a summary of several symbols keeps of one report.
struct SymbolFigures {
  std::string symbol;
  Sample sample = Sample::untrained;  ///< the one of its bars that proves least
  std::optional<double> total_return, buy_and_hold_return, sharpe, deflated_sharpe, max_drawdown;
  std::size_t trades = 0;
  std::optional<Stage> stage;  ///< of a temporal performance analysis
  double capital = 0.0;
  std::vector<std::int32_t> sessions;               ///< measured, days since 1970
  std::vector<double> equity, buy_and_hold_equity;  ///< at their closes
  double sessions_per_year = 0.0;
};

[[nodiscard]] SymbolFigures figures_of(const Report& report);

/// Figures of one strategy on several symbols.
struct Summary {
  std::vector<SymbolFigures> symbols;
  Spread total_return, buy_and_hold_return, sharpe, deflated_sharpe, max_drawdown;  ///< across the symbols

  /// One account per symbol, all with the same capital at the start and never rebalanced. None where the symbols'
  /// measured sessions are not the same. Its drawdown and Sharpe ratio are of session closes, the latter undefined
  /// below 20 sessions.
  struct Portfolio {
    std::optional<double> total_return, buy_and_hold_return, sharpe;
    double max_drawdown;
  };
  std::optional<Portfolio> portfolio;
};

/// @param symbols at least one
[[nodiscard]] Summary summary_of(std::vector<SymbolFigures> symbols);

/// Undefined figures are null.
[[nodiscard]] nlohmann::ordered_json to_json(const Summary& summary);

/// A table for people: no line longer than 100 columns, unless a symbol is long.
[[nodiscard]] std::string to_text(const Summary& summary, bool colour);

}  // namespace sentio

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backtest/measures.hpp"
#include "backtest/periods.hpp"
#include "backtest/sample.hpp"

namespace sentio {

/// One thing that a strategy must show. An undefined value fails.
struct Criterion {
  std::string name;
  std::optional<double> value;
  double limit;
  bool at_least;     ///< value >= limit passes; else value <= limit
  bool is_fraction;  ///< shown as a percentage

  [[nodiscard]] bool pass() const { return value && (at_least ? *value >= limit : *value <= limit); }
};

/// What the result would justify next.
enum class Stage { none, virtual_market, paper, live };

/// "none", "virtual market", "paper", "live".
[[nodiscard]] std::string_view name_of(Stage stage);

struct Readiness {
  double score;  ///< 100 x criteria passed / criteria
  std::vector<Criterion> criteria;
  Stage stage;
  std::vector<std::string> limits;  ///< what keeps the stage from being higher
  /// Standard deviation that the Sharpe ratios of periods this short have by chance alone:
  /// sqrt(bars per year / mean bars per period).
  double sharpe_std_by_chance;
};

/// Judges a temporal performance analysis.
///
/// Half of the criteria support a virtual market, four of the six paper trading, five of the six live trading. Paper
/// also needs 20 sessions; live 60, and a Sharpe ratio of two standard errors. Bars that the model has seen, or no
/// profit, support nothing; bars that it may have seen, or synthetic ones, no more than a virtual market.
[[nodiscard]] Readiness judge(const std::vector<PeriodRow>& rows, const Measures& total, const Measures& buy_and_hold,
                              const SampleCounts& samples, bool synthetic, double periods_per_year);

}  // namespace sentio

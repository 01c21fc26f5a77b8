#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backtest/evidence.hpp"
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
  Trials trials;                    ///< that the deflated Sharpe ratio allows for
};

/// The standard deviation that `count` t-values of a steady strategy exceed by chance one time in twenty:
/// sqrt(c / (count - 1)), c the 95 % quantile of chi-square with count - 1 degrees of freedom (Wilson & Hilferty 1931).
/// 1.54 for 5 periods, 1.34 for 12; nothing below 2.
[[nodiscard]] std::optional<double> steady_limit(std::size_t count);

/// Judges a temporal performance analysis by seven criteria.
///
/// 1. The annualised Sharpe ratio of all measured bars is at least 0.5. Below 20 sessions there is none, which fails.
/// 2. The Sharpe ratios of the periods, not annualised (mean / std x sqrt(bars), t-values), spread no more than
///    steady_limit allows. A steady strategy has a spread of 1 there by chance alone, however short the periods, so 1
///    itself would fail one in two; annualised, the chance spread of single days would be 16.
/// 3. The drawdown is at most 15 %, 4. at least 70 % of the periods are healthy: profit, and no deeper drawdown.
/// 5. The monthly return at this pace is at least 0.5 %; none below 20 sessions. 6. It is not below buy-and-hold.
/// 7. The deflated Sharpe ratio is at least 0.95: the probability that the true Sharpe ratio is above what the best of
///    as many trials shows by chance, skewness and fat tails allowed for.
///
/// Three of the seven support a virtual market, five paper trading, six live trading. Paper also needs 20 sessions;
/// live 60, a Sharpe ratio of two standard errors, the seventh criterion, and that the number of trials is known, from
/// a ledger or by --trials: live money needs evidence that survives the search for it. Bars that the model has seen, or
/// no profit, support nothing; bars that it may have seen, or synthetic ones, no more than a virtual market.
[[nodiscard]] Readiness judge(const std::vector<PeriodRow>& rows, const Measures& total, const Measures& buy_and_hold,
                              const SampleCounts& samples, bool synthetic, const SharpeEvidence& evidence);

}  // namespace sentio

#include "backtest/readiness.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "backtest/text.hpp"

namespace sentio {
namespace {

constexpr double kMaxDrawdown = 0.15;
constexpr std::size_t kPaperSessions = 20, kLiveSessions = 60;
constexpr double kLiveStandardErrors = 2.0;
constexpr double kDeflatedSharpe = 0.95;
constexpr std::size_t kVirtual = 3, kPaper = 5, kLive = 6;  // criteria of seven

/// A period that made money after costs without a deep fall.
bool healthy(const Measures& m) { return m.total_return.value_or(0.0) > 0.0 && m.drawdown.depth <= kMaxDrawdown; }

std::vector<Criterion> criteria_of(const std::vector<PeriodRow>& rows, const Measures& total,
                                   const Measures& buy_and_hold, const SharpeEvidence& evidence) {
  std::vector<std::optional<double>> sharpes;
  for (const PeriodRow& row : rows) sharpes.push_back(row.measures.sharpe_of_stretch);
  const Spread spread = spread_of(sharpes);
  const auto healthy_rows = std::ranges::count_if(rows, healthy, &PeriodRow::measures);
  std::optional<double> healthy_share, advantage;
  if (!rows.empty()) healthy_share = static_cast<double>(healthy_rows) / static_cast<double>(rows.size());
  if (total.total_return && buy_and_hold.total_return) advantage = *total.total_return - *buy_and_hold.total_return;
  return {
      {"annualised Sharpe ratio", total.sharpe, 0.5, true, false},
      {"spread of the periods' t", spread.sample_std, steady_limit(spread.count).value_or(1.0), false, false},
      {"max drawdown", total.drawdown.depth, kMaxDrawdown, false, true},
      {"share of healthy periods", healthy_share, 0.7, true, true},
      {"monthly return (projected)", total.monthly_return, 0.005, true, true},
      {"return above buy-and-hold, after costs", advantage, 0.0, true, true},
      {"deflated Sharpe ratio", evidence.deflated_sharpe, kDeflatedSharpe, true, false},
  };
}

/// Lowers a stage and remembers why. Asked from the lowest stage upwards, so that every reason belongs to the stage
/// that stays.
class StageLimiter {
 public:
  explicit StageLimiter(Readiness& readiness) : readiness_(readiness) {}

  void at_most(Stage stage, bool applies, std::string_view reason) {
    if (!applies || readiness_.stage < stage) return;
    readiness_.stage = stage;
    readiness_.limits.emplace_back(reason);
  }

 private:
  Readiness& readiness_;
};

}  // namespace

std::string_view name_of(Stage stage) {
  constexpr std::array<std::string_view, 4> names{"none", "virtual market", "paper", "live"};
  return names[static_cast<std::size_t>(stage)];
}

std::optional<double> steady_limit(std::size_t count) {
  if (count < 2) return std::nullopt;
  constexpr double kNormalQuantile = 1.6448536269514722;  // of 0.95
  const double ninths = 2.0 / (9.0 * static_cast<double>(count - 1));
  return std::pow(1.0 - ninths + kNormalQuantile * std::sqrt(ninths), 1.5);
}

Readiness judge(const std::vector<PeriodRow>& rows, const Measures& total, const Measures& buy_and_hold,
                const SampleCounts& samples, bool synthetic, const SharpeEvidence& evidence) {
  Readiness readiness;
  readiness.criteria = criteria_of(rows, total, buy_and_hold, evidence);
  const auto passed = static_cast<std::size_t>(std::ranges::count_if(readiness.criteria, &Criterion::pass));
  readiness.score = 100.0 * static_cast<double>(passed) / static_cast<double>(readiness.criteria.size());
  readiness.trials = evidence.trials;

  readiness.stage = Stage::live;
  StageLimiter limit(readiness);
  const std::string share =
      std::to_string(passed) + " of " + std::to_string(readiness.criteria.size()) + " criteria pass";
  const std::string sessions = counted(total.sessions.count, "session") + " measured";
  limit.at_most(Stage::none, seen_bars(samples) > 0, "measured bars trained or tuned the model");
  limit.at_most(Stage::none, total.fills == 0, "nothing was traded");
  limit.at_most(Stage::none, !(total.total_return > 0.0), "no profit after costs");
  limit.at_most(Stage::none, passed < kVirtual, share);
  limit.at_most(Stage::virtual_market, synthetic, "the data are synthetic");
  limit.at_most(Stage::virtual_market, worst_of(samples) == Sample::unknown,
                "the model does not say what it was trained on");
  limit.at_most(Stage::virtual_market, passed < kPaper, share);
  limit.at_most(Stage::virtual_market, total.sessions.count < kPaperSessions, sessions);
  limit.at_most(Stage::paper, passed < kLive, share);
  limit.at_most(Stage::paper, total.sessions.count < kLiveSessions, sessions);
  limit.at_most(
      Stage::paper,
      !(total.sharpe && *total.sharpe >= kLiveStandardErrors * total.sharpe_standard_error.value_or(INFINITY)),
      "the Sharpe ratio is within two standard errors of 0");
  limit.at_most(Stage::paper, !evidence.trials.known, "of how many it was picked is not known");
  limit.at_most(Stage::paper, !readiness.criteria.back().pass(),
                "the deflated Sharpe ratio of " + counted(evidence.trials.count, "trial") + " is " +
                    (evidence.deflated_sharpe ? "below " + grouped(kDeflatedSharpe, 2) : "undefined"));
  return readiness;
}

}  // namespace sentio

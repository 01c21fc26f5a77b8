#include "backtest/readiness.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace sentio;

namespace {

/// Figures that pass all seven criteria.
struct Case {
  std::vector<PeriodRow> rows;
  Measures total, hold;
  SampleCounts samples{};
  bool synthetic = false;
  SharpeEvidence evidence;

  Case() {
    total.bars = 1000;
    total.fills = 10;
    total.total_return = 0.2;
    total.monthly_return = 0.01;
    total.sharpe = 3.0;
    total.sharpe_standard_error = 1.0;
    total.drawdown.depth = 0.05;
    total.sessions.count = 100;
    hold.total_return = 0.1;
    for (const double sharpe : {1.0, 2.0}) {
      PeriodRow row{};
      row.measures.sharpe_of_stretch = sharpe;
      row.measures.total_return = 0.1;
      rows.push_back(row);
    }
    evidence.trials = {12, "the ledger", true};
    evidence.deflated_sharpe = 0.99;
    samples[static_cast<std::size_t>(Sample::out_of_sample)] = total.bars;
  }

  [[nodiscard]] Readiness judged() const { return judge(rows, total, hold, samples, synthetic, evidence); }
  [[nodiscard]] Stage stage() const { return judged().stage; }
};

bool passes(const Readiness& readiness, std::size_t criterion) { return readiness.criteria[criterion].pass(); }

}  // namespace

TEST_CASE("a strategy that passes everything is fit for live trading") {
  const Readiness readiness = Case().judged();
  CHECK(readiness.score == 100.0);
  CHECK(readiness.stage == Stage::live);
  CHECK(readiness.limits.empty());
  CHECK(readiness.trials.count == 12);
}

TEST_CASE("each criterion fails beyond its limit and passes at it") {
  Case c;
  c.total.sharpe = 0.5;
  CHECK(passes(c.judged(), 0));
  c.total.sharpe = 0.49;
  CHECK_FALSE(passes(c.judged(), 0));

  c = Case();
  c.rows[0].measures.sharpe_of_stretch = 0.0;
  c.rows[1].measures.sharpe_of_stretch = 2.7;  // standard deviation 1.91; two of N(0, 1) exceed 1.96 once in 20
  CHECK(passes(c.judged(), 1));
  c.rows[1].measures.sharpe_of_stretch = 2.8;  // 1.98
  CHECK_FALSE(passes(c.judged(), 1));

  c = Case();
  c.total.drawdown.depth = 0.15;
  CHECK(passes(c.judged(), 2));
  c.total.drawdown.depth = 0.151;
  CHECK_FALSE(passes(c.judged(), 2));

  c = Case();
  c.rows[0].measures.total_return = 0.0;
  CHECK_FALSE(passes(c.judged(), 3));

  c = Case();
  c.total.monthly_return = 0.0049;
  CHECK_FALSE(passes(c.judged(), 4));

  c = Case();
  c.hold.total_return = 0.21;
  CHECK_FALSE(passes(c.judged(), 5));

  c = Case();
  c.evidence.deflated_sharpe = 0.95;
  CHECK(passes(c.judged(), 6));
  c.evidence.deflated_sharpe = 0.949;
  CHECK_FALSE(passes(c.judged(), 6));
}

TEST_CASE("an undefined figure fails its criterion") {
  Case c;
  c.rows[0].measures.sharpe_of_stretch = std::nullopt;  // one period has no spread
  c.total.sharpe = c.total.monthly_return = c.evidence.deflated_sharpe = std::nullopt;
  const Readiness readiness = c.judged();
  for (const std::size_t failed : {0, 1, 4, 6}) CHECK_FALSE(passes(readiness, failed));
  CHECK(readiness.score == doctest::Approx(300.0 / 7.0));
  CHECK(readiness.stage == Stage::virtual_market);
}

TEST_CASE("seen bars, no trade or no profit support no stage") {
  Case seen;
  seen.samples[static_cast<std::size_t>(Sample::validation)] = 1;
  CHECK(seen.stage() == Stage::none);
  Case idle;
  idle.total.fills = 0;
  CHECK(idle.stage() == Stage::none);
  Case losing;
  losing.total.total_return = -0.01;
  CHECK(losing.stage() == Stage::none);
  CHECK(losing.judged().limits.front() == "no profit after costs");
}

TEST_CASE("synthetic data and unknown training support no more than a virtual market") {
  Case synthetic;
  synthetic.synthetic = true;
  CHECK(synthetic.stage() == Stage::virtual_market);
  Case unknown;
  unknown.samples = {};
  unknown.samples[static_cast<std::size_t>(Sample::unknown)] = 1000;
  CHECK(unknown.stage() == Stage::virtual_market);
}

TEST_CASE("few sessions and a Sharpe ratio within its error keep the stage down") {
  Case short_run;
  short_run.total.sessions.count = 5;
  CHECK(short_run.stage() == Stage::virtual_market);
  CHECK(short_run.judged().limits.front() == "5 sessions measured");
  short_run.total.sessions.count = 20;
  CHECK(short_run.stage() == Stage::paper);
  short_run.total.sessions.count = 19;
  CHECK(short_run.stage() == Stage::virtual_market);
  short_run.total.sessions.count = 59;
  CHECK(short_run.stage() == Stage::paper);
  short_run.total.sessions.count = 60;
  CHECK(short_run.stage() == Stage::live);
  Case lucky;
  lucky.total.sharpe = 1.9;
  CHECK(lucky.stage() == Stage::paper);
}

TEST_CASE("without a deflated Sharpe ratio of 0.95 nothing is fit for live trading, whatever else passes") {
  Case c;
  c.evidence.deflated_sharpe = 0.94;
  REQUIRE(c.stage() == Stage::paper);
  CHECK(c.judged().limits.back() == "the deflated Sharpe ratio of 12 trials is below 0.95");
  c.evidence.deflated_sharpe = std::nullopt;
  CHECK(c.judged().limits.back() == "the deflated Sharpe ratio of 12 trials is undefined");
}

TEST_CASE("where nobody says how many were tried, nothing is fit for live trading") {
  Case c;
  c.evidence.trials = {};
  REQUIRE(c.stage() == Stage::paper);
  CHECK(c.judged().limits.back() == "of how many it was picked is not known");
}

TEST_CASE("a stage needs its number of criteria") {
  const auto stage_without = [](int failing) {
    Case c;
    if (failing > 0) c.total.drawdown.depth = 0.5;  // no period is healthy by it
    if (failing > 1) c.hold.total_return = 1.0;
    if (failing > 2) c.total.monthly_return = 0.0;
    if (failing > 3) c.rows[1].measures.total_return = -0.1;
    if (failing > 4) c.rows[1].measures.sharpe_of_stretch = 9.0;
    return c.stage();
  };
  CHECK(stage_without(1) == Stage::live);
  CHECK(stage_without(2) == Stage::paper);
  CHECK(stage_without(3) == Stage::virtual_market);
  CHECK(stage_without(4) == Stage::virtual_market);
  CHECK(stage_without(5) == Stage::none);
}

TEST_CASE("a steady strategy's periods spread beyond the limit one time in twenty") {
  // sqrt(quantile / degrees of freedom) of the chi-square table: 9.488 of 4, 19.675 of 11, 77.931 of 59.
  CHECK(*steady_limit(5) == doctest::Approx(std::sqrt(9.488 / 4.0)).epsilon(0.003));
  CHECK(*steady_limit(12) == doctest::Approx(std::sqrt(19.675 / 11.0)).epsilon(0.001));
  CHECK(*steady_limit(60) == doctest::Approx(std::sqrt(77.931 / 59.0)).epsilon(0.001));
  CHECK_FALSE(steady_limit(1));
}

#include "backtest/readiness.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace sentio;

namespace {

/// Figures that pass all six criteria.
struct Case {
  std::vector<PeriodRow> rows;
  Measures total, hold;
  SampleCounts samples{};
  bool synthetic = false;

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
      row.measures.sharpe = sharpe;
      row.measures.total_return = 0.1;
      rows.push_back(row);
    }
    samples[static_cast<std::size_t>(Sample::out_of_sample)] = total.bars;
  }

  [[nodiscard]] Readiness judged() const { return judge(rows, total, hold, samples, synthetic, 25'200.0); }
  [[nodiscard]] Stage stage() const { return judged().stage; }
};

bool passes(const Readiness& readiness, std::size_t criterion) { return readiness.criteria[criterion].pass(); }

}  // namespace

TEST_CASE("a strategy that passes everything is fit for live trading") {
  const Readiness readiness = Case().judged();
  CHECK(readiness.score == 100.0);
  CHECK(readiness.stage == Stage::live);
  CHECK(readiness.limits.empty());
  CHECK(readiness.sharpe_std_by_chance == doctest::Approx(std::sqrt(25'200.0 / 500.0)));
}

TEST_CASE("each criterion fails beyond its limit and passes at it") {
  Case c;
  c.rows[0].measures.sharpe = c.rows[1].measures.sharpe = 0.5;
  CHECK(passes(c.judged(), 0));
  c.rows[0].measures.sharpe = 0.49;
  CHECK_FALSE(passes(c.judged(), 0));

  c = Case();
  c.rows[1].measures.sharpe = 2.5;  // standard deviation 1.06
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
}

TEST_CASE("an undefined figure fails its criterion") {
  Case c;
  c.rows[0].measures.sharpe = c.rows[1].measures.sharpe = std::nullopt;
  c.total.monthly_return = std::nullopt;
  const Readiness readiness = c.judged();
  CHECK_FALSE(passes(readiness, 0));
  CHECK_FALSE(passes(readiness, 1));
  CHECK_FALSE(passes(readiness, 4));
  CHECK(readiness.score == 50.0);
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
  Case lucky;
  lucky.total.sharpe = 1.9;
  CHECK(lucky.stage() == Stage::paper);
}

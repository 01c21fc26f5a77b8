#include "backtest/summary.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace sentio;

namespace {

/// A symbol on two sessions, from 100 to `middle` to `end`.
SymbolFigures symbol_of(const char* name, double middle, double end) {
  SymbolFigures figures;
  figures.symbol = name;
  figures.capital = 100.0;
  figures.total_return = end / 100.0 - 1.0;
  figures.buy_and_hold_return = 0.0;
  figures.max_drawdown = 0.1;
  figures.sessions = {10, 11};
  figures.equity = {middle, end};
  figures.buy_and_hold_equity = {100.0, 100.0};
  figures.sessions_per_year = 252.0;
  return figures;
}

}  // namespace

TEST_CASE("a summary has the mean and the worst of the symbols, and leaves undefined figures out") {
  auto a = symbol_of("A", 100.0, 120.0), b = symbol_of("B", 100.0, 90.0);
  a.sharpe = 1.5;
  b.max_drawdown = 0.3;
  const Summary summary = summary_of({a, b});
  CHECK(*summary.total_return.mean == doctest::Approx(0.05));
  CHECK(*summary.total_return.worst == doctest::Approx(-0.1));
  CHECK(*summary.max_drawdown.worst == 0.3);
  CHECK(summary.sharpe.count == 1);
  CHECK(*summary.sharpe.mean == 1.5);
  CHECK_FALSE(summary.deflated_sharpe.mean);
}

TEST_CASE("a portfolio starts with the same capital in each symbol and is not rebalanced") {
  const Summary summary = summary_of({symbol_of("A", 120.0, 130.0), symbol_of("B", 60.0, 90.0)});
  REQUIRE(summary.portfolio);
  CHECK(*summary.portfolio->total_return == doctest::Approx(0.1));  // 220 of 200
  CHECK(summary.portfolio->max_drawdown == doctest::Approx(0.1));   // 180 of 200
  CHECK(*summary.portfolio->buy_and_hold_return == doctest::Approx(0.0));
  CHECK_FALSE(summary.portfolio->sharpe);  // two sessions
}

TEST_CASE("a portfolio's Sharpe ratio is that of its session returns, from 20 sessions on") {
  auto a = symbol_of("A", 0.0, 0.0);
  a.sessions.clear();
  a.equity.clear();
  a.buy_and_hold_equity.clear();
  double equity = 100.0;
  for (int i = 0; i < 20; ++i) {
    equity *= i % 2 == 0 ? 1.02 : 1.0;
    a.sessions.push_back(i);
    a.equity.push_back(equity);
    a.buy_and_hold_equity.push_back(100.0);
  }
  // Returns of 2 % and 0 % in turn: mean 0.01, sample variance 20 x 0.01^2 / 19.
  const double expected = 0.01 / std::sqrt(20.0 * 1e-4 / 19.0) * std::sqrt(252.0);
  auto b = a;
  b.symbol = "B";
  CHECK(*summary_of({a, b}).portfolio->sharpe == doctest::Approx(expected));
  b.sessions_per_year = 365.0;  // a year of both is the mean of theirs
  CHECK(*summary_of({a, b}).portfolio->sharpe == doctest::Approx(expected * std::sqrt(308.5 / 252.0)));
}

TEST_CASE("symbols of other sessions make no portfolio, and the summary says so") {
  auto b = symbol_of("B", 100.0, 90.0);
  b.sessions = {10, 12};
  const Summary summary = summary_of({symbol_of("A", 100.0, 120.0), b});
  CHECK_FALSE(summary.portfolio);
  CHECK(to_text(summary, false).find("No portfolio") != std::string::npos);
  CHECK(to_json(summary)["portfolio"].is_null());
}

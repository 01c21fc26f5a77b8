#include "backtest/metrics.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "bars/time.hpp"

using namespace sentio;
using doctest::Approx;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
using Series = std::vector<double>;

}  // namespace

TEST_CASE("returns start from the equity before the first bar and end where equity is gone") {
  CHECK(simple_returns(Series{110.0, 99.0}, 100.0)[0] == Approx(0.1));
  CHECK(simple_returns(Series{110.0, 99.0}, 100.0)[1] == Approx(-0.1));
  CHECK(simple_returns(Series{-10.0, -20.0, 5.0}, 100.0).size() == 1);
}

TEST_CASE("total, annualised and monthly return compound") {
  const auto total = total_return(Series{110.0, 99.0, 118.8}, 100.0);
  CHECK(*total == Approx(1.1 * 0.9 * 1.2 - 1.0));
  CHECK(*annualised_return(total, 3, 6.0) == Approx(1.188 * 1.188 - 1.0));  // three bars are half a year
  CHECK(*monthly_return(total, 3, 6.0) == Approx(std::pow(1.188, 1.0 / 6.0) - 1.0));
}

TEST_CASE("volatility, Sharpe and its error are those of a sample") {
  const Series returns{0.01, 0.03, -0.01, 0.01};
  const double std = std::sqrt((0.0004 + 0.0004) / 3.0);
  CHECK(*sample_std(returns) == Approx(std));
  const Moments figures = moments(returns);
  CHECK(*volatility(figures, 252.0) == Approx(std * std::sqrt(252.0)));
  const double ratio = 0.01 / std * std::sqrt(252.0);
  CHECK(*sharpe(figures, 252.0) == Approx(ratio));
  CHECK(*sharpe_standard_error(figures, 252.0) == Approx(std::sqrt((252.0 + ratio * ratio / 2.0) / 4.0)));
}

TEST_CASE("Sortino divides by the root mean square of losses over all bars") {
  CHECK(*sortino(Series{0.02, -0.01, 0.03, -0.02}, 100.0) == Approx(0.005 / std::sqrt(0.0005 / 4.0) * 10.0));
}

TEST_CASE("the drawdown is the deepest fall from a peak, with its bars") {
  const Drawdown d = max_drawdown(Series{100.0, 120.0, 90.0, 110.0, 130.0, 125.0}, 100.0);
  CHECK(d.depth == Approx(0.25));
  CHECK(d.peak == 1);
  CHECK(d.bottom == 2);
  CHECK(d.recovery == 4);
}

TEST_CASE("a drawdown can begin at the start and not recover") {
  const Drawdown d = max_drawdown(Series{95.0, 80.0, 85.0}, 100.0);
  CHECK(d.depth == Approx(0.2));
  CHECK_FALSE(d.peak);
  CHECK(d.bottom == 1);
  CHECK_FALSE(d.recovery);
}

TEST_CASE("a later, deeper drawdown replaces a recovered one") {
  const Drawdown d = max_drawdown(Series{100.0, 90.0, 100.0, 50.0, 60.0}, 100.0);
  CHECK(d.peak == 2);
  CHECK(d.bottom == 3);
  CHECK_FALSE(d.recovery);
}

TEST_CASE("Calmar is the annualised return over the drawdown") { CHECK(*calmar(0.3, 0.15) == Approx(2.0)); }

TEST_CASE("what is undefined is not there") {
  CHECK_FALSE(total_return(Series{}, 100.0));
  CHECK_FALSE(total_return(Series{100.0}, -1.0));
  CHECK_FALSE(annualised_return(std::nullopt, 0, 252.0));
  CHECK_FALSE(annualised_return(-1.0, 1, 252.0));
  CHECK_FALSE(monthly_return(-1.5, 1, 252.0));
  CHECK_FALSE(volatility(moments(Series{0.1}), 252.0));
  CHECK_FALSE(sharpe(moments(Series{0.1}), 252.0));
  CHECK_FALSE(sharpe(moments(Series{0.1, 0.1, 0.1}), 252.0));  // equal, though their mean is not exact
  CHECK_FALSE(sharpe(moments(Series{0.0, 0.0}), 252.0));
  CHECK_FALSE(sharpe_standard_error(moments(Series{0.0, 0.0}), 252.0));
  CHECK_FALSE(sortino(Series{0.1, 0.2}, 252.0));
  CHECK_FALSE(sortino(Series{}, 252.0));
  CHECK_FALSE(calmar(0.3, 0.0));
  CHECK_FALSE(calmar(std::nullopt, 0.1));
  const TradeFigures trades = trade_figures({});
  CHECK_FALSE(trades.win_rate);
  CHECK_FALSE(trades.profit_factor);
  CHECK_FALSE(trades.average_win);
  CHECK_FALSE(trades.average_loss);
  CHECK_FALSE(trades.expectancy);
  const SignalFigures constant = signal_figures(Series{1.0, 1.0}, Series{0.1, -0.2});
  CHECK_FALSE(constant.information_coefficient);
  CHECK(*constant.hit_rate == 0.5);
  CHECK_FALSE(signal_figures(Series{0.0, kNaN}, Series{0.1, 0.1}).hit_rate);
}

TEST_CASE("trade figures are those of wins and losses") {
  std::vector<Trade> trades(4);
  trades[0].profit = 30.0;
  trades[1].profit = -10.0;
  trades[2].profit = 10.0;
  trades[3].profit = 0.0;
  const TradeFigures figures = trade_figures(trades);
  CHECK(figures.count == 4);
  CHECK(*figures.win_rate == 0.5);
  CHECK(*figures.profit_factor == Approx(4.0));
  CHECK(*figures.average_win == Approx(20.0));
  CHECK(*figures.average_loss == Approx(-5.0));
  CHECK(*figures.expectancy == Approx(7.5));
}

TEST_CASE("the information coefficient is a correlation and leaves unknown pairs out") {
  const SignalFigures figures = signal_figures(Series{1.0, 2.0, 3.0, kNaN, 9.0}, Series{-2.0, 4.0, 1.0, 5.0, kNaN});
  CHECK(figures.count == 3);
  CHECK(*figures.information_coefficient == Approx(3.0 / std::sqrt(2.0 * 18.0)));
  CHECK(*figures.hit_rate == Approx(2.0 / 3.0));
  CHECK(*signal_figures(Series{1.0, 2.0}, Series{0.3, 0.1}).information_coefficient == Approx(-1.0));
}

TEST_CASE("the longest flat stretch is counted in bars") {
  CHECK(longest_flat(Series{0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0}) == 3);
  CHECK(longest_flat(Series{1.0}) == 0);
}

TEST_CASE("a long file's bars per year are counted") {
  const std::array<std::int64_t, 3> times{0, 100 * kDayNs, 200 * kDayNs};
  const std::array<std::int32_t, 3> sessions{0, 100, 200};
  CHECK(periods_per_year(times, sessions).value == Approx(2.0 / 200.0 * 365.25));
  // Three bars in two sessions: two thirds as many sessions.
  CHECK(periods_per_year(times, std::array<std::int32_t, 3>{0, 100, 100}).sessions ==
        Approx(2.0 / 200.0 * 365.25 * 2.0 / 3.0));
}

TEST_CASE("a short file's bars per year come from its sessions") {
  const std::array<std::int64_t, 4> times{0, kMinuteNs, kDayNs, kDayNs + kMinuteNs};
  CHECK(periods_per_year(times, std::array<std::int32_t, 4>{0, 0, 1, 1}).value ==
        Approx(2.0 * 252.0));  // Thursday, Friday
  CHECK(periods_per_year(times, std::array<std::int32_t, 4>{1, 1, 2, 2}).value ==
        Approx(2.0 * 365.0));  // Friday, Saturday
  CHECK(periods_per_year(times, std::array<std::int32_t, 4>{0, 0, 1, 1}).sessions == 252.0);
  CHECK(periods_per_year(times, std::array<std::int32_t, 4>{1, 1, 2, 2}).sessions == 365.0);
}

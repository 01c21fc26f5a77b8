#include "backtest/simulation.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace sentio {
namespace {

constexpr std::size_t kBlock = 8192;
constexpr double kYearNs = 365.25 * 86'400e9;
constexpr double kDrift = 1.1;

/// Whether each bar is the last of its session; the last bar given is the last of the last session.
std::vector<bool> session_ends(BarsView bars, const SessionCalendar& calendar) {
  const std::vector<std::int32_t> days = session_days(bars.time_ns, calendar);
  std::vector<bool> ends(days.size(), true);
  for (std::size_t i = 0; i + 1 < days.size(); ++i) ends[i] = days[i] != days[i + 1];
  return ends;
}

std::size_t checked_end(BarsView bars, const RunOptions& options) {
  const std::size_t end = options.end.value_or(bars.size());
  if (end > bars.size() || options.begin >= end) {
    throw std::invalid_argument("measured bars must lie within 0 to " + std::to_string(bars.size()) + ", found " +
                                std::to_string(options.begin) + " to " + std::to_string(end));
  }
  return end;
}

/// The loop over measured bars: what the broker does, bar by bar.
class Loop {
 public:
  Loop(BarsView bars, const RunOptions& options, Run& run)
      : bars_(bars), options_(options), run_(run), broker_(options.broker) {
    if (options.flat_at_close) session_ends_ = session_ends(bars, options.calendar);
  }

  void step(std::size_t t) {
    const double borrowed = t > run_.begin ? borrow(t) : 0.0;
    if (t > 0) act_on(run_.decisions[t - 1], t);
    if (options_.flat_at_close && session_ends_[t])
      want(0.0, {t, bars_.time_ns[t], FillAt::close, bars_.close[t], "flat at close"});
    run_.equity.push_back(broker_.equity(bars_.close[t]));
    run_.position.push_back(broker_.position());
    run_.borrow.push_back(borrowed);
    if (run_.equity.back() <= 0.0) ruin(t);
    const double value = std::abs(run_.position.back() * bars_.close[t]);
    drifted_ = value > kDrift * options_.broker.max_exposure * run_.equity.back();
  }

 private:
  double borrow(std::size_t t) {
    const double years = static_cast<double>(bars_.time_ns[t] - bars_.time_ns[t - 1]) / kYearNs;
    return broker_.accrue_borrow(bars_.close[t - 1], years);
  }

  void act_on(const Decision& decision, std::size_t t) {
    const double open = bars_.open[t];
    if (broker_.equity(open) <= 0.0) ruin(t);
    if (run_.ruined_at) {
      want(0.0, {t, bars_.time_ns[t], FillAt::open, open, "ruined"});
    } else {
      want(decision.exposure, {t, bars_.time_ns[t], FillAt::open, open, decision.reason});
    }
  }

  void want(double exposure, Broker::Order order) {
    if (exposure == wanted_) {
      if (!drifted_) return;
      order.reason = "above max exposure";
    }
    wanted_ = exposure;
    drifted_ = false;
    if (auto fill = broker_.trade(exposure, order)) {
      run_.fills.push_back(*fill);
    } else if (exposure != 0.0) {
      ++run_.orders_below_lot;
    }
  }

  void ruin(std::size_t t) {
    if (!run_.ruined_at) run_.ruined_at = t;
  }

  BarsView bars_;
  const RunOptions& options_;
  Run& run_;
  Broker broker_;
  std::vector<bool> session_ends_;
  double wanted_ = 0.0;
  bool drifted_ = false;  ///< at the last close, the position was worth too much more than max_exposure allows
};

}  // namespace

std::vector<Decision> decide(BarsView bars, Strategy& strategy, const Progress& progress) {
  std::vector<Decision> decisions(bars.size());
  for (std::size_t begin = 0; begin < bars.size(); begin += kBlock) {
    const std::size_t count = std::min(kBlock, bars.size() - begin);
    strategy.on_bars(bars.subview(begin, count), std::span(decisions).subspan(begin, count));
    if (progress) progress(begin + count, bars.size());
  }
  return decisions;
}

Run run_decisions(BarsView bars, std::vector<Decision> decisions, const RunOptions& options) {
  Run run;
  run.begin = options.begin;
  run.end = checked_end(bars, options);
  run.capital = options.broker.capital;
  if (decisions.size() < run.end || decisions.size() > bars.size()) {
    throw std::invalid_argument("decisions must be one per bar, " + std::to_string(bars.size()) + ", found " +
                                std::to_string(decisions.size()));
  }
  decisions.resize(run.end);
  for (std::size_t i = 0; i < decisions.size(); ++i) require_valid(decisions[i], i);
  run.decisions = std::move(decisions);

  const std::size_t measured = run.end - run.begin;
  for (auto* column : {&run.equity, &run.position, &run.borrow}) column->reserve(measured);
  Loop loop(bars.subview(0, run.end), options, run);
  for (std::size_t t = run.begin; t < run.end; ++t) loop.step(t);
  return run;
}

Run run(BarsView bars, Strategy& strategy, const RunOptions& options, const Progress& progress) {
  const std::size_t end = checked_end(bars, options);
  return run_decisions(bars, decide(bars.subview(0, end), strategy, progress), options);
}

}  // namespace sentio

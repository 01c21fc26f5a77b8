#include <algorithm>

#include "strategies/rules.hpp"
#include "strategies/session_watch.hpp"
#include "strategies/side.hpp"

namespace sentio {
namespace {

struct Settings {
  double range_minutes, flat_before;
  bool allow_short;
};

/// Trades the break of the range in which the session began. Crabel, Day Trading with Short Term Price Patterns and
/// Opening Range Breakout, 1990.
class OpeningRangeBreakout final : public Strategy {
 public:
  OpeningRangeBreakout(const SessionCalendar& calendar, const Settings& settings)
      : settings_(settings), watch_(calendar) {}

  [[nodiscard]] std::string_view name() const override { return "opening_range_breakout"; }
  [[nodiscard]] int warmup() const override { return 0; }

  [[nodiscard]] Decision on_bar(const Bar& bar) override {
    const SessionWatch::Place place = watch_.next(bar);
    if (!place.inside) return side_.leave("outside the session");
    if (place.first) {
      traded_ = 0.0;
      high_ = low_ = 0.0;
    }
    if (place.minute < settings_.range_minutes) {
      high_ = high_ == 0.0 ? bar.high : std::max(high_, bar.high);
      low_ = low_ == 0.0 ? bar.low : std::min(low_, bar.low);
      return side_.leave("opening range");
    }
    if (high_ == 0.0) return side_.leave("no bar in the opening range");
    if (place.remaining < settings_.flat_before) return side_.leave("session ends");
    const double middle = 0.5 * (high_ + low_);
    if (side_.now() == 1 && bar.close < middle) return side_.leave("back in the range");
    if (side_.now() == -1 && bar.close > middle) return side_.leave("back in the range");
    if (side_.flat() && traded_ == 0.0) {
      const bool above = bar.close > high_, below = bar.close < low_ && settings_.allow_short;
      if (above || below) traded_ = 1.0;
      if (above) return side_.enter(1, "broke out above");
      if (below) return side_.enter(-1, "broke out below");
    }
    return side_.stay();
  }

 private:
  void save(StateWriter& to) const override {
    watch_.save(to);
    for (const double value : {high_, low_, traded_}) to.values(std::span(&value, 1));
    side_.save(to);
  }
  void load(StateReader& from) override {
    watch_.load(from);
    for (double* value : {&high_, &low_, &traded_}) from.values(std::span(value, 1));
    side_.load(from);
  }

  Settings settings_;
  SessionWatch watch_;
  double high_ = 0.0, low_ = 0.0;  ///< of the opening range; 0 before its first bar
  double traded_ = 0.0;            ///< 1 once the session had its trade
  Side side_;
};

}  // namespace

StrategyRow opening_range_breakout() {
  using Kind = StrategyParam::Kind;
  return {.name = "opening_range_breakout",
          .description =
              "Long when the close leaves the range of the session's first minutes above, until it is back "
              "in the middle of it or the session ends; short likewise, if allowed. One trade a session, "
              "intraday bars.",
          .params = {session_param(),
                     {"range", Kind::real, 30, 1, 1440, "minutes from the open that make the range"},
                     flat_before_param(),
                     {"allow_short", Kind::flag, 0, 0, 1, "short when the close leaves the range below"}},
          .make = [](const StrategyParams& params) -> std::unique_ptr<Strategy> {
            return std::make_unique<OpeningRangeBreakout>(
                session_calendars()[static_cast<std::size_t>(params[0])],
                Settings{.range_minutes = params[1], .flat_before = params[2], .allow_short = params[3] != 0.0});
          }};
}

}  // namespace sentio

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "bars/number.hpp"
#include "strategies/rules.hpp"
#include "strategies/session_watch.hpp"
#include "strategies/side.hpp"

namespace sentio {
namespace {

struct Settings {
  double entry, exit, after, flat_before;
  bool allow_short;
};

/// Bets that a price far from the session's volume-weighted mean comes back to it. Distance is measured in standard
/// deviations of the typical price (h + l + c) / 3 about that mean, weighted by volume too.
class VwapReversion final : public Strategy {
 public:
  VwapReversion(const SessionCalendar& calendar, const Settings& settings) : settings_(settings), watch_(calendar) {}

  [[nodiscard]] std::string_view name() const override { return "vwap_reversion"; }
  [[nodiscard]] int warmup() const override { return 0; }

  [[nodiscard]] Decision on_bar(const Bar& bar) override {
    const SessionWatch::Place place = watch_.next(bar);
    if (!place.inside) return side_.leave("outside the session");
    const double distance = distance_of(bar, place.first);
    if (place.minute < settings_.after) return side_.leave("session begins");
    if (place.remaining < settings_.flat_before) return side_.leave("session ends");
    if (distance <= -settings_.entry && side_.now() != 1) return side_.enter(1, "far below VWAP");
    if (distance >= settings_.entry && settings_.allow_short && side_.now() != -1)
      return side_.enter(-1, "far above VWAP");
    if (side_.now() * distance >= -settings_.exit && !side_.flat()) return side_.leave("back at VWAP");
    return side_.stay();
  }

 private:
  /// 0 while the session has no volume or no spread.
  double distance_of(const Bar& bar, bool first) {
    const double typical = (bar.high + bar.low + bar.close) / 3.0;
    if (first) {
      origin_ = typical;
      volume_ = sum_ = squares_ = 0.0;
    }
    // From the session's first price, so that squares of prices do not cancel.
    const double from_origin = typical - origin_;
    volume_ += bar.volume;
    sum_ += bar.volume * from_origin;
    squares_ += bar.volume * from_origin * from_origin;
    if (!(volume_ > 0.0)) return 0.0;
    const double mean = sum_ / volume_, variance = squares_ / volume_ - mean * mean;
    return variance > 0.0 ? (bar.close - origin_ - mean) / std::sqrt(variance) : 0.0;
  }

  void save(StateWriter& to) const override {
    watch_.save(to);
    for (const double value : {origin_, volume_, sum_, squares_}) to.values(std::span(&value, 1));
    side_.save(to);
  }
  void load(StateReader& from) override {
    watch_.load(from);
    for (double* value : {&origin_, &volume_, &sum_, &squares_}) from.values(std::span(value, 1));
    side_.load(from);
  }

  Settings settings_;
  SessionWatch watch_;
  double origin_ = 0.0, volume_ = 0.0, sum_ = 0.0, squares_ = 0.0;  ///< of the session so far
  Side side_;
};

std::unique_ptr<Strategy> make(const StrategyParams& params) {
  const Settings settings{.entry = params[1],
                          .exit = params[2],
                          .after = params[3],
                          .flat_before = params[4],
                          .allow_short = params[5] != 0.0};
  if (settings.exit >= settings.entry) {
    throw std::invalid_argument("param exit of vwap_reversion must be below entry " + format_number(settings.entry) +
                                ", found " + format_number(settings.exit));
  }
  return std::make_unique<VwapReversion>(session_calendars()[static_cast<std::size_t>(params[0])], settings);
}

}  // namespace

StrategyRow vwap_reversion() {
  using Kind = StrategyParam::Kind;
  return {.name = "vwap_reversion",
          .description =
              "Long when the close is far below the session's VWAP, until it is back or the session ends; "
              "short likewise above it, if allowed. Intraday bars.",
          .params = {session_param(),
                     {"entry", Kind::real, 2, 0.1, 100, "standard deviations from VWAP at which it enters"},
                     {"exit", Kind::real, 0, 0, 100, "standard deviations from VWAP at which it leaves"},
                     {"after", Kind::real, 30, 0, 1440, "minutes from the open before it trades"},
                     flat_before_param(),
                     {"allow_short", Kind::flag, 0, 0, 1, "short when the close is far above VWAP"}},
          .make = make};
}

}  // namespace sentio

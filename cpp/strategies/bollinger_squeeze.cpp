#include <algorithm>
#include <cmath>

#include "strategies/recent.hpp"
#include "strategies/rules.hpp"
#include "strategies/side.hpp"

namespace sentio {
namespace {

struct Settings {
  std::size_t window;
  double width;
  std::size_t lookback;
  int patience;
  bool allow_short;
};

/// Trades the way that prices leave quiet times. Bollinger, Bollinger on Bollinger Bands, 2001: the squeeze is the
/// lowest bandwidth of a long stretch, and a close beyond a band is where prices leave it.
class BollingerSqueeze final : public Strategy {
 public:
  explicit BollingerSqueeze(const Settings& settings)
      : settings_(settings), closes_(settings.window), bandwidths_(settings.lookback) {}

  [[nodiscard]] std::string_view name() const override { return "bollinger_squeeze"; }
  [[nodiscard]] int warmup() const override { return static_cast<int>(settings_.window + settings_.lookback) - 1; }

  [[nodiscard]] Decision on_bar(const Bar& bar) override {
    closes_.push(bar.close);
    if (!closes_.full()) return {.exposure = 0.0, .reason = "warming up"};
    const double middle = mean_of(closes_.all()), half_width = settings_.width * deviation(middle);
    bandwidths_.push(2.0 * half_width / middle);
    if (!bandwidths_.full()) return {.exposure = 0.0, .reason = "warming up"};
    const bool squeezed = bandwidths_.last(1)[0] <= std::ranges::min(bandwidths_.all());
    armed_ = squeezed ? settings_.patience : std::max(armed_ - 1, 0);

    if (side_.now() == 1 && bar.close < middle) return side_.leave("back below the middle");
    if (side_.now() == -1 && bar.close > middle) return side_.leave("back above the middle");
    if (side_.flat() && armed_ > 0) {
      if (bar.close > middle + half_width) return side_.enter(1, "broke out above");
      if (bar.close < middle - half_width && settings_.allow_short) return side_.enter(-1, "broke out below");
    }
    return side_.stay();
  }

 private:
  /// Population standard deviation, as Bollinger has it.
  [[nodiscard]] double deviation(double mean) const {
    double sum = 0.0;
    for (const double close : closes_.all()) sum += (close - mean) * (close - mean);
    return std::sqrt(sum / static_cast<double>(settings_.window));
  }

  void save(StateWriter& to) const override {
    closes_.save(to);
    bandwidths_.save(to);
    to.number(static_cast<std::int64_t>(armed_));
    side_.save(to);
  }
  void load(StateReader& from) override {
    closes_.load(from);
    bandwidths_.load(from);
    armed_ = static_cast<int>(from.whole(0, settings_.patience, "bars since the squeeze"));
    side_.load(from);
  }

  Settings settings_;
  Recent closes_, bandwidths_;
  int armed_ = 0;  ///< bars, this one included, in which a breakout still belongs to the last squeeze
  Side side_;
};

}  // namespace

StrategyRow bollinger_squeeze() {
  using Kind = StrategyParam::Kind;
  return {.name = "bollinger_squeeze",
          .description =
              "Long when the close breaks out above its Bollinger bands soon after they were narrowest, "
              "until it is back below their middle; short likewise, if allowed.",
          .params = {{"window", Kind::whole, 20, 2, 10'000, "bars in the bands"},
                     {"width", Kind::real, 2, 0.1, 10, "standard deviations from the middle to a band"},
                     {"lookback", Kind::whole, 120, 2, 10'000, "bars of which the squeeze is the narrowest"},
                     {"patience", Kind::whole, 10, 1, 10'000, "bars that a breakout may come after the squeeze"},
                     {"allow_short", Kind::flag, 0, 0, 1, "short when the close breaks out below"}},
          .make = [](const StrategyParams& params) -> std::unique_ptr<Strategy> {
            return std::make_unique<BollingerSqueeze>(Settings{.window = static_cast<std::size_t>(params[0]),
                                                               .width = params[1],
                                                               .lookback = static_cast<std::size_t>(params[2]),
                                                               .patience = static_cast<int>(params[3]),
                                                               .allow_short = params[4] != 0.0});
          }};
}

}  // namespace sentio

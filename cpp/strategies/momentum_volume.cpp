#include <algorithm>
#include <stdexcept>
#include <string>

#include "strategies/recent.hpp"
#include "strategies/rules.hpp"
#include "strategies/side.hpp"

namespace sentio {
namespace {

struct Settings {
  std::size_t momentum, fast, slow;
  double ratio;
  bool allow_short;
};

/// Follows a move that much volume goes with, until the move is over.
class MomentumVolume final : public Strategy {
 public:
  explicit MomentumVolume(const Settings& settings)
      : settings_(settings), closes_(settings.momentum + 1), volumes_(settings.slow) {}

  [[nodiscard]] std::string_view name() const override { return "momentum_volume"; }
  [[nodiscard]] int warmup() const override {
    return static_cast<int>(std::max(closes_.capacity(), volumes_.capacity()));
  }

  [[nodiscard]] Decision on_bar(const Bar& bar) override {
    closes_.push(bar.close);
    volumes_.push(bar.volume);
    if (!closes_.full() || !volumes_.full()) return {.exposure = 0.0, .reason = "warming up"};
    const double change = bar.close - closes_.all().front();
    if (side_.now() * change <= 0.0 && !side_.flat()) return side_.leave("momentum gone");
    if (!side_.flat()) return side_.stay();
    const bool busy = mean_of(volumes_.last(settings_.fast)) > settings_.ratio * mean_of(volumes_.all());
    if (busy && change > 0.0) return side_.enter(1, "rise on volume");
    if (busy && change < 0.0 && settings_.allow_short) return side_.enter(-1, "fall on volume");
    return side_.stay();
  }

 private:
  void save(StateWriter& to) const override {
    closes_.save(to);
    volumes_.save(to);
    side_.save(to);
  }
  void load(StateReader& from) override {
    closes_.load(from);
    volumes_.load(from);
    side_.load(from);
  }

  Settings settings_;
  Recent closes_, volumes_;
  Side side_;
};

std::unique_ptr<Strategy> make(const StrategyParams& params) {
  const Settings settings{.momentum = static_cast<std::size_t>(params[0]),
                          .fast = static_cast<std::size_t>(params[1]),
                          .slow = static_cast<std::size_t>(params[2]),
                          .ratio = params[3],
                          .allow_short = params[4] != 0.0};
  if (settings.fast >= settings.slow) {
    throw std::invalid_argument("param volume_fast of momentum_volume must be below volume_slow " +
                                std::to_string(settings.slow) + ", found " + std::to_string(settings.fast));
  }
  return std::make_unique<MomentumVolume>(settings);
}

}  // namespace

StrategyRow momentum_volume() {
  using Kind = StrategyParam::Kind;
  return {.name = "momentum_volume",
          .description =
              "Long when the close has risen and volume is well above its mean, until the rise is gone; "
              "short likewise, if allowed.",
          .params = {{"momentum", Kind::whole, 20, 1, 10'000, "bars over which the close must have moved"},
                     {"volume_fast", Kind::whole, 5, 1, 10'000, "bars in the recent mean of volume"},
                     {"volume_slow", Kind::whole, 50, 2, 10'000, "bars in the usual mean of volume"},
                     {"ratio", Kind::real, 1.5, 0, 1000, "recent volume over usual volume must be above this"},
                     {"allow_short", Kind::flag, 0, 0, 1, "short when the close has fallen"}},
          .make = make};
}

}  // namespace sentio

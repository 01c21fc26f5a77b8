#include <cmath>
#include <stdexcept>

#include "bars/number.hpp"
#include "strategies/recent.hpp"
#include "strategies/rules.hpp"
#include "strategies/side.hpp"

namespace sentio {
namespace {

struct Levels {
  double low, exit, high;
};

/// Buys weakness and sells strength by the RSI in Cutler's form, 100 G / (G + L), with plain means of the gains and
/// losses of the window. Wilder's recursive means never quite forget where the bars began.
class RsiReversion final : public Strategy {
 public:
  RsiReversion(std::size_t window, const Levels& levels, bool allow_short)
      : levels_(levels), allow_short_(allow_short), closes_(window + 1) {}

  [[nodiscard]] std::string_view name() const override { return "rsi_reversion"; }
  [[nodiscard]] int warmup() const override { return static_cast<int>(closes_.capacity()); }

  [[nodiscard]] Decision on_bar(const Bar& bar) override {
    closes_.push(bar.close);
    if (!closes_.full()) return {.exposure = 0.0, .reason = "warming up"};
    const double value = rsi();
    if (value <= levels_.low && side_.now() != 1) return side_.enter(1, "RSI low");
    if (value >= levels_.high && allow_short_ && side_.now() != -1) return side_.enter(-1, "RSI high");
    if (side_.now() == 1 && value >= levels_.exit) return side_.leave("RSI back from low");
    if (side_.now() == -1 && value <= levels_.exit) return side_.leave("RSI back from high");
    return side_.stay();
  }

 private:
  /// 50 where no close differs from the one before: neither side leads.
  [[nodiscard]] double rsi() const {
    const auto closes = closes_.all();
    double gains = 0.0, losses = 0.0;
    for (std::size_t i = 1; i < closes.size(); ++i) {
      const double change = closes[i] - closes[i - 1];
      (change > 0.0 ? gains : losses) += std::abs(change);
    }
    return gains + losses > 0.0 ? 100.0 * (gains / (gains + losses)) : 50.0;
  }

  void save(StateWriter& to) const override {
    closes_.save(to);
    side_.save(to);
  }
  void load(StateReader& from) override {
    closes_.load(from);
    side_.load(from);
  }

  Levels levels_;
  bool allow_short_;
  Recent closes_;
  Side side_;
};

std::unique_ptr<Strategy> make(const StrategyParams& params) {
  const Levels levels{.low = params[1], .exit = params[2], .high = params[3]};
  if (!(levels.low < levels.exit && levels.exit < levels.high)) {
    throw std::invalid_argument("params of rsi_reversion must have low < exit < high, found " +
                                format_number(levels.low) + ", " + format_number(levels.exit) + ", " +
                                format_number(levels.high));
  }
  return std::make_unique<RsiReversion>(static_cast<std::size_t>(params[0]), levels, params[4] != 0.0);
}

}  // namespace

StrategyRow rsi_reversion() {
  using Kind = StrategyParam::Kind;
  return {.name = "rsi_reversion",
          .description =
              "Long after the RSI (Cutler's) was low until it is back at its middle; short likewise after "
              "it was high, if allowed.",
          .params = {{"window", Kind::whole, 14, 2, 10'000, "changes of the close in the RSI"},
                     {"low", Kind::real, 30, 0, 100, "long at this RSI or below"},
                     {"exit", Kind::real, 50, 0, 100, "flat once the RSI is back here"},
                     {"high", Kind::real, 70, 0, 100, "short at this RSI or above"},
                     {"allow_short", Kind::flag, 0, 0, 1, "short where the RSI is high"}},
          .make = make};
}

}  // namespace sentio

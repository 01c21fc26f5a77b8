#include "strategies/rules.hpp"

namespace sentio {
namespace {

class BuyAndHold final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "buy_and_hold"; }
  [[nodiscard]] int warmup() const override { return 0; }
  [[nodiscard]] Decision on_bar(const Bar&) override { return {.exposure = 1.0, .reason = "hold"}; }

 private:
  void save(StateWriter&) const override {}
  void load(StateReader&) override {}
};

}  // namespace

StrategyRow buy_and_hold() {
  return {.name = "buy_and_hold",
          .description = "Long from the first bar on: what every other strategy must beat.",
          .params = {},
          .make = [](const StrategyParams&) -> std::unique_ptr<Strategy> { return std::make_unique<BuyAndHold>(); }};
}

}  // namespace sentio

#pragma once

#include <memory>
#include <utility>

#include "backtest/strategy.hpp"

namespace sentio {

/// Gives a strategy its bars one by one, as live trading does.
class BarByBar final : public Strategy {
 public:
  explicit BarByBar(std::unique_ptr<Strategy> inner) : inner_(std::move(inner)) {}
  [[nodiscard]] std::string_view name() const override { return inner_->name(); }
  [[nodiscard]] int warmup() const override { return inner_->warmup(); }
  [[nodiscard]] Decision on_bar(const Bar& bar) override { return inner_->on_bar(bar); }

 private:
  void save(StateWriter& to) const override { to.block(inner_->state()); }
  void load(StateReader& from) override { inner_->restore(from.block()); }

  std::unique_ptr<Strategy> inner_;
};

}  // namespace sentio

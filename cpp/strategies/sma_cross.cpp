#include <stdexcept>

#include "strategies/rules.hpp"

namespace sentio {
namespace {

/// The last closes, and their means over the newest `n`: summed afresh each time, oldest first, so that no rounding of
/// bars long gone stays in them.
class Closes {
 public:
  explicit Closes(std::size_t capacity) : closes_(capacity) {}

  void push(double close) {
    closes_[next_] = close;
    next_ = (next_ + 1) % closes_.size();
    if (seen_ < closes_.size()) ++seen_;
  }

  [[nodiscard]] bool full() const { return seen_ == closes_.size(); }

  [[nodiscard]] double mean(std::size_t n) const {
    double sum = 0.0;
    std::size_t i = (next_ + closes_.size() - n) % closes_.size();
    for (std::size_t count = 0; count < n; ++count) {
      sum += closes_[i];
      if (++i == closes_.size()) i = 0;
    }
    return sum / static_cast<double>(n);
  }

  void save(StateWriter& to) const {
    to.values(std::span<const double>(closes_));
    to.number(static_cast<std::int64_t>(next_));
    to.number(static_cast<std::int64_t>(seen_));
  }

  void load(StateReader& from) {
    const auto size = static_cast<std::int64_t>(closes_.size());
    from.values(std::span<double>(closes_));
    next_ = static_cast<std::size_t>(from.whole(0, size - 1, "place of the next close"));
    seen_ = static_cast<std::size_t>(from.whole(0, size, "closes seen"));
  }

 private:
  std::vector<double> closes_;
  std::size_t next_ = 0, seen_ = 0;
};

class SmaCross final : public Strategy {
 public:
  SmaCross(std::size_t fast, std::size_t slow, bool allow_short)
      : fast_(fast), slow_(slow), allow_short_(allow_short), closes_(slow) {}

  [[nodiscard]] std::string_view name() const override { return "sma_cross"; }
  [[nodiscard]] int warmup() const override { return static_cast<int>(slow_); }

  [[nodiscard]] Decision on_bar(const Bar& bar) override {
    closes_.push(bar.close);
    if (!closes_.full()) return {.exposure = 0.0, .reason = "warming up"};
    const double fast = closes_.mean(fast_), slow = closes_.mean(slow_);
    if (fast > slow) return {.exposure = 1.0, .reason = "fast above slow"};
    if (fast < slow && allow_short_) return {.exposure = -1.0, .reason = "fast below slow"};
    return {.exposure = 0.0, .reason = "fast not above slow"};
  }

 private:
  void save(StateWriter& to) const override { closes_.save(to); }
  void load(StateReader& from) override { closes_.load(from); }

  std::size_t fast_, slow_;
  bool allow_short_;
  Closes closes_;
};

std::unique_ptr<Strategy> make(const StrategyParams& params) {
  const auto fast = static_cast<std::size_t>(params[0]), slow = static_cast<std::size_t>(params[1]);
  if (fast >= slow) {
    throw std::invalid_argument("param fast of sma_cross must be below slow " + std::to_string(slow) + ", found " +
                                std::to_string(fast));
  }
  return std::make_unique<SmaCross>(fast, slow, params[2] != 0.0);
}

}  // namespace

StrategyRow sma_cross() {
  using Kind = StrategyParam::Kind;
  return {.name = "sma_cross",
          .description = "Long while the fast mean of closes is above the slow one, else flat, or short if allowed.",
          .params = {{"fast", Kind::whole, 10, 1, 10'000, "bars in the fast mean"},
                     {"slow", Kind::whole, 30, 2, 10'000, "bars in the slow mean"},
                     {"allow_short", Kind::flag, 0, 0, 1, "short while the fast mean is below the slow one"}},
          .make = make};
}

}  // namespace sentio

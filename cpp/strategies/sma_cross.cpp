#include <stdexcept>

#include "strategies/recent.hpp"
#include "strategies/rules.hpp"

namespace sentio {
namespace {

class SmaCross final : public Strategy {
 public:
  SmaCross(std::size_t fast, std::size_t slow, bool allow_short)
      : fast_(fast), slow_(slow), allow_short_(allow_short), closes_(slow) {}

  [[nodiscard]] std::string_view name() const override { return "sma_cross"; }
  [[nodiscard]] int warmup() const override { return static_cast<int>(slow_); }

  [[nodiscard]] Decision on_bar(const Bar& bar) override {
    closes_.push(bar.close);
    if (!closes_.full()) return {.exposure = 0.0, .reason = "warming up"};
    return decision_of(mean_of(closes_.last(fast_)), mean_of(closes_.all()));
  }

  void on_bars(BarsView bars, std::span<Decision> out) override {
    std::size_t done = 0;
    for (; done < bars.size() && !closes_.full(); ++done) out[done] = on_bar(bars[done]);
    const std::size_t count = bars.size() - done;
    series_.assign(closes_.all().begin(), closes_.all().end());
    series_.insert(series_.end(), bars.close.begin() + static_cast<std::ptrdiff_t>(done), bars.close.end());
    // Window i ends with the block's close i, and begins one close after that of the window before.
    slow_means_.resize(count);
    fast_means_.resize(count);
    rolling_means(std::span(series_).subspan(1), slow_, slow_means_);
    rolling_means(std::span(series_).subspan(1 + slow_ - fast_), fast_, fast_means_);
    for (std::size_t i = 0; i < count; ++i) {
      closes_.push(bars.close[done + i]);
      out[done + i] = decision_of(fast_means_[i], slow_means_[i]);
    }
  }

 private:
  [[nodiscard]] Decision decision_of(double fast, double slow) const {
    if (fast > slow) return {.exposure = 1.0, .reason = "fast above slow"};
    if (fast < slow && allow_short_) return {.exposure = -1.0, .reason = "fast below slow"};
    return {.exposure = 0.0, .reason = "fast not above slow"};
  }

  void save(StateWriter& to) const override { closes_.save(to); }
  void load(StateReader& from) override { closes_.load(from); }

  std::size_t fast_, slow_;
  bool allow_short_;
  Recent closes_;
  std::vector<double> series_, slow_means_, fast_means_;  ///< of a block, to keep their memory
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

#include "inference/tfa_strategy.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "features/exact_arithmetic.hpp"
#include "inference/fingerprint.hpp"
#include "inference/passes.hpp"
#include "inference/sigmoid.hpp"

namespace sentio {

TFAStrategy::TFAStrategy(const TFACfg& config)
    : TFAStrategy(Artifact::load(std::filesystem::path(config.artifacts_dir) / config.model_id / config.version,
                                 config.model)) {}

TFAStrategy::TFAStrategy(Artifact artifact)
    : artifact_(std::move(artifact)),
      builder_(artifact_.spec()),
      rule_(artifact_.decision()),
      fingerprint_(fingerprint_of(artifact_).dump()) {
  const auto width = static_cast<std::size_t>(artifact_.spec().width());
  const auto earlier = static_cast<std::size_t>(artifact_.sequence_length() - 1);
  rows_.assign(earlier * width, static_cast<float>(artifact_.spec().pad_value()));
}

Decision TFAStrategy::on_bar(const Bar& bar) {
  const BarsView one{{&bar.time_ns, 1}, {&bar.open, 1},  {&bar.high, 1},
                     {&bar.low, 1},     {&bar.close, 1}, {&bar.volume, 1}};
  Decision decision;
  decide_block(one, {&decision, 1});
  return decision;
}

void TFAStrategy::on_bars(BarsView bars, std::span<Decision> out) {
  const std::size_t block = windows_per_pass(artifact_.sequence_length());
  for (std::size_t done = 0; done < bars.size();) {
    const std::size_t count = std::min(block, bars.size() - done);
    decide_block(bars.subview(done, count), out.subspan(done, count));
    done += count;
  }
}

void TFAStrategy::decide_block(BarsView bars, std::span<Decision> out) {
  const auto width = static_cast<std::size_t>(artifact_.spec().width());
  const std::size_t earlier = rows_.size(), count = bars.size();
  const std::int64_t seen = builder_.bars_seen();
  rows_.resize(earlier + count * width);
  // Whatever throws, the rows that the next window needs are the last ones.
  const auto keep_last = [&](std::size_t taken) {
    const auto end = rows_.begin() + static_cast<std::ptrdiff_t>(earlier + taken * width);
    std::copy(end - static_cast<std::ptrdiff_t>(earlier), end, rows_.begin());
    rows_.resize(earlier);
  };
  std::size_t taken = 0;  // a refused bar changes no state
  try {
    builder_.build(bars, std::span(rows_).subspan(earlier));
    taken = count;
    // Windows that hold a row from before the warm-up have no logit.
    const auto unready = static_cast<std::size_t>(
        std::clamp<std::int64_t>(artifact_.warmup() - seen, 0, static_cast<std::int64_t>(count)));
    logits_.resize(count - unready);
    if (!logits_.empty()) artifact_.logits(windows_from(unready), logits_);
    const ExactArithmetic exact;
    for (std::size_t i = 0; i < count; ++i) {
      const float logit = i < unready ? std::numeric_limits<float>::quiet_NaN() : logits_[i - unready];
      out[i] = rule_(sigmoid(logit));
      out[i].logit = logit;
    }
  } catch (...) {
    keep_last(taken);
    throw;
  }
  keep_last(taken);
}

void TFAStrategy::save(StateWriter& to) const {
  to.label(fingerprint_);
  to.block(builder_.state());
  to.values(std::span<const float>(rows_));
  rule_.save(to);
}

void TFAStrategy::load(StateReader& from) {
  if (const std::string_view found = from.label(); found != fingerprint_)
    from.fail("belongs to another model, found " + std::string(found) + ", expected " + fingerprint_);
  builder_.restore(from.block());
  from.values(std::span(rows_));
  rule_.load(from);
}

Windows TFAStrategy::windows_from(std::size_t first) const {
  // Window i ends with the block's row i and begins at row i of rows_, which holds the earlier rows first.
  const auto width = static_cast<std::size_t>(artifact_.spec().width());
  return {std::span(rows_).subspan(first * width), width};
}

}  // namespace sentio

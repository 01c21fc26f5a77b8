#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sentio {

/// A stretch of time, both ends included.
struct TimeSpan {
  std::int64_t begin_ns, end_ns;
};

/// The times of the bars that a model was trained, tuned and tested on.
struct DataSpans {
  std::optional<TimeSpan> train, validation, test;
};

/// What a measured bar was to the strategy before. Ordered: the larger, the less the bar proves.
enum class Sample {
  untrained,      ///< the strategy was not fitted to any bars
  out_of_sample,  ///< a model has not seen the bar
  unknown,        ///< a model that does not say what it was trained on
  validation,     ///< chose the epoch and the thresholds, so it counts as seen
  train,          ///< the model was fitted to it
};

inline constexpr std::size_t kSamples = 5;

/// "untrained", "out-of-sample", "unknown", "validation", "in-sample".
[[nodiscard]] std::string_view name_of(Sample sample);

/// How many bars are which, indexed by Sample.
using SampleCounts = std::array<std::size_t, kSamples>;

/// Sorts bars. `spans` is empty for a strategy that is not trained.
[[nodiscard]] SampleCounts count_samples(std::span<const std::int64_t> time_ns, const std::optional<DataSpans>& spans);

/// The sample of a stretch of bars: the one that proves least.
[[nodiscard]] Sample worst_of(const SampleCounts& counts);

/// Bars that the model has seen: train and validation.
[[nodiscard]] std::size_t seen_bars(const SampleCounts& counts);

}  // namespace sentio

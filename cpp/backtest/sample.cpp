#include "backtest/sample.hpp"

namespace sentio {
namespace {

bool holds(const std::optional<TimeSpan>& span, std::int64_t time_ns) {
  return span && time_ns >= span->begin_ns && time_ns <= span->end_ns;
}

Sample sample_of(std::int64_t time_ns, const std::optional<DataSpans>& spans) {
  if (!spans) return Sample::untrained;
  if (holds(spans->train, time_ns)) return Sample::train;
  if (holds(spans->validation, time_ns)) return Sample::validation;
  if (!spans->train || !spans->validation) return Sample::unknown;  // the bar may lie in what is not stated
  return Sample::out_of_sample;
}

std::size_t index(Sample sample) { return static_cast<std::size_t>(sample); }

}  // namespace

std::string_view name_of(Sample sample) {
  constexpr std::array<std::string_view, kSamples> names{"untrained", "out-of-sample", "unknown", "validation",
                                                         "in-sample"};
  return names[index(sample)];
}

SampleCounts count_samples(std::span<const std::int64_t> time_ns, const std::optional<DataSpans>& spans) {
  SampleCounts counts{};
  for (const std::int64_t t : time_ns) ++counts[index(sample_of(t, spans))];
  return counts;
}

Sample worst_of(const SampleCounts& counts) {
  std::size_t worst = kSamples - 1;
  while (worst > 0 && counts[worst] == 0) --worst;
  return static_cast<Sample>(worst);
}

std::size_t seen_bars(const SampleCounts& counts) {
  return counts[index(Sample::validation)] + counts[index(Sample::train)];
}

}  // namespace sentio

#include "features/builder.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

#include "bars/state.hpp"
#include "features/exact_arithmetic.hpp"
#include "features/rows.hpp"
#include "features/schedule.hpp"

namespace sentio {
namespace {

/// Bars a block holds: small enough that the columns of a large spec stay in the second-level cache.
constexpr std::size_t kBlock = 256;

constexpr StateKind kState{"SENTIO-FEATURES ", 2, "feature state", "a feature builder"};
constexpr std::int64_t kMostBars = std::int64_t{1} << 53;  ///< what a double can count, and no market reaches

}  // namespace

FeatureBuilder::FeatureBuilder(FeatureSpec spec) : spec_(std::move(spec)), graph_(spec_.graph()), sessions_(graph_) {
  // Columns a multiple of 2 KiB apart would share a few sets of the cache: a line between them spreads them.
  constexpr std::size_t kLine = 64 / sizeof(double);
  std::size_t size = 0;
  for (Column c = 0; c < graph_.columns(); ++c) {
    begin_.push_back(size + static_cast<std::size_t>(graph_.facts(c).history));
    size = begin_.back() + kBlock + kLine;
  }
  values_.resize(size);
  wire();
}

FeatureBuilder::FeatureBuilder(const FeatureBuilder& other)
    : spec_(other.spec_),
      graph_(other.graph_),
      sessions_(other.sessions_),
      values_(other.values_),
      begin_(other.begin_),
      filled_(other.filled_),
      seen_(other.seen_),
      last_ns_(other.last_ns_) {
  wire();
}

void FeatureBuilder::wire() {
  for (const Column c : spec_.emitted_columns()) {
    emitted_.push_back(column(c));
    emitted_from_.push_back(std::max<std::int64_t>(spec_.emit_from(), graph_.facts(c).first));
    all_emitted_ = std::max(all_emitted_, emitted_from_.back());
  }

  // All memory first: the groups point into it.
  kernels_.reserve(graph_.nodes().size());
  wires_.reserve(graph_.nodes().size());
  for (const std::vector<std::size_t>& group : schedule(graph_)) {
    const std::size_t first = kernels_.size();
    for (const std::size_t i : group) {
      const Node& node = graph_.nodes()[i];
      Wires wires{.in = {}, .out = column(node.output)};
      for (std::size_t k = 0; k < kMaxInputs; ++k) wires.in[k] = column(node.inputs[k]);
      kernels_.push_back(node.kernel.get());
      wires_.push_back(wires);
      starts_.push_back(node.start);
      all_started_ = std::max<std::int64_t>(all_started_, node.start);
    }
    groups_.push_back({std::span(kernels_).subspan(first), std::span(wires_).subspan(first)});
  }
}

void FeatureBuilder::build(BarsView bars, std::span<float> out) {
  require_valid(bars);
  build_checked(bars, out);
}

void FeatureBuilder::build_checked(BarsView bars, std::span<float> out) {
  const auto width = static_cast<std::size_t>(spec_.width());
  if (out.size() != bars.size() * width)
    throw std::invalid_argument("out must hold " + std::to_string(bars.size()) + " x " + std::to_string(width) +
                                " values, found " + std::to_string(out.size()));
  if (last_ns_ && !bars.empty()) require_valid(bars[0], last_ns_);

  for (std::size_t done = 0; done < bars.size();) {
    if (filled_ == kBlock) slide();
    const std::size_t count = std::min(bars.size() - done, kBlock - filled_);
    advance(bars.subview(done, count), out.data() + done * width);
    done += count;
  }
}

void FeatureBuilder::push(const Bar& bar, std::span<float> row) {
  if (row.size() != static_cast<std::size_t>(spec_.width()))
    throw std::invalid_argument("row must hold " + std::to_string(spec_.width()) + " values, found " +
                                std::to_string(row.size()));
  require_valid(bar, last_ns_);
  if (filled_ == kBlock) slide();
  const BarsView one{{&bar.time_ns, 1}, {&bar.open, 1},  {&bar.high, 1},
                     {&bar.low, 1},     {&bar.close, 1}, {&bar.volume, 1}};
  advance(one, row.data());
}

void FeatureBuilder::advance(BarsView bars, float* out) {
  const std::size_t count = bars.size();
  const std::array<std::span<const double>, kBarColumns> fields = {bars.open, bars.high, bars.low, bars.close,
                                                                   bars.volume};
  for (Column c = 0; c < kBarColumns; ++c)
    std::copy_n(fields[static_cast<std::size_t>(c)].data(), count, column(c) + filled_);

  const auto begin = static_cast<std::ptrdiff_t>(filled_), end = begin + static_cast<std::ptrdiff_t>(count);
  const ExactArithmetic exact;
  sessions_.fill(bars.time_ns, [this](Column c) { return column(c) + filled_; });
  if (seen_ < all_started_)
    run_first(begin, end);
  else if (count == 1)
    for (const Group& group : groups_) group.kernels[0]->step_all(group.kernels, group.wires, begin);
  else
    for (const Group& group : groups_) group.kernels[0]->run_all(group.kernels, group.wires, begin, end);

  write_rows(emitted_, begin, end, out);
  if (seen_ < all_emitted_) pad_rows(count, out);
  filled_ += count;
  seen_ += static_cast<std::int64_t>(count);
  last_ns_ = bars.time_ns.back();
}

void FeatureBuilder::run_first(std::ptrdiff_t begin, std::ptrdiff_t end) {
  for (std::size_t i = 0; i < kernels_.size(); ++i) {
    // What lies before the inputs are defined is read by nobody and kept equal for state().
    const auto early = static_cast<std::ptrdiff_t>(std::clamp<std::int64_t>(starts_[i] - seen_, 0, end - begin));
    std::fill_n(wires_[i].out + begin, early, 0.0);
    kernels_[i]->run(wires_[i], begin + early, end);
  }
}

void FeatureBuilder::pad_rows(std::size_t count, float* out) const {
  const std::size_t width = emitted_.size();
  const float pad = rounded_to_float(spec_.pad_value());
  for (std::size_t f = 0; f < width; ++f)
    for (std::size_t t = 0; t < count && seen_ + static_cast<std::int64_t>(t) < emitted_from_[f]; ++t)
      out[t * width + f] = pad;
}

void FeatureBuilder::slide() {
  for (Column c = 0; c < graph_.columns(); ++c) {
    const auto history = static_cast<std::size_t>(graph_.facts(c).history);
    double* const block = column(c);
    std::memmove(block - history, block + kBlock - history, history * sizeof(double));
  }
  filled_ = 0;
}

std::vector<std::byte> FeatureBuilder::state() const {
  StateWriter writer(kState);
  writer.number(kEngineVersion);
  writer.text(spec_.hash());
  writer.number(seen_);
  writer.number(last_ns_.value_or(0));
  for (Column c = 0; c < graph_.columns(); ++c) {
    const auto history = static_cast<std::size_t>(graph_.facts(c).history);
    writer.bytes(std::as_bytes(std::span(column(c) + filled_ - history, history)));
  }
  for (const Node& node : graph_.nodes()) writer.bytes(node.kernel->memory());
  return std::move(writer).sealed();
}

void FeatureBuilder::restore(std::span<const std::byte> state) {
  StateReader reader(state, kState);
  const auto engine = reader.number<std::uint32_t>();
  if (engine != kEngineVersion)
    reader.fail("was written by engine " + std::to_string(engine) + ", this is engine " +
                std::to_string(kEngineVersion));
  const std::string_view hash = reader.text(spec_.hash().size());
  if (hash != spec_.hash())
    reader.fail("belongs to another spec, found " + std::string(hash) + ", expected " + spec_.hash());
  reader.require_seal();

  const auto seen = reader.number<std::int64_t>();
  const auto last_ns = reader.number<std::int64_t>();
  // A checksum is no signature: what it covers is checked as any other input.
  if (seen < 0 || seen > kMostBars || (seen == 0 && last_ns != 0))
    reader.fail("must hold a count of bars in [0, " + std::to_string(kMostBars) + "] and the time of the last, found " +
                std::to_string(seen) + " bars, the last at " + std::to_string(last_ns));
  FeatureBuilder fresh(spec_);
  for (Column c = 0; c < graph_.columns(); ++c) {
    const auto history = static_cast<std::size_t>(graph_.facts(c).history);
    reader.doubles(std::as_writable_bytes(std::span(fresh.column(c) - history, history)));
  }
  for (Node& node : fresh.graph_.nodes()) reader.doubles(node.kernel->memory());
  reader.require_end("this spec's");
  fresh.seen_ = seen;
  if (seen > 0) fresh.last_ns_ = last_ns;
  *this = std::move(fresh);
}

}  // namespace sentio

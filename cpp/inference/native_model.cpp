#include "inference/native_model.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "bars/number.hpp"
#include "features/exact_arithmetic.hpp"
#include "inference/plan.hpp"

namespace sentio {
namespace {

/// What the values of a tile may take: with the weights beside them they stay in the cache of a core.
constexpr std::size_t kTileBytes = 64 * 1024;
/// Multiplications and additions that are worth a thread of their own: waking one takes as long as some 100,000.
constexpr double kOperationsOfThread = 4e6;

std::string shape_text(const InputShape& shape) {
  return "[B, " + (shape.sequence ? std::to_string(shape.sequence_length) + ", " : "") + std::to_string(shape.width) +
         "]";
}

bool is_finite(std::span<const float> values) {
  constexpr std::uint32_t kExponent = 0x7F800000;  // all ones: infinite, or no number
  std::uint32_t found = 0;
  for (const float value : values)
    found |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent);
  return found == 0;
}

/// Memory to work in, kept from one forward pass for the next.
class Workspaces {
 public:
  /// Memory of at least `size` floats, until the end of the scope.
  class Loan {
   public:
    Loan(Workspaces& lender, std::size_t size) : lender_(&lender), memory_(lender.take()) {
      if (memory_.size() < size) memory_.resize(size);
    }
    ~Loan() {
      if (lender_ != nullptr) lender_->give_back(std::move(memory_));
    }
    Loan(Loan&& other) noexcept : lender_(std::exchange(other.lender_, nullptr)), memory_(std::move(other.memory_)) {}
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    Loan& operator=(Loan&&) = delete;

    float* data() { return memory_.data(); }

   private:
    Workspaces* lender_;
    AlignedFloats memory_;
  };

 private:
  AlignedFloats take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return {};
    AlignedFloats memory = std::move(idle_.back());
    idle_.pop_back();
    return memory;
  }

  void give_back(AlignedFloats memory) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(memory));
  }

  std::mutex mutex_;
  std::vector<AlignedFloats> idle_;
};

}  // namespace

struct NativeModel::Impl {
  Impl(const Network& network, const std::string& where, int threads_)
      : input(network.input),
        plan(network, where),
        tile(std::max<std::size_t>(1, kTileBytes / sizeof(float) / plan.window())),
        operations(sentio::operations(network)),
        threads(static_cast<std::size_t>(std::max(1, threads_))) {}

  void require_fit(const Windows& windows, const InputShape& shape, std::size_t count) const {
    if (shape.sequence != input.sequence || shape.sequence_length != input.sequence_length ||
        shape.width != input.width)
      throw ModelError("takes windows of the shape " + shape_text(input) + ", found " + shape_text(shape));
    const std::size_t size = window_size();
    if (count > 0 && windows.values.size() < (count - 1) * windows.step + size)
      throw ModelError("needs " + std::to_string((count - 1) * windows.step + size) + " numbers for " +
                       std::to_string(count) + " windows, found " + std::to_string(windows.values.size()));
    // What a window shares with the one before was looked at there.
    const std::size_t fresh = std::min(windows.step, size);
    for (std::size_t i = 0; i < count; ++i) {
      const auto numbers = windows.values.subspan(i * windows.step, size).last(i == 0 ? size : fresh);
      if (!is_finite(numbers)) refuse_input(numbers, i);
    }
  }

  [[noreturn]] static void refuse_input(std::span<const float> numbers, std::size_t window) {
    const auto bad = std::ranges::find_if(numbers, [](float x) { return !std::isfinite(x); });
    throw ModelError("needs finite inputs, found " + format_number(*bad) + " in window " + std::to_string(window));
  }

  [[nodiscard]] std::size_t window_size() const {
    return static_cast<std::size_t>(input.sequence_length) * static_cast<std::size_t>(input.width);
  }

  [[nodiscard]] std::size_t threads_for(std::size_t windows) const {
    const double worth = std::floor(operations * static_cast<double>(windows) / kOperationsOfThread);
    return static_cast<std::size_t>(std::clamp(worth, 1.0, static_cast<double>(std::min(threads, windows))));
  }

  void run(const Windows& windows, std::span<float> logits) const {
    const std::size_t count = threads_for(logits.size());
    const std::size_t share = (logits.size() + count - 1) / count;
    const std::size_t needed = plan.workspace(std::min(tile, share));
    if (count == 1) {
      Workspaces::Loan workspace(workspaces, needed);
      run(windows, 0, logits.size(), logits, workspace.data());
      return;
    }
    std::vector<Workspaces::Loan> loans;
    for (std::size_t i = 0; i < count; ++i) loans.emplace_back(workspaces, needed);
    std::vector<std::jthread> helpers;
    for (std::size_t i = 0; i < count; ++i)
      helpers.emplace_back([&, begin = i * share] {
        run(windows, begin, std::min(begin + share, logits.size()), logits, loans[begin / share].data());
      });
  }

  /// Windows [begin, end), tile by tile.
  void run(const Windows& windows, std::size_t begin, std::size_t end, std::span<float> logits,
           float* workspace) const noexcept {
    const ExactArithmetic exact;
    for (std::size_t i = begin; i < end; i += tile)
      plan.run(kernels, windows.values.data() + i * windows.step, windows.step, workspace,
               logits.subspan(i, std::min(tile, end - i)));
  }

  const InputShape input;
  const Plan plan;
  const Kernels& kernels = available_kernels().front();
  const std::size_t tile;  ///< windows
  const double operations;
  const std::size_t threads;
  mutable Workspaces workspaces;
};

NativeModel::NativeModel(const GraphFiles& files, const ModelOptions& options)
    : impl_(
          std::make_unique<const Impl>(read_network(files), (files.folder / "model.json").string(), options.threads)) {}

NativeModel::~NativeModel() = default;

void NativeModel::forward(const Windows& windows, const InputShape& shape, std::span<float> logits) const {
  const Impl& impl = *impl_;
  impl.require_fit(windows, shape, logits.size());
  if (logits.empty()) return;
  impl.run(windows, logits);
  for (const float logit : logits)
    if (!std::isfinite(logit)) throw ModelError("must give finite logits, found " + format_number(logit));
}

}  // namespace sentio

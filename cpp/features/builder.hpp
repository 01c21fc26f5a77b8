#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bars/bars.hpp"
#include "features/session_filler.hpp"
#include "features/spec.hpp"

namespace sentio {

/// Turns bars into feature rows, many at a time or one by one: the same code, the same bits. A value: a copy goes on
/// from where the original stands.
class FeatureBuilder {
 public:
  explicit FeatureBuilder(FeatureSpec spec);
  FeatureBuilder(const FeatureBuilder& other);
  FeatureBuilder(FeatureBuilder&&) = default;
  FeatureBuilder& operator=(const FeatureBuilder& other) { return *this = FeatureBuilder(other); }
  FeatureBuilder& operator=(FeatureBuilder&&) = default;
  ~FeatureBuilder() = default;

  /// Continues with `bars` and writes their rows.
  /// @param out shape [bars.size(), width], row-major.
  /// @throws std::invalid_argument if `out` has another size or a bar is not valid; nothing has changed then.
  void build(BarsView bars, std::span<float> out);

  /// As build, for bars that have passed `require_valid` already: reading them once more would take a twentieth of the
  /// time. That they come after the last bar taken is still checked.
  void build_checked(BarsView bars, std::span<float> out);

  /// Continues with one bar and writes its row. @throws as build.
  void push(const Bar& bar, std::span<float> row);

  [[nodiscard]] const FeatureSpec& spec() const { return spec_; }

  /// Bars taken since the start.
  [[nodiscard]] std::int64_t bars_seen() const { return seen_; }

  /// All that the next row depends on, to continue in another process with the same bits.
  [[nodiscard]] std::vector<std::byte> state() const;

  /// Continues from a state. @throws InputError if it is cut off, altered, impossible, or another spec's or version's;
  /// nothing has changed then.
  void restore(std::span<const std::byte> state);

 private:
  /// Kernels that one call runs.
  struct Group {
    std::span<Kernel* const> kernels;
    std::span<const Wires> wires;
  };

  void wire();
  void advance(BarsView bars, float* out);
  void run_first(std::ptrdiff_t begin, std::ptrdiff_t end);
  void pad_rows(std::size_t count, float* out) const;
  void slide();
  [[nodiscard]] double* column(Column c) { return values_.data() + begin_[static_cast<std::size_t>(c)]; }
  [[nodiscard]] const double* column(Column c) const { return values_.data() + begin_[static_cast<std::size_t>(c)]; }

  FeatureSpec spec_;
  Graph graph_;
  SessionFiller sessions_;
  std::vector<double> values_;      ///< per column: its history, then a block
  std::vector<std::size_t> begin_;  ///< per column: where its block begins in values_

  // Where the nodes, in the order of their schedule, and the rows find their columns in values_.
  std::vector<Kernel*> kernels_;
  std::vector<Wires> wires_;
  std::vector<std::int64_t> starts_;  ///< per node of the schedule: the first bar that it takes
  std::vector<Group> groups_;
  std::int64_t all_started_ = 0;  ///< the first bar that every node takes
  std::vector<const double*> emitted_;
  std::vector<std::int64_t> emitted_from_;  ///< per emitted column: the first bar that is not padded
  std::int64_t all_emitted_ = 0;            ///< the first bar without a padded cell

  std::size_t filled_ = 0;  ///< bars in the block
  std::int64_t seen_ = 0;
  std::optional<std::int64_t> last_ns_;
};

}  // namespace sentio

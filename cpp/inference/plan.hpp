#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "inference/aligned.hpp"
#include "inference/graph.hpp"
#include "inference/kernels.hpp"
#include "inference/model.hpp"

namespace sentio {

/// How a graph is run: which values share memory, and its numbers in the layout that the kernels want.
///
/// Windows are evaluated in tiles: each value is one matrix, of the rows of all windows of the tile. Rows do not depend
/// on each other, so that a tile's size changes no bit.
class Plan {
 public:
  /// @throws InputError "where: nodes: ..." if the graph needs more memory than GraphLimits allow.
  Plan(const Network& network, const std::string& where);

  /// Floats that a tile needs to work in, from a multiple of 64 bytes on.
  [[nodiscard]] std::size_t workspace(std::size_t windows) const { return windows * window_ + scratch_; }

  /// Floats that each window of a tile needs.
  [[nodiscard]] std::size_t window() const { return window_; }

  /// Logits of a tile whose windows begin at `values` and lie `step` floats apart.
  void run(const Kernels& kernels, const float* values, std::size_t step, float* workspace,
           std::span<float> logits) const;

 private:
  struct Step {
    GraphOp op{};
    std::array<std::size_t, 3> inputs{};  ///< where they begin, in floats of one window
    std::size_t output = 0;
    bool copies = false;  ///< the op works in place, and its input is still needed
    std::size_t rows = 0, made_rows = 0;
    std::size_t width = 0, made_width = 0;
    std::size_t first = 0, second = 0;  ///< where their numbers begin in weights_
    float number = 0.0F;
    std::size_t heads = 0;
    bool causal = false;
  };

  class Memory;
  void place(const Network& network);
  void pack(const GraphNode& node, Step& step, const std::string& where);
  std::size_t append(std::span<const float> numbers, std::size_t rows, float padding, const std::string& where);
  void normalise(const Kernels& kernels, const Step& step, const float* values, std::size_t distance,
                 std::size_t windows, float* out) const;

  InputShape input_;
  std::vector<Step> steps_;
  AlignedFloats weights_;
  std::size_t window_ = 0, scratch_ = 0, output_ = 0;
};

}  // namespace sentio

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/model.hpp"

namespace sentio {

/// What a graph may ask for at most. An artifact is untrusted: these are checked before memory is taken.
struct GraphLimits {
  static constexpr std::uintmax_t kDocumentBytes = 1 << 20;
  static constexpr std::size_t kTensors = 4096, kNodes = 4096;
  static constexpr std::size_t kSide = 1 << 16;           ///< of a tensor's or value's shape
  static constexpr std::size_t kWeights = 1 << 26;        ///< floats of weights.bin, and of their padded copies
  static constexpr std::size_t kWindow = 1 << 26;         ///< floats that one window needs while it is evaluated
  static constexpr std::size_t kOperations = 1ULL << 36;  ///< multiplications and additions of one window
};

enum class GraphOp {
  normalise,
  linear,
  gelu,
  relu,
  silu,
  tanh,
  add_position,
  layer_norm,
  last_row,
  attention,
  add,
  affine,
};

/// Per window [rows, width].
struct GraphValue {
  std::string name;
  std::size_t rows = 0;
  std::size_t width = 0;
};

struct GraphNode {
  GraphOp op{};
  std::vector<std::size_t> inputs;  ///< values, by their place in Network::values
  std::size_t output = 0;
  std::span<const float> first;   ///< mean, weight, position or scale: row-major, of `rows` alone where it is linear
  std::span<const float> second;  ///< std, bias or shift
  float number = 0.0F;            ///< clip or epsilon
  std::size_t heads = 0;
  bool causal = false;
};

/// A network as model.json draws it: checked, every shape known. Value 0 is the input.
struct Network {
  InputShape input;
  std::vector<GraphValue> values;
  std::vector<GraphNode> nodes;
  std::size_t output = 0;
  std::vector<float> weights;
};

/// The content of the two files that a graph lies in. They are read by whoever compares them with their hashes, so that
/// nothing can come between.
struct GraphFiles {
  std::filesystem::path folder;  ///< as messages begin
  std::string_view document;     ///< model.json
  std::string_view weights;      ///< weights.bin
};

/// Reads and checks a graph.
/// @throws InputError "file: key path: what is right, what was found".
[[nodiscard]] Network read_network(const GraphFiles& files);

/// Multiplications and additions that one window needs.
[[nodiscard]] double operations(const Network& network);

}  // namespace sentio

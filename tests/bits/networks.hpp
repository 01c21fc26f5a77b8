#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "generated.hpp"
#include "inference/native_model.hpp"

namespace sentio {

/// A network of generated numbers, drawn as an artifact holds it.
class GeneratedNetwork {
 public:
  GeneratedNetwork(const InputShape& shape, std::uint64_t seed) : shape_(shape), random_(seed) {
    node("normalise", "x", {{"mean", tensor({shape.width})}, {"std", tensor({shape.width}, 1.0F)}, {"clip", 3.0}});
  }

  /// A tensor of numbers less than 1/4 away from `centre`; its name.
  std::string tensor(const std::vector<int>& shape, float centre = 0.0F) {
    const std::string name = "t" + std::to_string(tensors_.size());
    tensors_.push_back({{"name", name}, {"shape", shape}});
    int count = 1;
    for (const int side : shape) count *= side;
    for (int i = 0; i < count; ++i)
      weights_.push_back(centre + static_cast<float>(random_.below(1 << 16) - (1 << 15)) / static_cast<float>(1 << 17));
    return name;
  }

  /// A node that reads the value named `input`, if that is not empty; the name of its output.
  std::string node(const std::string& op, const std::string& input, nlohmann::json keys = nlohmann::json::object()) {
    keys["op"] = op;
    keys["output"] = last_ = "v" + std::to_string(nodes_.size());
    if (!input.empty()) keys["input"] = input;
    nodes_.push_back(keys);
    return last_;
  }
  std::string linear(const std::string& input, int inputs, int outputs) {
    return node("linear", input, {{"weight", tensor({outputs, inputs})}, {"bias", tensor({outputs})}});
  }
  std::string layer_norm(const std::string& input, int width) {
    return node("layer_norm", input, {{"weight", tensor({width}, 1.0F)}, {"bias", tensor({width})}, {"epsilon", 1e-5}});
  }
  std::string sum(const std::string& a, const std::string& b) { return node("add", "", {{"inputs", {a, b}}}); }

  [[nodiscard]] std::string last() const { return last_; }

  /// The logits of generated windows, the last node's values, all at once.
  /// @throws std::runtime_error unless each window alone gives the same bits.
  std::vector<float> logits() {
    const std::string graph = document();
    const auto numbers = std::as_bytes(std::span(weights_));
    const std::string_view weights(reinterpret_cast<const char*>(numbers.data()), numbers.size());
    const NativeModel model({.folder = "generated", .document = graph, .weights = weights}, {});
    const std::size_t step = static_cast<std::size_t>(shape_.width),
                      size = step * static_cast<std::size_t>(shape_.sequence_length);
    std::vector<float> rows(step * (kWindows - 1) + size), logits(kWindows);
    for (float& x : rows) x = static_cast<float>(random_.below(1 << 20) - (1 << 19)) / static_cast<float>(1 << 18);
    model.forward({rows, step}, shape_, logits);
    for (std::size_t i = 0; i < kWindows; ++i) {
      float alone = 0.0F;
      model.forward({std::span<const float>(rows).subspan(i * step, size), size}, shape_, {&alone, 1});
      if (std::bit_cast<std::uint32_t>(alone) != std::bit_cast<std::uint32_t>(logits[i]))
        throw std::runtime_error("window " + std::to_string(i) + " must have the same bits alone as in a batch");
    }
    return logits;
  }

 private:
  static constexpr std::size_t kWindows = 50;

  [[nodiscard]] std::string document() const {
    const nlohmann::json input = {{"layout", shape_.sequence ? "BTF" : "BF"},
                                  {"sequence_length", shape_.sequence_length},
                                  {"width", shape_.width}};
    const nlohmann::json graph = {{"format", "sentio-graph"}, {"format_version", "1.0"}, {"input", input},
                                  {"tensors", tensors_},      {"nodes", nodes_},         {"output", last_}};
    return graph.dump();
  }

  InputShape shape_;
  Random random_;
  nlohmann::json tensors_ = nlohmann::json::array(), nodes_ = nlohmann::json::array();
  std::vector<float> weights_;
  std::string last_;
};

/// Logits of networks as our trainers make them: an MLP with each activation, and a transformer of two blocks.
inline std::vector<float> generated_logits() {
  GeneratedNetwork mlp({.sequence = false, .sequence_length = 1, .width = 19}, 6);
  int width = 19;
  for (const std::string activation : {"gelu", "silu", "tanh", "relu"}) {
    mlp.node(activation, mlp.linear(mlp.last(), width, 40));
    width = 40;
  }
  // Numbers are drawn in the order of statements: which argument of a call is made first is the compiler's choice.
  const nlohmann::json calibration = {{"scale", mlp.tensor({}, 1.0F)}, {"shift", mlp.tensor({})}};
  mlp.node("affine", mlp.linear(mlp.last(), width, 1), calibration);
  std::vector<float> logits = mlp.logits();

  constexpr int kWidth = 24, kRows = 9;
  GeneratedNetwork transformer({.sequence = true, .sequence_length = kRows, .width = 7}, 7);
  const nlohmann::json position = {{"position", transformer.tensor({kRows, kWidth})}};
  std::string tokens = transformer.node("add_position", transformer.linear(transformer.last(), 7, kWidth), position);
  for (const bool causal : {true, false}) {
    const std::string normed = transformer.layer_norm(tokens, kWidth),
                      query = transformer.linear(normed, kWidth, kWidth),
                      key = transformer.linear(normed, kWidth, kWidth),
                      value = transformer.linear(normed, kWidth, kWidth);
    const std::string attended = transformer.node(
        "attention", "", {{"query", query}, {"key", key}, {"value", value}, {"heads", 3}, {"causal", causal}});
    tokens = transformer.sum(tokens, transformer.linear(attended, kWidth, kWidth));
    const std::string expanded =
        transformer.node("gelu", transformer.linear(transformer.layer_norm(tokens, kWidth), kWidth, 2 * kWidth));
    tokens = transformer.sum(tokens, transformer.linear(expanded, 2 * kWidth, kWidth));
  }
  transformer.linear(transformer.layer_norm(transformer.node("last_row", tokens), kWidth), kWidth, 1);
  std::ranges::copy(transformer.logits(), std::back_inserter(logits));
  return logits;
}

}  // namespace sentio

#include "inference/graph.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bars/error.hpp"
#include "inference/native_model.hpp"

using namespace sentio;
using nlohmann::json;

namespace {

/// A graph, whose parts a test may change before it is read.
class DrawnGraph {
 public:
  json document;
  std::vector<float> weights;

  void tensor(const std::string& name, const std::vector<std::size_t>& shape, const std::vector<float>& numbers) {
    document["tensors"].push_back({{"name", name}, {"shape", shape}});
    weights.insert(weights.end(), numbers.begin(), numbers.end());
  }

  void random_tensor(const std::string& name, const std::vector<std::size_t>& shape, float least = -0.5F) {
    std::size_t count = 1;
    for (const std::size_t side : shape) count *= side;
    std::uniform_real_distribution<float> number(least, 0.5F);
    std::vector<float> numbers(count);
    for (float& x : numbers) x = number(random_);
    tensor(name, shape, numbers);
  }

  [[nodiscard]] Network read() const {
    const std::string text = document.dump();
    return read_network(files(text));
  }

  [[nodiscard]] NativeModel model(int threads = 1) const {
    const std::string text = document.dump();
    return {files(text), {.threads = threads}};
  }

  void check_refused(const std::string& message) const {
    CAPTURE(message);
    CHECK_THROWS_WITH_AS((void)read(), ("drawn/" + message).c_str(), InputError);
  }

 private:
  [[nodiscard]] GraphFiles files(const std::string& text) const {
    return {"drawn", text, {reinterpret_cast<const char*>(weights.data()), weights.size() * sizeof(float)}};
  }

  std::mt19937 random_{1};
};

/// (x - 1) / 2, clipped at 3, then 2 z0 - z1 + 0.5, ReLU, 3 y - 1.
void draw_small(DrawnGraph& drawn) {
  drawn.document = {{"format", "sentio-graph"},
                    {"format_version", "1.0"},
                    {"input", {{"layout", "BF"}, {"sequence_length", 1}, {"width", 2}}},
                    {"tensors", json::array()},
                    {"nodes", json::parse(R"([
      {"op": "normalise", "input": "x", "output": "z", "mean": "mean", "std": "std", "clip": 3.0},
      {"op": "linear", "input": "z", "output": "h", "weight": "weight", "bias": "bias"},
      {"op": "relu", "input": "h", "output": "a"},
      {"op": "affine", "input": "a", "output": "logit", "scale": "slope", "shift": "intercept"}
    ])")},
                    {"output", "logit"}};
  drawn.tensor("mean", {2}, {1.0F, 1.0F});
  drawn.tensor("std", {2}, {2.0F, 2.0F});
  drawn.tensor("weight", {1, 2}, {2.0F, -1.0F});
  drawn.tensor("bias", {1}, {0.5F});
  drawn.tensor("slope", json::array(), {3.0F});
  drawn.tensor("intercept", json::array(), {-1.0F});
}

constexpr int kRows = 7, kWidth = 5;
constexpr std::size_t kWindow = kRows * kWidth;
constexpr InputShape kSequence{.sequence = true, .sequence_length = kRows, .width = kWidth};

/// A block of a transformer of odd sizes in which values are read once, twice and never, in place and not.
void draw_block(DrawnGraph& drawn) {
  drawn.document = {{"format", "sentio-graph"},
                    {"format_version", "1.0"},
                    {"input", {{"layout", "BTF"}, {"sequence_length", kRows}, {"width", kWidth}}},
                    {"tensors", json::array()},
                    {"nodes", json::parse(R"([
      {"op": "normalise", "input": "x", "output": "z", "mean": "mean", "std": "std", "clip": 3.0},
      {"op": "linear", "input": "z", "output": "p", "weight": "project", "bias": "project_bias"},
      {"op": "add_position", "input": "p", "output": "t", "position": "position"},
      {"op": "tanh", "input": "t", "output": "unread"},
      {"op": "layer_norm", "input": "t", "output": "n", "weight": "gain", "bias": "shift", "epsilon": 1e-5},
      {"op": "linear", "input": "n", "output": "q", "weight": "qkv", "bias": "qkv_bias", "rows": [0, 18]},
      {"op": "linear", "input": "n", "output": "k", "weight": "qkv", "bias": "qkv_bias", "rows": [18, 36]},
      {"op": "linear", "input": "n", "output": "v", "weight": "qkv", "bias": "qkv_bias", "rows": [36, 54]},
      {"op": "attention", "query": "q", "key": "k", "value": "v", "output": "y", "heads": 3, "causal": true},
      {"op": "add", "inputs": ["t", "y"], "output": "s"},
      {"op": "add", "inputs": ["s", "s"], "output": "twice"},
      {"op": "gelu", "input": "twice", "output": "g"},
      {"op": "add", "inputs": ["s", "g"], "output": "u"},
      {"op": "last_row", "input": "u", "output": "r"},
      {"op": "silu", "input": "r", "output": "a"},
      {"op": "linear", "input": "a", "output": "logit", "weight": "head", "bias": "head_bias"}
    ])")},
                    {"output", "logit"}};
  drawn.random_tensor("mean", {kWidth});
  drawn.random_tensor("std", {kWidth}, 0.1F);
  drawn.random_tensor("project", {18, kWidth});
  drawn.random_tensor("project_bias", {18});
  drawn.random_tensor("position", {kRows, 18});
  drawn.random_tensor("gain", {18});
  drawn.random_tensor("shift", {18});
  drawn.random_tensor("qkv", {54, 18});
  drawn.random_tensor("qkv_bias", {54});
  drawn.random_tensor("head", {1, 18});
  drawn.random_tensor("head_bias", {1});
}

std::vector<float> random_inputs(std::size_t count) {
  std::mt19937 random(2);
  std::normal_distribution<float> number;
  std::vector<float> inputs(count);
  for (float& x : inputs) x = number(random);
  return inputs;
}

std::vector<std::uint32_t> bits(const std::vector<float>& values) {
  std::vector<std::uint32_t> found;
  for (const float value : values) found.push_back(std::bit_cast<std::uint32_t>(value));
  return found;
}

std::vector<float> forward(const Model& model, const std::vector<float>& inputs, std::size_t step, std::size_t count,
                           const InputShape& shape = kSequence) {
  std::vector<float> logits(count);
  model.forward({inputs, step}, shape, logits);
  return logits;
}

}  // namespace

TEST_CASE("a graph computes what it says") {
  DrawnGraph drawn;
  draw_small(drawn);
  const NativeModel model = drawn.model();
  const InputShape shape{.width = 2};
  // z = (1, 0.5): 2 - 0.5 + 0.5 = 2, then 5. z = (-3, 3), clipped: -6 - 3 + 0.5 < 0, then -1.
  CHECK(forward(model, {3.0F, 2.0F, -99.0F, 99.0F}, 2, 2, shape) == std::vector<float>{5.0F, -1.0F});
}

TEST_CASE("bits of a window depend on nothing beside it") {
  DrawnGraph drawn;
  draw_block(drawn);
  const NativeModel model = drawn.model();
  constexpr std::size_t kCount = 2048;
  const std::vector<float> inputs = random_inputs(kCount * kWindow);
  const auto all = bits(forward(model, inputs, kWindow, kCount));
  for (const std::size_t chunk : {1, 3, 100, 1500}) {
    CAPTURE(chunk);
    std::vector<float> found(kCount);
    for (std::size_t i = 0; i < kCount; i += chunk)
      model.forward({std::span(inputs).subspan(i * kWindow), kWindow}, kSequence,
                    std::span(found).subspan(i, std::min(chunk, kCount - i)));
    CHECK(bits(found) == all);
  }
  for (const int threads : {2, 3, 5}) {
    CAPTURE(threads);
    CHECK(bits(forward(drawn.model(threads), inputs, kWindow, kCount)) == all);
  }
}

TEST_CASE("windows that overlap give the bits of their copies") {
  DrawnGraph drawn;
  draw_block(drawn);
  const NativeModel model = drawn.model();
  constexpr std::size_t kCount = 300;
  const std::vector<float> rows = random_inputs((kCount + kRows - 1) * kWidth);
  std::vector<float> copies;
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto window = std::span(rows).subspan(i * kWidth, kWindow);
    copies.insert(copies.end(), window.begin(), window.end());
  }
  CHECK(bits(forward(model, rows, kWidth, kCount)) == bits(forward(model, copies, kWindow, kCount)));
}

TEST_CASE("several threads may ask one model at once") {
  DrawnGraph drawn;
  draw_block(drawn);
  const NativeModel model = drawn.model(2);
  const std::vector<float> inputs = random_inputs(512 * kWindow);
  const auto expected = bits(forward(model, inputs, kWindow, 512));
  std::vector<std::vector<float>> found(4);
  {
    std::vector<std::jthread> callers;
    for (auto& logits : found) callers.emplace_back([&] { logits = forward(model, inputs, kWindow, 512); });
  }
  for (const auto& logits : found) CHECK(bits(logits) == expected);
}

TEST_CASE("no windows are no logits") {
  DrawnGraph drawn;
  draw_block(drawn);
  CHECK(forward(drawn.model(), {}, kWindow, 0).empty());
}

TEST_CASE("a model refuses windows of another shape, too few numbers, and what is not finite") {
  DrawnGraph drawn;
  draw_block(drawn);
  const NativeModel model = drawn.model();
  std::vector<float> inputs = random_inputs(3 * kWindow);
  CHECK_THROWS_WITH_AS((void)forward(model, inputs, 5, 1, {.width = 5}),
                       "takes windows of the shape [B, 7, 5], found [B, 5]", ModelError);
  CHECK_THROWS_WITH_AS((void)forward(model, inputs, kWindow, 4), "needs 140 numbers for 4 windows, found 105",
                       ModelError);
  inputs[2 * kWindow + 3] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS((void)forward(model, inputs, kWindow, 3), "needs finite inputs, found nan in window 2",
                       ModelError);
  inputs[2 * kWindow + 3] = -std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH_AS((void)forward(model, inputs, kWindow, 3), "needs finite inputs, found -inf in window 2",
                       ModelError);
  CHECK_NOTHROW((void)forward(model, inputs, kWindow, 2));
}

TEST_CASE("a logit that is not finite is refused") {
  DrawnGraph drawn;
  draw_small(drawn);
  drawn.weights[4] = 3e38F;  // of the weight
  drawn.weights[7] = 3e38F;  // the slope
  const NativeModel model = drawn.model();
  CHECK_THROWS_WITH_AS((void)forward(model, {9.0F, 1.0F}, 2, 1, {.width = 2}), "must give finite logits, found inf",
                       ModelError);
}

TEST_CASE("a graph that is not right is refused by the place of the fault") {
  struct Fault {
    const char* path;
    json value;
    const char* message;
  };
  const json deep = json::array({1, 1, 1});
  const std::vector<Fault> faults = {
      {"/format", "onnx", R"(model.json: format: must be "sentio-graph", found "onnx")"},
      {"/format_version", "2.0", R"(model.json: format_version: must be "1.0", found "2.0")"},
      {"/extra", 1, "model.json: unknown key 'extra'; known: format, format_version, input, tensors, nodes, output"},
      {"/input", 3, "model.json: input: must be an object, found 3"},
      {"/input/layout", "FB", R"(model.json: input.layout: must be "BF" or "BTF", found "FB")"},
      {"/input/sequence_length", 2, "model.json: input.sequence_length: must be a whole number from 1 to 1, found 2"},
      {"/input/width", 3, "model.json: nodes[0].mean: must have the shape [3], 'mean' has [2]"},
      {"/input/width", -1, "model.json: input.width: must be a whole number from 1 to 65536, found -1"},
      {"/tensors", json::array(), "model.json: tensors: must hold 1 to 4096 items, found 0"},
      {"/tensors/1/name", "mean", "model.json: tensors[1].name: 'mean' is defined twice"},
      {"/tensors/1/shape", deep, "model.json: tensors[1].shape: must be a list of at most 2 sides, found [1,1,1]"},
      {"/tensors/2/shape",
       {65536, 65536},
       "model.json: tensors[2].shape: all tensors must hold at most 67108864 numbers"},
      {"/tensors/2/shape",
       {18446744073709551615U, 2},
       "model.json: tensors[2].shape[0]: must be a whole number from 1 to 65536, found 18446744073709551615"},
      {"/tensors/2/shape", {2, 2}, "weights.bin: must have 44 bytes, as model.json's tensors do, found 36"},
      {"/nodes/1/op", "liner", "model.json: nodes[1].op: unknown op 'liner'; did you mean 'linear'?"},
      {"/nodes/1", "linear", R"(model.json: nodes[1]: must be an object, found "linear")"},
      {"/nodes/1/wieght", 1, "model.json: nodes[1]: unknown key 'wieght'; did you mean 'weight'?"},
      {"/nodes/1/weight", "weigth",
       "model.json: nodes[1].weight: no tensor is called 'weigth'; did you mean 'weight'?"},
      {"/nodes/1/weight", "mean", "model.json: nodes[1].weight: must have the shape [outputs, 2], 'mean' has [2]"},
      {"/nodes/1/bias", "std", "model.json: nodes[1].bias: must have the shape [1], 'std' has [2]"},
      {"/nodes/1/rows", {0, 2}, "model.json: nodes[1].rows[1]: must be a whole number from 1 to 1, found 2"},
      {"/nodes/1/input", "a", "model.json: nodes[1].input: 'a' is not defined before it is read; did you mean 'x'?"},
      {"/nodes/1/input", "x",
       "model.json: nodes[1].input: must be a value that a node made; normalise alone reads the input"},
      {"/nodes/1/output", "z", "model.json: nodes[1].output: 'z' is defined twice"},
      {"/nodes/1/output", "", R"(model.json: nodes[1].output: must be a name of 1 to 200 characters, found "")"},
      {"/nodes/0/clip", 0, "model.json: nodes[0].clip: must be a number from 1e-12 to 1e+12, found 0"},
      {"/nodes/3/scale", "bias", "model.json: nodes[3].scale: must have the shape [], 'bias' has [1]"},
      {"/nodes/3/input", "z", "model.json: nodes[3].input: must have rows of one number, 'z' has the shape [1, 2]"},
      {"/output", "z", "model.json: output: must have the shape [1, 1] in each window, 'z' has [1, 2]"},
      {"/output", 7, "model.json: output: must be a name of 1 to 200 characters, found 7"},
  };
  for (const Fault& fault : faults) {
    DrawnGraph drawn;
    draw_small(drawn);
    drawn.document[json::json_pointer(fault.path)] = fault.value;
    drawn.check_refused(fault.message);
  }
}

TEST_CASE("a block that is not right is refused by the place of the fault") {
  struct Fault {
    const char* path;
    json value;
    const char* message;
  };
  const std::vector<Fault> faults = {
      {"/nodes/8/heads", 4, "model.json: nodes[8].heads: must divide the width, 18, found 4"},
      {"/nodes/8/heads", 0, "model.json: nodes[8].heads: must be a whole number from 1 to 18, found 0"},
      {"/nodes/8/causal", 1, "model.json: nodes[8].causal: must be true or false, found 1"},
      {"/nodes/6/rows",
       {20, 36},
       "model.json: nodes[8].key: must be as wide as the query, 18, 'k' has the shape [7, 16]"},
      {"/nodes/7/rows",
       {38, 54},
       "model.json: nodes[8].value: must have the shape of the key, [7, 18], 'v' has [7, 16]"},
      {"/nodes/9/inputs",
       {"t", "z"},
       "model.json: nodes[9].inputs: must have one shape, 't' has [7, 18], 'z' has [7, 5]"},
      {"/nodes/9/inputs", {"t"}, R"(model.json: nodes[9].inputs: must be a list of two values, found ["t"])"},
      {"/nodes/2/position", "project",
       "model.json: nodes[2].position: must have the shape [7, 18], 'project' has [18, 5]"},
      {"/nodes/4/epsilon", 0, "model.json: nodes[4].epsilon: must be a number from 1e-12 to 1e+12, found 0"},
  };
  for (const Fault& fault : faults) {
    DrawnGraph drawn;
    draw_block(drawn);
    drawn.document[json::json_pointer(fault.path)] = fault.value;
    drawn.check_refused(fault.message);
  }
}

TEST_CASE("weights that are no numbers are refused by name") {
  for (const auto& [place, number, message] :
       {std::tuple{5U, std::numeric_limits<float>::quiet_NaN(),
                   "weights.bin: weight[1]: must be a finite number, found nan"},
        std::tuple{6U, -std::numeric_limits<float>::infinity(),
                   "weights.bin: bias[0]: must be a finite number, found inf"},
        std::tuple{3U, 0.0F, "weights.bin: std[1]: must be above 0, as a standard deviation is, found 0"}}) {
    DrawnGraph drawn;
    draw_small(drawn);
    drawn.weights[place] = number;
    drawn.check_refused(message);
  }
}

TEST_CASE("weights that are fewer than the tensors, or more, are refused") {
  DrawnGraph drawn;
  draw_small(drawn);
  drawn.weights.pop_back();
  drawn.check_refused("weights.bin: must have 36 bytes, as model.json's tensors do, found 32");
  drawn.weights.resize(10);
  drawn.check_refused("weights.bin: must have 36 bytes, as model.json's tensors do, found 40");
}

TEST_CASE("a graph that needs too much memory or time for a window is refused before it takes any") {
  DrawnGraph drawn;
  drawn.document = {{"format", "sentio-graph"},
                    {"format_version", "1.0"},
                    {"input", {{"layout", "BTF"}, {"sequence_length", 65536}, {"width", 1}}},
                    {"tensors", json::array()},
                    {"nodes", json::parse(R"([
      {"op": "normalise", "input": "x", "output": "z", "mean": "mean", "std": "std", "clip": 3.0},
      {"op": "linear", "input": "z", "output": "wide", "weight": "expand", "bias": "bias"},
      {"op": "linear", "input": "wide", "output": "wider", "weight": "mix", "bias": "bias"},
      {"op": "last_row", "input": "wide", "output": "last"},
      {"op": "linear", "input": "last", "output": "logit", "weight": "head", "bias": "head_bias"}
    ])")},
                    {"output", "logit"}};
  drawn.random_tensor("mean", {1});
  drawn.random_tensor("std", {1}, 0.1F);
  drawn.random_tensor("expand", {1024, 1});
  drawn.random_tensor("bias", {1024});
  drawn.random_tensor("mix", {1024, 1024});
  drawn.random_tensor("head", {1, 1024});
  drawn.random_tensor("head_bias", {1});
  drawn.check_refused("model.json: nodes: must need at most 68719476736 operations for a window, found 68786653184");
  drawn.document["nodes"].erase(2);
  CHECK_THROWS_WITH_AS((void)drawn.model(),
                       "drawn/model.json: nodes: the values of a window must take at most 67108864 floats", InputError);
}

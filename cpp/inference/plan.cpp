#include "inference/plan.hpp"

#include <algorithm>

#include "bars/error.hpp"

namespace sentio {
namespace {

bool in_place(GraphOp op) {
  switch (op) {
    case GraphOp::gelu:
    case GraphOp::relu:
    case GraphOp::silu:
    case GraphOp::tanh:
    case GraphOp::add_position:
    case GraphOp::add: return true;
    default: return false;
  }
}

std::size_t floats(const GraphValue& value) { return value.rows * padded(value.width); }

/// The node that reads each value last; the output is read after all of them.
std::vector<std::size_t> last_readers(const Network& network) {
  std::vector<std::size_t> last(network.values.size(), 0);
  for (std::size_t i = 0; i < network.nodes.size(); ++i)
    for (const std::size_t input : network.nodes[i].inputs) last[input] = i;
  last[network.output] = network.nodes.size();
  return last;
}

void require(bool fits, std::size_t most, const std::string& what, const std::string& where) {
  if (!fits) throw InputError(where + ": nodes: " + what + " must take at most " + std::to_string(most) + " floats");
}

}  // namespace

/// Places for values: one that is not read any more makes room for the next.
class Plan::Memory {
 public:
  /// A place for `size` floats: the free one that fits closest, else the largest free one, made larger.
  std::size_t take(std::size_t size) {
    std::size_t best = places_.size();
    for (std::size_t i = 0; i < places_.size(); ++i)
      if (!places_[i].taken && (best == places_.size() || fits_better(places_[i].size, places_[best].size, size)))
        best = i;
    if (best == places_.size()) places_.push_back({});
    places_[best] = {.size = std::max(places_[best].size, size), .taken = true};
    return best;
  }

  void give_back(std::size_t place) { places_[place].taken = false; }

  /// Where each place begins, and, at the end, where all end.
  [[nodiscard]] std::vector<std::size_t> begins() const {
    std::vector<std::size_t> begins{0};
    for (const Place& place : places_) begins.push_back(begins.back() + place.size);
    return begins;
  }

 private:
  struct Place {
    std::size_t size = 0;
    bool taken = false;
  };

  static bool fits_better(std::size_t a, std::size_t b, std::size_t size) {
    if (a >= size && b >= size) return a < b;
    return a > b;
  }

  std::vector<Place> places_;
};

Plan::Plan(const Network& network, const std::string& where) : input_(network.input) {
  place(network);
  require(workspace(1) <= GraphLimits::kWindow, GraphLimits::kWindow, "the values of a window", where);
  for (std::size_t i = 0; i < network.nodes.size(); ++i) pack(network.nodes[i], steps_[i], where);
}

void Plan::place(const Network& network) {
  const std::vector<std::size_t> last = last_readers(network);
  Memory memory;
  std::vector<std::size_t> place_of(network.values.size());
  for (std::size_t i = 0; i < network.nodes.size(); ++i) {
    const GraphNode& node = network.nodes[i];
    const GraphValue &read = network.values[node.inputs[0]], &made = network.values[node.output];
    Step step{.op = node.op,
              .rows = read.rows,
              .made_rows = made.rows,
              .width = read.width,
              .made_width = made.width,
              .number = node.number,
              .heads = node.heads,
              .causal = node.causal};
    if (node.op == GraphOp::attention) {
      step.rows = network.values[node.inputs[1]].rows;
      scratch_ = std::max(scratch_, padded(attention_scratch(step.rows, step.width / step.heads)));
    }
    std::vector<std::size_t> inputs = node.inputs;
    const auto dies = [&](std::size_t input) { return last[input] == i; };
    // A sum is the same in either order, so that either may be overwritten.
    if (node.op == GraphOp::add && !dies(inputs[0])) std::swap(inputs[0], inputs[1]);
    const bool twice = inputs.size() == 2 && inputs[0] == inputs[1];
    const bool overwrites = in_place(node.op) && dies(inputs[0]) && !twice;
    step.copies = in_place(node.op) && !overwrites;
    const bool from_input = node.op == GraphOp::normalise;
    place_of[node.output] = overwrites ? place_of[inputs[0]] : memory.take(floats(made));
    for (std::size_t j = 0; j < inputs.size() && !from_input; ++j) {
      step.inputs[j] = place_of[inputs[j]];
      if (dies(inputs[j]) && !(overwrites && j == 0)) memory.give_back(place_of[inputs[j]]);
    }
    if (last[node.output] == 0) memory.give_back(place_of[node.output]);  // nobody reads it
    step.output = place_of[node.output];
    steps_.push_back(step);
  }
  const std::vector<std::size_t> begins = memory.begins();
  for (Step& step : steps_) {
    for (std::size_t& input : step.inputs) input = begins[input];
    step.output = begins[step.output];
  }
  output_ = begins[place_of[network.output]];
  window_ = begins.back();
}

void Plan::pack(const GraphNode& node, Step& step, const std::string& where) {
  const auto row = [&](std::span<const float> numbers, float padding = 0.0F) {
    return append(numbers, 1, padding, where);
  };
  switch (node.op) {
    case GraphOp::normalise:
      step.first = row(node.first);
      step.second = row(node.second, 1.0F);  // cells of padding are divided too
      break;
    case GraphOp::linear: {
      std::vector<float> transposed(node.first.size());
      for (std::size_t i = 0; i < step.made_width; ++i)
        for (std::size_t j = 0; j < step.width; ++j)
          transposed[j * step.made_width + i] = node.first[i * step.width + j];
      step.first = append(transposed, step.width, 0.0F, where);
      step.second = row(node.second);
      break;
    }
    case GraphOp::add_position: step.first = append(node.first, step.rows, 0.0F, where); break;
    case GraphOp::layer_norm:
    case GraphOp::affine:
      step.first = row(node.first);
      step.second = row(node.second);
      break;
    default: break;
  }
}

std::size_t Plan::append(std::span<const float> numbers, std::size_t rows, float padding, const std::string& where) {
  const std::size_t begin = weights_.size(), width = numbers.size() / rows;
  const std::size_t end = begin + rows * padded(width);
  require(end <= GraphLimits::kWeights, GraphLimits::kWeights, "their weights, rows padded,", where);
  weights_.resize(end, padding);
  for (std::size_t i = 0; i < rows; ++i)
    std::ranges::copy(numbers.subspan(i * width, width),
                      weights_.begin() + static_cast<std::ptrdiff_t>(begin + i * padded(width)));
  return begin;
}

void Plan::run(const Kernels& kernels, const float* values, std::size_t step_of_windows, float* workspace,
               std::span<float> logits) const {
  const std::size_t windows = logits.size();
  for (const Step& step : steps_) {
    const auto input = [&](std::size_t i) { return workspace + windows * step.inputs[i]; };
    float* const out = workspace + windows * step.output;
    const float *const first = weights_.data() + step.first, *const second = weights_.data() + step.second;
    const std::size_t rows = windows * step.rows, row = padded(step.width), made_row = padded(step.made_width);
    const std::size_t made = windows * step.made_rows * made_row;
    if (step.copies) std::copy_n(input(0), made, out);
    switch (step.op) {
      case GraphOp::normalise: normalise(kernels, step, values, step_of_windows, windows, out); break;
      case GraphOp::linear:
      case GraphOp::affine:  // one number of each row: shift + scale x is what a layer with one input computes
        kernels.linear(input(0), rows, step.width, first, second, step.made_width, out);
        break;
      case GraphOp::gelu: kernels.gelu(out, made); break;
      case GraphOp::relu: kernels.relu(out, made); break;
      case GraphOp::silu: kernels.silu(out, made); break;
      case GraphOp::tanh: kernels.tanh(out, made); break;
      case GraphOp::add_position:
        for (std::size_t i = 0; i < windows; ++i) kernels.add(first, step.rows * row, out + i * step.rows * row);
        break;
      case GraphOp::layer_norm: kernels.layer_norm(input(0), rows, step.width, first, second, step.number, out); break;
      case GraphOp::last_row:
        for (std::size_t i = 0; i < windows; ++i)
          std::copy_n(input(0) + ((i + 1) * step.rows - 1) * row, row, out + i * row);
        break;
      case GraphOp::attention:
        for (std::size_t i = 0; i < windows; ++i) {
          const std::size_t query = i * step.made_rows * row, key = i * step.rows * row;
          kernels.attention(input(0) + query, row, input(1) + key, row, input(2) + key, row, step.made_rows, step.rows,
                            step.heads, step.width / step.heads, step.causal, workspace + windows * window_,
                            out + query);
        }
        break;
      case GraphOp::add: kernels.add(input(1), made, out); break;
    }
  }
  for (std::size_t i = 0; i < windows; ++i) logits[i] = workspace[windows * output_ + i * kRowUnit];
}

void Plan::normalise(const Kernels& kernels, const Step& step, const float* values, std::size_t distance,
                     std::size_t windows, float* out) const {
  const float *const mean = weights_.data() + step.first, *const std = weights_.data() + step.second;
  if (distance == step.rows * step.width) {
    kernels.normalise(values, windows * step.rows, step.width, mean, std, step.number, out);
    return;
  }
  for (std::size_t i = 0; i < windows; ++i)
    kernels.normalise(values + i * distance, step.rows, step.width, mean, std, step.number,
                      out + i * step.rows * padded(step.width));
}

}  // namespace sentio

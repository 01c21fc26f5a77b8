// The library sentio_torch: the only file that includes LibTorch.

#include <ATen/Parallel.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "inference/torch_api.hpp"

namespace sentio {
namespace {

struct LoadedModule {
  // Running a module is logically const, and LibTorch does not say so.
  mutable torch::jit::Module module;
  at::Device device;
};

/// The first line of what LibTorch says, without its stack.
std::string first_line(const std::exception& error) {
  const auto* const torch_error = dynamic_cast<const c10::Error*>(&error);
  const std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  return text.substr(0, text.find('\n'));
}

std::string shape_text(at::IntArrayRef sizes) {
  std::string text = "[";
  for (const std::int64_t size : sizes) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

void put(const std::string& message, char* error, std::size_t size) {
  const std::size_t count = std::min(message.size(), size - 1);
  std::copy_n(message.data(), count, error);
  error[count] = '\0';
}

void* load(const char* path, const char* device, char* error, std::size_t error_size) {
  try {
    const at::Device target(device);
    // A model that was saved on another device comes onto this one.
    auto loaded = std::make_unique<LoadedModule>(LoadedModule{torch::jit::load(path, target), target});
    loaded->module.eval();
    return loaded.release();
  } catch (const std::exception& fault) {
    put("is not a TorchScript archive that can be loaded: " + first_line(fault), error, error_size);
    return nullptr;
  }
}

void release(void* model) { delete static_cast<LoadedModule*>(model); }

at::Tensor run(const LoadedModule& loaded, const at::Tensor& input) {
  const c10::InferenceMode inference;
  // Optimised graphs may round differently from the third call on; plain ones give the same bits from the first.
  const torch::jit::GraphOptimizerEnabledGuard plain(false);
  const c10::IValue value = loaded.module.forward({input.to(loaded.device)});
  if (!value.isTensor()) throw std::runtime_error("must give a tensor, found " + value.tagKind());
  return value.toTensor();
}

bool forward(const void* model, const float* windows, std::int64_t step, const std::int64_t* sizes, int dimensions,
             float* logits, char* error, std::size_t error_size) {
  const std::vector<std::int64_t> shape(sizes, sizes + dimensions);
  std::vector<std::int64_t> strides{step};
  if (dimensions == 3) strides.push_back(shape.back());
  strides.push_back(1);
  at::Tensor output;
  try {
    // from_blob takes no const pointer; forward passes do not write their input.
    const at::Tensor input = torch::from_blob(const_cast<float*>(windows), shape, strides, at::kFloat).contiguous();
    output = run(*static_cast<const LoadedModule*>(model), input);
  } catch (const std::exception& fault) {
    put("fails on an input of shape " + shape_text(shape) + ": " + first_line(fault), error, error_size);
    return false;
  }
  if (output.dim() != 2 || output.size(0) != shape.front() || output.size(1) != 1) {
    put("must give logits of shape [" + std::to_string(shape.front()) + ", 1], found " + shape_text(output.sizes()),
        error, error_size);
    return false;
  }
  const at::Tensor flat = output.to(at::kCPU, at::kFloat).contiguous();
  std::copy_n(flat.data_ptr<float>(), shape.front(), logits);
  return true;
}

void set_threads(int count) { at::set_num_threads(count); }

constexpr TorchApi kApi{
    .version = kTorchApiVersion, .load = load, .release = release, .forward = forward, .set_threads = set_threads};

}  // namespace
}  // namespace sentio

extern "C" __attribute__((visibility("default"))) const sentio::TorchApi* sentio_torch_api() { return &sentio::kApi; }

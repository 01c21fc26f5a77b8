#include "inference/model.hpp"

#include <ATen/Parallel.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <algorithm>
#include <cmath>

namespace sentio {
namespace {

/// The first line of what LibTorch says, without its stack.
std::string first_line(const std::exception& error) {
  const auto* const torch_error = dynamic_cast<const c10::Error*>(&error);
  const std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  return text.substr(0, text.find('\n'));
}

std::string shape_text(const at::Tensor& tensor) {
  std::string text = "[";
  for (const std::int64_t size : tensor.sizes()) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

}  // namespace

struct TorchModel::Impl {
  // Running a module is logically const, and LibTorch does not say so.
  mutable torch::jit::Module module;
};

TorchModel::TorchModel(const std::filesystem::path& path) {
  try {
    // A model that was saved on another device comes onto the CPU.
    impl_ = std::make_unique<Impl>(Impl{torch::jit::load(path.string(), at::Device(at::kCPU))});
    impl_->module.eval();
  } catch (const std::exception& error) {
    throw ModelError("is not a TorchScript archive that can be loaded: " + first_line(error));
  }
}

TorchModel::~TorchModel() = default;
TorchModel::TorchModel(TorchModel&&) noexcept = default;
TorchModel& TorchModel::operator=(TorchModel&&) noexcept = default;

void TorchModel::forward(std::span<const float> windows, const InputShape& shape, std::span<float> logits) const {
  const c10::InferenceMode inference;
  // Optimised graphs may round differently from the third call on; plain ones give the same bits from the first.
  const torch::jit::GraphOptimizerEnabledGuard plain(false);
  const auto batch = static_cast<std::int64_t>(logits.size());
  const std::vector<std::int64_t> sizes = shape.sequence
                                              ? std::vector<std::int64_t>{batch, shape.sequence_length, shape.width}
                                              : std::vector<std::int64_t>{batch, shape.width};
  at::Tensor output;
  try {
    // from_blob takes no const pointer; forward passes do not write their input.
    const at::Tensor input = torch::from_blob(const_cast<float*>(windows.data()), sizes, at::kFloat);
    const c10::IValue value = impl_->module.forward({input});
    if (!value.isTensor()) throw ModelError("must give a tensor, found " + value.tagKind());
    output = value.toTensor();
  } catch (const ModelError&) {
    throw;
  } catch (const std::exception& error) {
    throw ModelError("fails on an input of shape " + shape_text(torch::empty(sizes)) + ": " + first_line(error));
  }
  if (output.dim() != 2 || output.size(0) != batch || output.size(1) != 1)
    throw ModelError("must give logits of shape [" + std::to_string(batch) + ", 1], found " + shape_text(output));
  const at::Tensor flat = output.to(at::kCPU, at::kFloat).contiguous();
  std::copy_n(flat.data_ptr<float>(), logits.size(), logits.begin());
  for (const float logit : logits)
    if (!std::isfinite(logit)) throw ModelError("must give finite logits, found " + std::to_string(logit));
}

ModelThreads::ModelThreads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
ModelThreads::~ModelThreads() { at::set_num_threads(before_); }

}  // namespace sentio

// Logits by LibTorch in its own best way: a frozen TorchScript module, or packages that AOTInductor compiled.
// Usage: with_libtorch frozen MODEL.pt ROWS.f32 F [T]
//        with_libtorch aotinductor ONE.pt2,MANY.pt2 ROWS.f32 F [T]: one for batch 1, the other for all others

#include <ATen/Parallel.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/script.h>

#include <iostream>
#include <span>
#include <string>
#include <string_view>

#include "answering.hpp"

namespace {

using namespace sentio;

/// Runs rows of the shape `row`, [F] or [T, F], by `run`, a tensor to a tensor of as many logits.
int answer(const std::vector<float>& values, const std::vector<std::int64_t>& row, auto&& run) {
  std::size_t row_size = 1;
  for (const std::int64_t size : row) row_size *= static_cast<std::size_t>(size);
  return bench::answer(values, row_size, [&](std::span<const float> x, std::span<float> logits) {
    std::vector<std::int64_t> shape{static_cast<std::int64_t>(logits.size())};
    shape.insert(shape.end(), row.begin(), row.end());
    // from_blob takes no const pointer; forward passes do not write their input.
    const at::Tensor input = torch::from_blob(const_cast<float*>(x.data()), shape, at::kFloat);
    const at::Tensor output = run(input).contiguous();
    std::copy_n(output.template data_ptr<float>(), logits.size(), logits.begin());
  });
}

int answer_frozen(const std::string& path, const std::vector<float>& values, const std::vector<std::int64_t>& row) {
  torch::jit::Module module = torch::jit::load(path, at::kCPU);
  module.eval();
  module = torch::jit::optimize_for_inference(module);  // freezes it too
  return answer(values, row, [&](const at::Tensor& input) { return module.forward({input}).toTensor(); });
}

int answer_compiled(const std::string& paths, const std::vector<float>& values, const std::vector<std::int64_t>& row) {
  using torch::inductor::AOTIModelPackageLoader;
  constexpr bool kOneThread = true;
  const std::size_t comma = paths.find(',');
  AOTIModelPackageLoader one(paths.substr(0, comma), "model", kOneThread);
  AOTIModelPackageLoader many(paths.substr(comma + 1), "model", kOneThread);
  return answer(values, row, [&](const at::Tensor& input) {
    AOTIModelPackageLoader& loader = input.size(0) == 1 ? one : many;
    return loader.run({input}).front();
  });
}

}  // namespace

int main(int count, char** arguments) {
  const std::span<char*> given(arguments, static_cast<std::size_t>(count));
  if (given.size() != 5 && given.size() != 6) {
    std::cerr << "usage: with_libtorch frozen|aotinductor MODEL ROWS.f32 F [T]\n";
    return 2;
  }
  at::set_num_threads(1);
  at::set_num_interop_threads(1);
  const c10::InferenceMode inference;
  const std::vector<float> values = sentio::bench::read_floats(given[3]);
  std::vector<std::int64_t> row{std::stoll(given[4])};
  if (given.size() == 6) row.insert(row.begin(), std::stoll(given[5]));
  const bool frozen = std::string_view(given[1]) == "frozen";
  return frozen ? answer_frozen(given[2], values, row) : answer_compiled(given[2], values, row);
}

#include "inference/torch_model.hpp"

#include <dlfcn.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "bars/error.hpp"

namespace sentio {
namespace {

constexpr std::size_t kErrorSize = 2048;
#ifdef __APPLE__
constexpr const char* kLibrary = "@rpath/libsentio_torch.so";
#else
constexpr const char* kLibrary = "libsentio_torch.so";  // found by the run path of this program
#endif

const TorchApi& open_library() {
  // Its own dlerror() says which library was not found, or which symbol it lacks.
  constexpr const char* kRemedy =
      "; it is built with SENTIO_TORCH=ON, lies beside this program or in its Python's site-packages, and needs the "
      "torch package that it was built with in the same folder";
  void* const library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw ModelError(std::string("needs LibTorch, and ") + dlerror() + kRemedy);
  using Entry = const TorchApi* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(library, kTorchApiSymbol));
  if (entry == nullptr) throw ModelError(std::string("needs LibTorch, and ") + dlerror() + kRemedy);
  const TorchApi* const api = entry();
  if (api->version != kTorchApiVersion)
    throw ModelError(std::string("needs LibTorch, and ") + kLibrary + " must have version " +
                     std::to_string(kTorchApiVersion) + ", found " + std::to_string(api->version) +
                     ": build it together with this program");
  return *api;
}

const TorchApi& torch_api() {
  static const TorchApi& api = open_library();  // stays open: LibTorch does not survive being closed
  return api;
}

}  // namespace

TorchModel::TorchModel(const std::filesystem::path& path, const ModelOptions& options) : api_(torch_api()) {
  std::array<char, kErrorSize> error{};
  if (!api_.find_device(options.device.c_str(), error.data(), error.size())) throw std::invalid_argument(error.data());
  model_ = api_.load(path.c_str(), options.device.c_str(), options.threads, error.data(), error.size());
  if (model_ == nullptr) throw ModelError(printable(error.data()));
}

TorchModel::~TorchModel() { api_.release(model_); }

void TorchModel::forward(const Windows& windows, const InputShape& shape, std::span<float> logits) const {
  std::vector<std::int64_t> sizes{static_cast<std::int64_t>(logits.size())};
  if (shape.sequence) sizes.push_back(shape.sequence_length);
  sizes.push_back(shape.width);
  std::array<char, kErrorSize> error{};
  if (!api_.forward(model_, windows.values.data(), static_cast<std::int64_t>(windows.step), sizes.data(),
                    static_cast<int>(sizes.size()), logits.data(), error.data(), error.size()))
    throw ModelError(printable(error.data()));
  for (const float logit : logits)
    if (!std::isfinite(logit)) throw ModelError("must give finite logits, found " + std::to_string(logit));
}

}  // namespace sentio

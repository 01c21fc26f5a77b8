#pragma once

#include <filesystem>

#include "inference/model.hpp"
#include "inference/torch_api.hpp"

namespace sentio {

/// A TorchScript module, run by LibTorch. The library that includes it, sentio_torch, is loaded by the first of these.
class TorchModel final : public Model {
 public:
  /// @throws ModelError if the library cannot be loaded, or the archive is cut off, holds what TorchScript does not
  ///         write, or is none. std::invalid_argument if the device is not there.
  TorchModel(const std::filesystem::path& path, const ModelOptions& options);
  ~TorchModel() override;

  [[nodiscard]] std::string_view backend() const override { return "torch"; }
  void forward(const Windows& windows, const InputShape& shape, std::span<float> logits) const override;

 private:
  const TorchApi& api_;
  void* model_;
};

}  // namespace sentio

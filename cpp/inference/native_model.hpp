#pragma once

#include <memory>

#include "inference/graph.hpp"
#include "inference/model.hpp"

namespace sentio {

/// The built-in evaluator: a network as model.json draws it, with the numbers of weights.bin. Its logits do not depend
/// on the batch, the number of threads, the compiler or the processor.
class NativeModel final : public Model {
 public:
  /// @throws InputError that begins with the file at fault.
  NativeModel(const GraphFiles& files, const ModelOptions& options);
  ~NativeModel() override;

  [[nodiscard]] std::string_view backend() const override { return "native"; }

  /// @throws ModelError if the graph takes another shape, or an input or a logit is not finite.
  void forward(const Windows& windows, const InputShape& shape, std::span<float> logits) const override;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace sentio

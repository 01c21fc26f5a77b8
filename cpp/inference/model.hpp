#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

namespace sentio {

/// What a model takes for one logit.
struct InputShape {
  bool sequence = false;    ///< [B, T, F] instead of [B, F]
  int sequence_length = 1;  ///< T, rows
  int width = 0;            ///< F, features
};

/// The model cannot be loaded or run. The message is one line without a place.
class ModelError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A TorchScript module on the CPU. model.cpp is the only file that includes LibTorch.
class TorchModel {
 public:
  /// @throws ModelError if the archive is cut off or is none.
  explicit TorchModel(const std::filesystem::path& path);
  ~TorchModel();
  TorchModel(TorchModel&&) noexcept;
  TorchModel& operator=(TorchModel&&) noexcept;

  /// Raw logits, one per window.
  /// @param windows shape [logits.size(), T, F], row-major
  /// @throws ModelError if the module fails, or does not give finite numbers of shape [B, 1].
  void forward(std::span<const float> windows, const InputShape& shape, std::span<float> logits) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Limits the threads of forward passes, in the whole process, while it lives. A small network loses more by waking
/// threads than it gains.
class ModelThreads {
 public:
  explicit ModelThreads(int count);
  ~ModelThreads();
  ModelThreads(const ModelThreads&) = delete;
  ModelThreads& operator=(const ModelThreads&) = delete;

 private:
  int before_;
};

}  // namespace sentio

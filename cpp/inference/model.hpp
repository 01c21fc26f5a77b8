#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

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

/// Windows of rows, oldest row first, each `step` floats after the one before: T * F where they lie one after another,
/// F where each begins one row later.
struct Windows {
  std::span<const float> values;
  std::size_t step = 0;
};

/// What gives one logit per window.
class Model {
 public:
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  virtual ~Model() = default;

  /// "native" or "torch".
  [[nodiscard]] virtual std::string_view backend() const = 0;

  /// Raw logits, one per window. May be called by several threads at once.
  /// @throws ModelError if the model does not take the shape, fails, or does not give finite numbers of shape [B, 1].
  virtual void forward(const Windows& windows, const InputShape& shape, std::span<float> logits) const = 0;
};

/// Which code runs a model, and on what.
enum class Backend {
  automatic,  ///< native where the artifact holds its graph, else torch
  native,     ///< our own evaluator: the same bits for every batch, thread count and platform
  torch,      ///< LibTorch
};

struct ModelOptions {
  Backend backend = Backend::automatic;
  std::string device = "cpu";  ///< of LibTorch: "cpu", "cuda", "cuda:1"
  int threads = 1;             ///< of a forward pass
};

/// The backend of a name: "auto", "native", "torch". @throws std::invalid_argument for another
[[nodiscard]] Backend parse_backend(const std::string& name);

/// @throws std::invalid_argument if the device is no name of one, the native backend is to run elsewhere than on the
///         CPU, or the number of threads is out of range.
void require_valid(const ModelOptions& options);

}  // namespace sentio

#pragma once

#include <cstddef>
#include <cstdint>

namespace sentio {

/// What the library sentio_torch offers to a program that loads it while it runs: LibTorch takes long to load, and most
/// runs do not need it. C types only, so that neither side sees the other's C++ library.
///
/// Functions that fail put one line into `error` and return null or false.
struct TorchApi {
  int version;
  /// Whether LibTorch can run on the device: "cpu", "cuda", "cuda:1".
  bool (*find_device)(const char* device, char* error, std::size_t error_size);
  /// `threads` is the number of a forward pass; those of the process stay as they are.
  void* (*load)(const char* path, const char* device, int threads, char* error, std::size_t error_size);
  void (*release)(void* model);

  /// Logits of `sizes[0]` windows that lie `step` floats apart; `sizes` is {B, F} or {B, T, F}.
  bool (*forward)(const void* model, const float* windows, std::int64_t step, const std::int64_t* sizes, int dimensions,
                  float* logits, char* error, std::size_t error_size);
};

inline constexpr int kTorchApiVersion = 1;
inline constexpr const char* kTorchApiSymbol = "sentio_torch_api";  ///< const TorchApi* sentio_torch_api()

}  // namespace sentio

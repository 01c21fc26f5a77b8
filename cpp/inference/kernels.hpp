#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace sentio {

// The arithmetic of the built-in evaluator. Each function states its formula down to the order of its roundings, so
// that every set of kernels, on every processor, gives the same bits: float32, IEEE operations each rounded once, fma
// where the formula says so, and no function of libm. Values of a row never depend on the rows beside it.
//
// Matrices are row-major. A row takes padded(width) floats; cells beyond its width are 0 and stay 0 where all numbers
// are finite. Data that begin at multiples of 64 bytes are read fastest. What is not a number stays so in every
// function, and nothing traps.

/// Floats that rows are padded to a multiple of: the widest vector of the processors that we know.
inline constexpr std::size_t kRowUnit = 16;

[[nodiscard]] constexpr std::size_t padded(std::size_t width) { return (width + kRowUnit - 1) / kRowUnit * kRowUnit; }

/// One set of kernels.
struct Kernels {
  std::string_view name;  ///< "portable", "avx2", "avx512", "neon"

  /// y = min(max((x - mean) / std, -clip), clip), x without padding: [rows, width]; mean, std: [padded(width)].
  void (*normalise)(const float* x, std::size_t rows, std::size_t width, const float* mean, const float* std,
                    float clip, float* y);

  /// y[r][j]: starts at bias[j]; for k = 0, 1, ... inputs - 1 it becomes fma(x[r][k], weights[k][j], y[r][j]).
  /// weights: [inputs, padded(outputs)], transposed from the way that torch keeps them; bias: [padded(outputs)].
  void (*linear)(const float* x, std::size_t rows, std::size_t inputs, const float* weights, const float* bias,
                 std::size_t outputs, float* y);

  // In place, value by value; `count` is a multiple of kRowUnit.
  void (*gelu)(float* x, std::size_t count);  ///< x Phi(x), the exact form (Hendrycks & Gimpel 2016)
  void (*relu)(float* x, std::size_t count);
  void (*silu)(float* x, std::size_t count);  ///< x / (1 + exp(-x))
  void (*tanh)(float* x, std::size_t count);

  /// y += x.
  void (*add)(const float* x, std::size_t count, float* y);

  /// Layer normalisation over each row (Ba, Kiros & Hinton 2016): y = (x - mean) / sqrt(variance + epsilon) gain +
  /// bias, population variance; gain, bias: [padded(width)].
  void (*layer_norm)(const float* x, std::size_t rows, std::size_t width, const float* gain, const float* bias,
                     float epsilon, float* y);

  /// Scaled dot-product attention (Vaswani et al. 2017) of one window, for all heads: per head of `head_width` columns,
  /// softmax(q k' / sqrt(head_width)) v. q: [queries, width], k and v: [keys, width], y: [queries, width], where width
  /// = heads * head_width; rows of q, k and v are `q_stride`, `k_stride` and `v_stride` floats apart, which lets them
  /// be parts of one product; y is padded. Causal: query i sees keys 0 ... i + keys - queries. `scratch` holds
  /// attention_scratch(keys, head_width) floats.
  void (*attention)(const float* q, std::size_t q_stride, const float* k, std::size_t k_stride, const float* v,
                    std::size_t v_stride, std::size_t queries, std::size_t keys, std::size_t heads,
                    std::size_t head_width, bool causal, float* scratch, float* y);
};

/// Queries whose scores attention keeps at a time.
inline constexpr std::size_t kQueryBlock = 32;

/// Floats.
[[nodiscard]] std::size_t attention_scratch(std::size_t keys, std::size_t head_width);

/// Those that this processor can run, the fastest first; "portable" is always the last.
[[nodiscard]] std::span<const Kernels> available_kernels();

}  // namespace sentio

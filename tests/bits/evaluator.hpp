#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "generated.hpp"
#include "inference/kernels.hpp"

namespace sentio {

/// Every finite float but for those between two that lie 10,007 apart, of both signs, padded with 0.
inline std::vector<float> generated_floats() {
  std::vector<float> all;
  for (std::uint32_t bits = 0; bits < 0x7f800000; bits += 10'007)
    for (const std::uint32_t sign : {0x00000000u, 0x80000000u}) all.push_back(std::bit_cast<float>(bits | sign));
  all.resize(padded(all.size()));
  return all;
}

/// Rows padded with 0, of numbers between -4 and 4.
inline std::vector<float> generated_rows(Random& random, std::size_t rows, std::size_t width) {
  std::vector<float> all(rows * padded(width));
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < width; ++c)
      all[r * padded(width) + c] = static_cast<float>(random.below(1 << 24) - (1 << 23)) / static_cast<float>(1 << 21);
  return all;
}

/// What a set of kernels makes of generated numbers, all functions one after another, in shapes that fill vectors and
/// tiles and that do not.
inline std::vector<float> evaluated(const Kernels& kernels) {
  std::vector<float> results;
  const auto keep = [&](std::span<const float> y) { results.insert(results.end(), y.begin(), y.end()); };
  for (const auto function : {kernels.gelu, kernels.relu, kernels.silu, kernels.tanh}) {
    std::vector<float> x = generated_floats();
    function(x.data(), x.size());
    keep(x);
  }
  Random random(5);
  for (const std::size_t rows : {1, 2, 11})
    for (const std::size_t width : {7, 32, 55}) {
      const std::vector<float> x = generated_rows(random, rows, width), first = generated_rows(random, 1, width),
                               second = generated_rows(random, 1, width);
      std::vector<float> y(x.size());
      kernels.layer_norm(x.data(), rows, width, first.data(), second.data(), 1e-5F, y.data());
      keep(y);
      kernels.add(x.data(), x.size(), y.data());
      keep(y);
      const std::vector<float> plain = generated_rows(random, 1, rows * width);
      kernels.normalise(plain.data(), rows, width, first.data(), second.data(), 3.0F, y.data());
      keep(y);
      for (const std::size_t outputs : {1, 24, 130}) {
        const std::vector<float> weights = generated_rows(random, width, outputs),
                                 bias = generated_rows(random, 1, outputs);
        std::vector<float> products(rows * padded(outputs));
        kernels.linear(x.data(), rows, width, weights.data(), bias.data(), outputs, products.data());
        keep(products);
      }
    }
  for (const bool causal : {false, true})
    for (const std::size_t head_width : {8, 24}) {
      constexpr std::size_t kKeys = 37, kHeads = 2;
      const std::size_t width = kHeads * head_width;
      const std::vector<float> tokens = generated_rows(random, kKeys, 3 * width);
      std::vector<float> y(kKeys * padded(width)), scratch(attention_scratch(kKeys, head_width));
      const std::size_t stride = padded(3 * width);
      kernels.attention(tokens.data(), stride, tokens.data() + width, stride, tokens.data() + 2 * width, stride, kKeys,
                        kKeys, kHeads, head_width, causal, scratch.data(), y.data());
      keep(y);
    }
  return results;
}

}  // namespace sentio

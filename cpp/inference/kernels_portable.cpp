#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>

#include "inference/fused.hpp"
#include "inference/kernel_formulas.hpp"
#include "inference/kernel_sets.hpp"

namespace sentio {
namespace {

static_assert(FLT_EVAL_METHOD == 0, "floats must be evaluated as floats: compile for SSE2 and not for x87");

/// Any processor: loops that a compiler can put onto vectors of four floats or two doubles.
struct Four {
  static constexpr std::size_t kCount = 4, kRows = 1, kSums = 4;
  float of[kCount];

  template <class Function>
  static Four each(Function function) {
    Four result;
    for (std::size_t i = 0; i < kCount; ++i) result.of[i] = function(i);
    return result;
  }

  static Four all(float x) { return {{x, x, x, x}}; }
  static Four load(const float* p) {
    return each([&](std::size_t i) { return p[i]; });
  }
  static Four load_first(const float* p, std::size_t count) {
    return each([&](std::size_t i) { return i < count ? p[i] : 0.0F; });
  }
  void store(float* p) const { store_first(p, kCount); }
  void store_first(float* p, std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i) p[i] = of[i];
  }

  friend Four operator+(Four a, Four b) {
    return each([&](std::size_t i) { return a.of[i] + b.of[i]; });
  }
  friend Four operator-(Four a, Four b) {
    return each([&](std::size_t i) { return a.of[i] - b.of[i]; });
  }
  friend Four operator*(Four a, Four b) {
    return each([&](std::size_t i) { return a.of[i] * b.of[i]; });
  }
  friend Four operator/(Four a, Four b) {
    return each([&](std::size_t i) { return a.of[i] / b.of[i]; });
  }
  friend Four root(Four a) {
    return each([&](std::size_t i) { return std::sqrt(a.of[i]); });
  }
  friend Four fma(Four a, Four b, Four c) {
    return each([&](std::size_t i) { return fused(a.of[i], b.of[i], c.of[i]); });
  }
  friend Four larger(Four a, Four b) {
    return each([&](std::size_t i) { return a.of[i] > b.of[i] ? a.of[i] : b.of[i]; });
  }
  friend Four smaller(Four a, Four b) {
    return each([&](std::size_t i) { return a.of[i] < b.of[i] ? a.of[i] : b.of[i]; });
  }
  friend Four magnitude(Four a) {
    return each([&](std::size_t i) { return std::bit_cast<float>(bits(a.of[i]) & ~kSign); });
  }
  friend Four with_sign_of(Four a, Four b) {
    return each(
        [&](std::size_t i) { return std::bit_cast<float>((bits(a.of[i]) & ~kSign) | (bits(b.of[i]) & kSign)); });
  }
  friend Four first(std::size_t count, Four a, Four b) {
    return each([&](std::size_t i) { return i < count ? a.of[i] : b.of[i]; });
  }
  friend Four power_of_two(Four m) {
    return each([&](std::size_t i) { return std::bit_cast<float>((bits(m.of[i]) << 23) + bits(1.0F)); });
  }

 private:
  static constexpr std::uint32_t kSign = 0x80000000;
  static constexpr std::uint32_t bits(float x) { return std::bit_cast<std::uint32_t>(x); }
};

}  // namespace

constinit const Kernels kPortableKernels = kernels_of<Four>("portable");

}  // namespace sentio

#ifdef __aarch64__

#include <arm_neon.h>

#include "inference/kernel_formulas.hpp"
#include "inference/kernel_sets.hpp"

namespace sentio {
namespace {

/// aarch64, of which every processor has vectors and fma.
struct Quad {
  static constexpr std::size_t kCount = 4, kRows = 4, kSums = 24;  // of 32 registers
  float32x4_t of;

  static Quad all(float x) { return {vdupq_n_f32(x)}; }
  static Quad load(const float* p) { return {vld1q_f32(p)}; }
  static Quad load_first(const float* p, std::size_t count) {
    float values[kCount] = {};
    for (std::size_t i = 0; i < count; ++i) values[i] = p[i];
    return load(values);
  }
  void store(float* p) const { vst1q_f32(p, of); }
  void store_first(float* p, std::size_t count) const {
    float values[kCount];
    store(values);
    for (std::size_t i = 0; i < count; ++i) p[i] = values[i];
  }

  friend Quad operator+(Quad a, Quad b) { return {vaddq_f32(a.of, b.of)}; }
  friend Quad operator-(Quad a, Quad b) { return {vsubq_f32(a.of, b.of)}; }
  friend Quad operator*(Quad a, Quad b) { return {vmulq_f32(a.of, b.of)}; }
  friend Quad operator/(Quad a, Quad b) { return {vdivq_f32(a.of, b.of)}; }
  friend Quad root(Quad a) { return {vsqrtq_f32(a.of)}; }
  friend Quad fma(Quad a, Quad b, Quad c) { return {vfmaq_f32(c.of, a.of, b.of)}; }
  // The processor's own maximum and minimum choose otherwise between what is not a number, and between 0 and -0.
  friend Quad larger(Quad a, Quad b) { return {vbslq_f32(vcgtq_f32(a.of, b.of), a.of, b.of)}; }
  friend Quad smaller(Quad a, Quad b) { return {vbslq_f32(vcltq_f32(a.of, b.of), a.of, b.of)}; }
  friend Quad magnitude(Quad a) { return {vabsq_f32(a.of)}; }
  friend Quad with_sign_of(Quad a, Quad b) { return {vbslq_f32(vdupq_n_u32(0x80000000), b.of, a.of)}; }
  friend Quad first(std::size_t count, Quad a, Quad b) {
    constexpr std::uint32_t kLanes[kCount] = {0, 1, 2, 3};
    return {vbslq_f32(vcltq_u32(vld1q_u32(kLanes), vdupq_n_u32(static_cast<std::uint32_t>(count))), a.of, b.of)};
  }
  friend Quad power_of_two(Quad m) {
    const uint32x4_t exponent = vshlq_n_u32(vreinterpretq_u32_f32(m.of), 23);
    return {vreinterpretq_f32_u32(vaddq_u32(exponent, vreinterpretq_u32_f32(all(1.0F).of)))};
  }
};

}  // namespace

constinit const Kernels kNeonKernels = kernels_of<Quad>("neon");

}  // namespace sentio

#endif

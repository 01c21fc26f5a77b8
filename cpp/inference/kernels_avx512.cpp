#ifdef __x86_64__  // compiled with -mavx512f: see kernel_formulas.hpp for what that forbids

#include <immintrin.h>

#include "inference/kernel_formulas.hpp"
#include "inference/kernel_sets.hpp"

namespace sentio {
namespace {

/// x86-64 with AVX-512F.
struct Sixteen {
  static constexpr std::size_t kCount = 16, kRows = 8, kSums = 24;  // of 32 registers
  __m512 of;

  static Sixteen all(float x) { return {_mm512_set1_ps(x)}; }
  static Sixteen load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Sixteen load_first(const float* p, std::size_t count) { return {_mm512_maskz_loadu_ps(before(count), p)}; }
  void store(float* p) const { _mm512_storeu_ps(p, of); }
  void store_first(float* p, std::size_t count) const { _mm512_mask_storeu_ps(p, before(count), of); }

  friend Sixteen operator+(Sixteen a, Sixteen b) { return {_mm512_add_ps(a.of, b.of)}; }
  friend Sixteen operator-(Sixteen a, Sixteen b) { return {_mm512_sub_ps(a.of, b.of)}; }
  friend Sixteen operator*(Sixteen a, Sixteen b) { return {_mm512_mul_ps(a.of, b.of)}; }
  friend Sixteen operator/(Sixteen a, Sixteen b) { return {_mm512_div_ps(a.of, b.of)}; }
  friend Sixteen root(Sixteen a) { return {_mm512_sqrt_ps(a.of)}; }
  friend Sixteen fma(Sixteen a, Sixteen b, Sixteen c) { return {_mm512_fmadd_ps(a.of, b.of, c.of)}; }
  friend Sixteen larger(Sixteen a, Sixteen b) { return {_mm512_max_ps(a.of, b.of)}; }
  friend Sixteen smaller(Sixteen a, Sixteen b) { return {_mm512_min_ps(a.of, b.of)}; }
  friend Sixteen magnitude(Sixteen a) { return from(_mm512_andnot_si512(sign(), bits(a))); }
  friend Sixteen with_sign_of(Sixteen a, Sixteen b) {
    return from(_mm512_or_si512(bits(magnitude(a)), _mm512_and_si512(sign(), bits(b))));
  }
  friend Sixteen first(std::size_t count, Sixteen a, Sixteen b) {
    return {_mm512_mask_blend_ps(before(count), b.of, a.of)};
  }
  friend Sixteen power_of_two(Sixteen m) {
    return from(_mm512_add_epi32(_mm512_slli_epi32(bits(m), 23), bits(all(1.0F))));
  }

 private:
  static __m512i bits(Sixteen a) { return _mm512_castps_si512(a.of); }
  static Sixteen from(__m512i bits) { return {_mm512_castsi512_ps(bits)}; }
  static __m512i sign() { return bits(all(-0.0F)); }
  static __mmask16 before(std::size_t count) { return static_cast<__mmask16>((1U << count) - 1U); }
};

}  // namespace

constinit const Kernels kAvx512Kernels = kernels_of<Sixteen>("avx512");

}  // namespace sentio

#endif

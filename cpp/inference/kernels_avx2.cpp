#ifdef __x86_64__  // compiled with -mavx2 -mfma: see kernel_formulas.hpp for what that forbids

#include <immintrin.h>

#include "inference/kernel_formulas.hpp"
#include "inference/kernel_sets.hpp"

namespace sentio {
namespace {

/// x86-64 with AVX2 and FMA.
struct Eight {
  static constexpr std::size_t kCount = 8, kRows = 4, kSums = 12;  // of 16 registers
  __m256 of;

  static Eight all(float x) { return {_mm256_set1_ps(x)}; }
  static Eight load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Eight load_first(const float* p, std::size_t count) { return {_mm256_maskload_ps(p, before(count))}; }
  void store(float* p) const { _mm256_storeu_ps(p, of); }
  void store_first(float* p, std::size_t count) const { _mm256_maskstore_ps(p, before(count), of); }

  friend Eight operator+(Eight a, Eight b) { return {_mm256_add_ps(a.of, b.of)}; }
  friend Eight operator-(Eight a, Eight b) { return {_mm256_sub_ps(a.of, b.of)}; }
  friend Eight operator*(Eight a, Eight b) { return {_mm256_mul_ps(a.of, b.of)}; }
  friend Eight operator/(Eight a, Eight b) { return {_mm256_div_ps(a.of, b.of)}; }
  friend Eight root(Eight a) { return {_mm256_sqrt_ps(a.of)}; }
  friend Eight fma(Eight a, Eight b, Eight c) { return {_mm256_fmadd_ps(a.of, b.of, c.of)}; }
  friend Eight larger(Eight a, Eight b) { return {_mm256_max_ps(a.of, b.of)}; }
  friend Eight smaller(Eight a, Eight b) { return {_mm256_min_ps(a.of, b.of)}; }
  friend Eight magnitude(Eight a) { return {_mm256_andnot_ps(sign(), a.of)}; }
  friend Eight with_sign_of(Eight a, Eight b) { return {_mm256_or_ps(magnitude(a).of, _mm256_and_ps(sign(), b.of))}; }
  friend Eight first(std::size_t count, Eight a, Eight b) {
    return {_mm256_blendv_ps(b.of, a.of, _mm256_castsi256_ps(before(count)))};
  }
  friend Eight power_of_two(Eight m) {
    const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(m.of), 23);
    return {_mm256_castsi256_ps(_mm256_add_epi32(exponent, _mm256_castps_si256(all(1.0F).of)))};
  }

 private:
  static __m256 sign() { return _mm256_set1_ps(-0.0F); }
  /// All bits set in the lanes before `count`.
  static __m256i before(std::size_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
};

}  // namespace

constinit const Kernels kAvx2Kernels = kernels_of<Eight>("avx2");

}  // namespace sentio

#endif

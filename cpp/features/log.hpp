#pragma once

#include <bit>
#include <cfloat>
#include <cstdint>

#ifdef __FAST_MATH__
#error "features have the same bits everywhere only if arithmetic is not relaxed: compile without -ffast-math"
#endif

namespace sentio {

static_assert(FLT_EVAL_METHOD == 0, "doubles must be evaluated as doubles: compile for SSE2 and not for x87");

/// Natural logarithm of a positive, finite, normal number, with an error of at most 1 ulp.
///
/// The engine's own, so that no platform's libm decides a bit: only IEEE-754 additions, multiplications and one
/// division, without a branch. x = 2^k m with m in [sqrt(1/2), sqrt(2)); with f = m - 1 and s = f/(2+f),
/// log(1+f) = 2 atanh(s) = f - (f*f/2 - s (f*f/2 + R)), R = s*s P(s*s), P the Chebyshev fit of degree 7 of
/// 2/3 + 2/5 z + 2/7 z^2 + ... on [0, 0.0295], whose own error is 2^-63.
[[nodiscard]] inline double log_of(double x) {
  constexpr std::uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd, kExponent = 0xfff0000000000000;
  constexpr double kLn2High = 0x1.62e42fef00000p-1, kLn2Low = 0x1.473de6af278edp-34;  // k * kLn2High is exact
  // Adding an integer to the bits of 1.5 * 2^52 adds it to the number: a conversion that every vector unit has.
  constexpr std::uint64_t kMagicBits = 0x4338000000000000;
  constexpr double kMagic = 0x1.8p52;

  const auto bits = std::bit_cast<std::uint64_t>(x);
  const std::uint64_t above = bits - kSqrtHalf;
  // An arithmetic shift by 52, written without one.
  const std::uint64_t k_bits = ((above + (std::uint64_t{1} << 63)) >> 52) - 2048;
  const double k = std::bit_cast<double>(kMagicBits + k_bits) - kMagic;
  const auto m = std::bit_cast<double>(bits - (above & kExponent));

  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double p =
      0x1.5555555555555p-1 +
      z * (0x1.9999999999a38p-2 +
           z * (0x1.2492492476c87p-2 +
                z * (0x1.c71c720160b47p-3 +
                     z * (0x1.745cf901605f7p-3 +
                          z * (0x1.3b1c360763b8ap-3 + z * (0x1.0fbe83c2cbcf3p-3 + z * 0x1.0c04595972ab8p-3))))));
  const double half_square = 0.5 * f * f;
  return k * kLn2High - ((half_square - (s * (half_square + z * p) + k * kLn2Low)) - f);
}

}  // namespace sentio

#pragma once

#include <bit>
#include <cfloat>
#include <cstdint>

namespace sentio {

static_assert(FLT_EVAL_METHOD == 0, "doubles must be evaluated as doubles: compile for SSE2 and not for x87");

/// The probability that a logit stands for, 1 / (1 + exp(-logit)), to 2.5 ulp; exactly 1/2 at 0. Logits beyond ±700
/// count as ±700.
///
/// The engine's own, so that no platform's libm decides a bit: only IEEE-754 basic operations. exp(x) = 2^k exp(r),
/// |r| <= ln 2 / 2, exp(r) = 1 + r + r^2 P(r), P the minimax fit of degree 10, to 2^-56 of exp(r). It never falls where
/// the logit rises: neighbouring floats lie at least 2^-24 of themselves apart, far more than the roundings move.
[[nodiscard]] inline double sigmoid(float logit) {
  constexpr double kLog2E = 0x1.71547652b82fep+0;
  constexpr double kLn2High = 0x1.62e42fef00000p-1, kLn2Low = 0x1.473de6af278edp-34;  // k * kLn2High is exact
  constexpr double kMagic = 0x1.8p52;  // adding it rounds to a whole number, in the last bits of the sum
  constexpr double kLimit = 700.0;

  double x = -static_cast<double>(logit);
  x = x > kLimit ? kLimit : x < -kLimit ? -kLimit : x;
  const double shifted = x * kLog2E + kMagic;
  const double k = shifted - kMagic;
  const double r = (x - k * kLn2High) - k * kLn2Low;
  const double p =
      0x1.0000000000000p-1 +
      r * (0x1.555555555555dp-3 +
           r * (0x1.555555555556cp-5 +
                r * (0x1.111111110e549p-7 +
                     r * (0x1.6c16c16c0a347p-10 +
                          r * (0x1.a01a01b5feaa0p-13 +
                               r * (0x1.a01a01ea4a62ap-16 +
                                    r * (0x1.71ddea37917edp-19 +
                                         r * (0x1.27e43e07ed2bdp-22 +
                                              r * (0x1.af7920cd7d323p-26 + r * 0x1.20c1cf6309740p-29)))))))));
  constexpr auto kOne = std::bit_cast<std::uint64_t>(1.0);
  const auto power = std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) << 52) + kOne);  // 2^k
  return 1.0 / (1.0 + power * (1.0 + (r + r * r * p)));
}

}  // namespace sentio

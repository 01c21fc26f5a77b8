#pragma once

#include <bit>
#include <cstdint>

namespace sentio {

/// a b + c rounded once, as IEEE-754's fusedMultiplyAdd, on processors without one and without libm; no branch, so that
/// compilers can put several onto a vector.
///
/// The product is exact in double (24 + 24 <= 53 bits, and no float is too small or too large). Its sum with c is
/// rounded to odd (Boldo & Melquiond, Emulation of FMA and correctly rounded sums, 2008): where the sum is inexact, of
/// the two doubles around it the one whose last bit is set. That keeps the final rounding, to 24 bits or to fewer for
/// a subnormal float, from being misled by the first: 53 >= 24 + 2.
[[nodiscard]] inline float fused(float a, float b, float c) {
  const double product = static_cast<double>(a) * static_cast<double>(b), addend = c;
  const double sum = product + addend;
  // What the sum lacks, exactly (Knuth 1969); not a number where the sum is infinite, which then lacks nothing.
  const double from_addend = sum - product;
  const double error = (product - (sum - from_addend)) + (addend - from_addend);
  const double lack = error > 0.0 ? error : error < 0.0 ? error : 0.0;
  // Towards what it lacks: one up in size where both have the same sign, else one down; not if the last bit is set.
  const auto bits = std::bit_cast<std::uint64_t>(sum), lack_bits = std::bit_cast<std::uint64_t>(lack);
  const std::uint64_t size = lack_bits << 1;
  const std::uint64_t moves = (size | (0 - size)) >> 63 & ~bits;
  const std::uint64_t down = (bits ^ lack_bits) >> 63 & moves;
  return static_cast<float>(std::bit_cast<double>(bits + moves - down - down));
}

}  // namespace sentio

#include "features/log.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

using namespace sentio;

namespace {

/// The distance of neighbouring doubles at `x`, for numbers of normal size.
double ulp_at(double x) { return std::nextafter(std::abs(x), INFINITY) - std::abs(x); }

std::vector<double> points() {
  std::mt19937_64 random(7);
  std::vector<double> all;
  // Every binade alike, what is near 1, where the logarithm is small, and what ratios of prices look like.
  std::uniform_int_distribution<std::uint64_t> bits(0x0010000000000000, 0x7fefffffffffffff);
  for (int i = 0; i < 400'000; ++i) all.push_back(std::bit_cast<double>(bits(random)));
  std::uniform_real_distribution<double> exponent(-52.0, 0.0), sign(-1.0, 1.0);
  for (int i = 0; i < 300'000; ++i) all.push_back(1.0 + std::copysign(std::exp2(exponent(random)) * 0.5, sign(random)));
  std::normal_distribution<double> change(0.0, 0.01);
  for (int i = 0; i < 300'000; ++i) all.push_back((100.0 + change(random)) / 100.0);
  return all;
}

}  // namespace

TEST_CASE("the logarithm has the values that everybody knows") {
  CHECK(log_of(1.0) == 0.0);
  CHECK_FALSE(std::signbit(log_of(1.0)));
  CHECK(log_of(2.0) == 0x1.62e42fefa39efp-1);  // ln 2
  CHECK(log_of(0.5) == -0x1.62e42fefa39efp-1);
  CHECK(log_of(10.0) == 0x1.26bb1bbb55516p+1);  // ln 10
  CHECK(log_of(0x1p1023) == 0x1.628b76e3a7b61p+9);
  CHECK(log_of(0x1p-1022) == -0x1.6232bdd7abcd2p+9);
  CHECK(log_of(0x1.5bf0a8b145769p+1) == 1.0);  // e, correctly rounded
  const double eps = 0x1p-52;
  CHECK(log_of(1.0 + eps) == eps - eps * eps / 2);
  CHECK(log_of(1.0 - eps / 2) == -eps / 2 - eps * eps / 8);
}

// A long double of x86 has 64 bits of mantissa, 11 more than a double, and its logarithm (glibc's, with an error below
// 1 of its own ulps) is therefore within 2^-10 ulp of a double of the truth: next to the 1 ulp that is promised, that
// counts for nothing. The engine itself never uses a long double.
TEST_CASE("the logarithm is within 1 ulp of the truth" * doctest::skip(std::numeric_limits<long double>::digits < 64)) {
  double worst = 0.0, at = 0.0;
  for (const double x : points()) {
    const long double truth = std::log(static_cast<long double>(x));
    const double found = log_of(x);
    if (truth == 0.0L) {
      CHECK(found == 0.0);
      continue;
    }
    const double error =
        static_cast<double>(std::abs(static_cast<long double>(found) - truth)) / ulp_at(static_cast<double>(truth));
    if (error > worst) worst = error, at = x;
  }
  CAPTURE(at);
  CHECK(worst <= 1.0);
}

TEST_CASE("the logarithm rises with its argument") {
  std::vector<double> all = points();
  std::sort(all.begin(), all.end());
  CHECK(std::ranges::is_sorted(all, {}, [](double x) { return log_of(x); }));
}

#include "inference/sigmoid.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

using namespace sentio;

namespace {

/// Every `step`-th float from -800 to 800, rising, the smallest ones and 0 among them.
std::vector<float> rising_logits(std::uint32_t step) {
  const auto top = std::bit_cast<std::uint32_t>(800.0F);
  std::vector<float> all;
  for (std::uint32_t bits = top - top % step; bits > 0; bits -= step) all.push_back(-std::bit_cast<float>(bits));
  for (std::uint32_t bits = 0; bits <= top; bits += step) all.push_back(std::bit_cast<float>(bits));
  return all;
}

}  // namespace

TEST_CASE("a logit of 0 is a probability of exactly one half, and logits without bound are 0 and 1") {
  CHECK(sigmoid(0.0F) == 0.5);
  CHECK(sigmoid(-0.0F) == 0.5);
  CHECK(sigmoid(std::numeric_limits<float>::infinity()) == 1.0);
  CHECK(sigmoid(std::numeric_limits<float>::max()) == 1.0);
  CHECK(sigmoid(-std::numeric_limits<float>::max()) == doctest::Approx(0.0).epsilon(1e-300));
  CHECK(sigmoid(-std::numeric_limits<float>::max()) > 0.0);
  CHECK(std::isnan(sigmoid(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("a probability never falls where its logit rises") {
  double before = 0.0;
  int falls = 0;
  for (const float logit : rising_logits(509)) {
    const double p = sigmoid(logit);
    falls += !(p >= before);
    before = p;
  }
  CHECK(falls == 0);
}

// What the logarithm's test says of a long double holds here too.
TEST_CASE("a probability is within 2.5 ulp of the truth" *
          doctest::skip(std::numeric_limits<long double>::digits < 64)) {
  double worst = 0.0;
  for (const float logit : rising_logits(1021)) {
    if (std::abs(logit) > 700.0F) continue;
    const long double truth = 1.0L / (1.0L + std::exp(-static_cast<long double>(logit)));
    const double near = static_cast<double>(truth), ulp = std::nextafter(near, 2.0) - near;
    worst = std::max(worst, static_cast<double>(std::abs(static_cast<long double>(sigmoid(logit)) - truth)) / ulp);
  }
  CHECK(worst <= 2.5);
  CHECK(worst > 0.5);  // else nothing was compared
}

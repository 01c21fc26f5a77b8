#include "inference/kernels.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "inference/fused.hpp"

using namespace sentio;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

const Kernels& portable() { return available_kernels().back(); }

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(
      a, b, {}, [](float x) { return std::bit_cast<std::uint32_t>(x); },
      [](float x) { return std::bit_cast<std::uint32_t>(x); });
}

/// A matrix as the kernels want it: rows padded with zeros.
struct Matrix {
  std::size_t rows, width;
  std::vector<float> values = std::vector<float>(rows * padded(width));

  [[nodiscard]] float at(std::size_t r, std::size_t c) const { return values[r * padded(width) + c]; }
  float* row(std::size_t r) { return values.data() + r * padded(width); }
  [[nodiscard]] const float* data() const { return values.data(); }
  float* data() { return values.data(); }
  [[nodiscard]] bool padding_is_zero() const {
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = width; c < padded(width); ++c)
        if (at(r, c) != 0.0F) return false;
    return true;
  }
};

class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : random_(seed) {}

  Matrix matrix(std::size_t rows, std::size_t width, float scale = 1.0F) {
    Matrix m{rows, width};
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < width; ++c) m.row(r)[c] = scale * normal_(random_);
    return m;
  }

  float of_any_bits() { return std::bit_cast<float>(static_cast<std::uint32_t>(random_())); }
  std::uint64_t below(std::uint64_t count) { return random_() % count; }

 private:
  std::mt19937_64 random_;
  std::normal_distribution<float> normal_;
};

Matrix linear(const Kernels& kernels, const Matrix& x, const Matrix& weights, const Matrix& bias) {
  Matrix y{x.rows, weights.width};
  kernels.linear(x.data(), x.rows, x.width, weights.data(), bias.data(), weights.width, y.data());
  return y;
}

Matrix layer_norm(const Kernels& kernels, const Matrix& x, const Matrix& gain, const Matrix& bias) {
  Matrix y{x.rows, x.width};
  kernels.layer_norm(x.data(), x.rows, x.width, gain.data(), bias.data(), 1e-5F, y.data());
  return y;
}

Matrix normalise(const Kernels& kernels, const std::vector<float>& x, const Matrix& mean, const Matrix& std) {
  Matrix y{x.size() / mean.width, mean.width};
  kernels.normalise(x.data(), y.rows, y.width, mean.data(), std.data(), 2.0F, y.data());
  return y;
}

/// Queries, keys and values lie side by side, as one product gives them.
struct Asked {
  std::size_t queries, keys, heads, head_width;
  bool causal;
  Matrix of_queries, of_keys_and_values;

  Asked(Numbers& numbers, std::size_t n, std::size_t t, std::size_t h, std::size_t w, bool c)
      : queries(n),
        keys(t),
        heads(h),
        head_width(w),
        causal(c),
        of_queries(numbers.matrix(n, h * w)),
        of_keys_and_values(numbers.matrix(t, 2 * h * w)) {}

  [[nodiscard]] Matrix attended(const Kernels& kernels) const { return attended(kernels, 0, queries); }

  [[nodiscard]] Matrix attended(const Kernels& kernels, std::size_t first, std::size_t count) const {
    const std::size_t width = heads * head_width;
    Matrix y{count, width};
    std::ranges::fill(y.values, kNaN);  // all of it is written
    std::vector<float> scratch(attention_scratch(keys, head_width), kNaN);
    kernels.attention(of_queries.data() + first * padded(width), padded(width), of_keys_and_values.data(),
                      padded(2 * width), of_keys_and_values.data() + width, padded(2 * width), count, keys, heads,
                      head_width, causal, scratch.data(), y.data());
    return y;
  }
};

using InPlace = void (*Kernels::*)(float*, std::size_t);
const std::vector<InPlace> kInPlace = {&Kernels::gelu, &Kernels::relu, &Kernels::silu, &Kernels::tanh};

/// Numbers of both signs and of every size, the special ones among them.
std::vector<float> arguments() {
  std::vector<float> all = {0.0F, -0.0F, std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()};
  for (std::uint32_t bits = 1; bits < 0x7f800000; bits += 65'521)
    for (const float sign : {1.0F, -1.0F}) all.push_back(sign * std::bit_cast<float>(bits));
  for (float x = -130.0F; x < 130.0F; x += 0.01F) all.push_back(x);
  all.resize(padded(all.size()));
  return all;
}

std::vector<float> applied(const Kernels& kernels, InPlace function, std::vector<float> x) {
  (kernels.*function)(x.data(), x.size());
  return x;
}

const std::vector<std::size_t> kRowCounts = {1, 2, 3, 7, 8, 17, 40};
const std::vector<std::size_t> kWidths = {1, 5, 16, 24, 55, 96, 130};

/// The largest error in units of the last place of the truth's float, over arguments up to `limit` in size.
double worst_error(const std::vector<float>& x, const std::vector<float>& y, long double (*truth)(long double),
                   float low, float high) {
  double worst = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!(x[i] >= low && x[i] <= high) || std::abs(x[i]) < 1e-30F) continue;
    const long double exact = truth(x[i]);
    const auto near = std::abs(static_cast<float>(exact));
    const double ulp = std::nextafter(near, INFINITY) - near;
    worst = std::max(worst, static_cast<double>(std::abs(static_cast<long double>(y[i]) - exact)) / ulp);
  }
  return worst;
}

long double gelu(long double x) { return x * std::erfc(-x / std::sqrt(2.0L)) / 2.0L; }
long double silu(long double x) { return x / (1.0L + std::exp(-x)); }
long double tanh(long double x) { return std::tanh(x); }

}  // namespace

TEST_CASE("the portable set is always there, and is the last") { CHECK(portable().name == "portable"); }

TEST_CASE("every set of kernels gives the bits of the portable set, and keeps the padding 0") {
  for (const Kernels& kernels : available_kernels()) {
    CAPTURE(std::string(kernels.name));
    Numbers numbers(1);
    for (const std::size_t rows : kRowCounts)
      for (const std::size_t width : kWidths) {
        CAPTURE(rows);
        CAPTURE(width);
        const Matrix x = numbers.matrix(rows, width, 3.0F), gain = numbers.matrix(1, width),
                     bias = numbers.matrix(1, width);
        const Matrix normed = layer_norm(kernels, x, gain, bias);
        CHECK(same_bits(normed.values, layer_norm(portable(), x, gain, bias).values));
        CHECK(normed.padding_is_zero());

        std::vector<float> plain;
        for (std::size_t r = 0; r < rows; ++r)
          plain.insert(plain.end(), &x.values[r * padded(width)], &x.values[r * padded(width)] + width);
        const Matrix scaled = normalise(kernels, plain, bias, gain);
        CHECK(same_bits(scaled.values, normalise(portable(), plain, bias, gain).values));
        CHECK(scaled.padding_is_zero());

        Matrix sum = x, expected = x;
        kernels.add(normed.data(), sum.values.size(), sum.data());
        portable().add(normed.data(), expected.values.size(), expected.data());
        CHECK(same_bits(sum.values, expected.values));

        for (const std::size_t outputs : kWidths) {
          CAPTURE(outputs);
          const Matrix weights = numbers.matrix(width, outputs), start = numbers.matrix(1, outputs);
          const Matrix y = linear(kernels, x, weights, start);
          CHECK(same_bits(y.values, linear(portable(), x, weights, start).values));
          CHECK(y.padding_is_zero());
        }
      }
    for (const InPlace function : kInPlace)
      CHECK(same_bits(applied(kernels, function, arguments()), applied(portable(), function, arguments())));
    for (const bool causal : {false, true})
      for (const std::size_t head_width : {8, 16, 24, 33})
        for (const std::size_t keys : {1, 5, 16, 32, 50})
          for (const std::size_t queries : {std::size_t{1}, keys}) {
            CAPTURE(causal);
            CAPTURE(head_width);
            CAPTURE(keys);
            CAPTURE(queries);
            const Asked asked(numbers, queries, keys, 3, head_width, causal);
            const Matrix y = asked.attended(kernels);
            CHECK(same_bits(y.values, asked.attended(portable()).values));
            CHECK(y.padding_is_zero());
          }
  }
}

TEST_CASE("a row has the same bits alone as among others") {
  for (const Kernels& kernels : available_kernels()) {
    CAPTURE(std::string(kernels.name));
    Numbers numbers(2);
    const Matrix x = numbers.matrix(37, 55), weights = numbers.matrix(55, 130), start = numbers.matrix(1, 130),
                 gain = numbers.matrix(1, 55), bias = numbers.matrix(1, 55);
    const Matrix product = linear(kernels, x, weights, start), normed = layer_norm(kernels, x, gain, bias);
    const Asked asked(numbers, 37, 40, 4, 24, false);
    const Matrix attended = asked.attended(kernels);
    for (std::size_t r = 0; r < 37; ++r) {
      const auto row_of = [r](const Matrix& m) {
        return std::span(m.values).subspan(r * padded(m.width), padded(m.width));
      };
      const Matrix alone{1, 55, {row_of(x).begin(), row_of(x).end()}};
      CHECK(same_bits(linear(kernels, alone, weights, start).values, row_of(product)));
      CHECK(same_bits(layer_norm(kernels, alone, gain, bias).values, row_of(normed)));
      CHECK(same_bits(asked.attended(kernels, r, 1).values, row_of(attended)));
    }
  }
}

TEST_CASE("a product is a sum of fused steps that begins at the bias") {
  Numbers numbers(3);
  const Matrix x = numbers.matrix(3, 100), weights = numbers.matrix(100, 20), bias = numbers.matrix(1, 20);
  const Matrix y = linear(available_kernels().front(), x, weights, bias);
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t j = 0; j < 20; ++j) {
      float sum = bias.at(0, j);
      for (std::size_t k = 0; k < 100; ++k) sum = std::fma(x.at(r, k), weights.at(k, j), sum);
      CHECK(y.at(r, j) == sum);
    }
}

TEST_CASE("normalisation centres, scales and clips") {
  Matrix mean{1, 3}, std{1, 3};
  mean.values[0] = 1.0F, mean.values[1] = 2.0F, mean.values[2] = 3.0F;
  std.values[0] = 2.0F, std.values[1] = 0.5F, std.values[2] = 1.0F;
  const Matrix y = normalise(available_kernels().front(), {2.0F, 1.5F, 3.0F, -9.0F, 9.0F, 4.5F}, mean, std);  // clip 2
  CHECK(y.at(0, 0) == 0.5F);
  CHECK(y.at(0, 1) == -1.0F);
  CHECK(y.at(0, 2) == 0.0F);
  CHECK(y.at(1, 0) == -2.0F);
  CHECK(y.at(1, 1) == 2.0F);
  CHECK(y.at(1, 2) == 1.5F);
}

// A row's values are about 1; the sums of 100 floats, each step rounded to 2^-24 of itself, lose less than 1e-6 of
// that.
TEST_CASE("layer normalisation is the textbook's") {
  Numbers numbers(4);
  const Matrix x = numbers.matrix(4, 100, 5.0F), gain = numbers.matrix(1, 100), bias = numbers.matrix(1, 100);
  const Matrix y = layer_norm(available_kernels().front(), x, gain, bias);
  for (std::size_t r = 0; r < 4; ++r) {
    double mean = 0.0, square = 0.0;
    for (std::size_t c = 0; c < 100; ++c) mean += x.at(r, c) / 100.0;
    for (std::size_t c = 0; c < 100; ++c) square += std::pow(x.at(r, c) - mean, 2) / 100.0;
    for (std::size_t c = 0; c < 100; ++c) {
      const double expected = (x.at(r, c) - mean) / std::sqrt(square + 1e-5) * gain.at(0, c) + bias.at(0, c);
      CHECK(std::abs(y.at(r, c) - expected) < 2e-6);
    }
  }
}

// Scores of up to about 10 are right to 1e-6, and so are their exponentials relative to themselves.
TEST_CASE("attention is the textbook's, and causal queries see no later key") {
  Numbers numbers(5);
  for (const bool causal : {false, true}) {
    const Asked asked(numbers, 20, 23, 3, 24, causal);
    const Matrix y = asked.attended(available_kernels().front());
    for (std::size_t i = 0; i < 20; ++i)
      for (std::size_t h = 0; h < 3; ++h) {
        const std::size_t visible = causal ? i + 1 + 23 - 20 : 23;
        std::vector<double> weights(visible);
        double total = 0.0;
        for (std::size_t j = 0; j < visible; ++j) {
          double score = 0.0;
          for (std::size_t c = h * 24; c < h * 24 + 24; ++c)
            score += static_cast<double>(asked.of_queries.at(i, c)) * asked.of_keys_and_values.at(j, c);
          total += weights[j] = std::exp(score / std::sqrt(24.0));
        }
        for (std::size_t c = h * 24; c < h * 24 + 24; ++c) {
          double expected = 0.0;
          for (std::size_t j = 0; j < visible; ++j)
            expected += weights[j] / total * asked.of_keys_and_values.at(j, 3 * 24 + c);
          CHECK(std::abs(y.at(i, c) - expected) < 3e-6);
        }
      }
  }
}

TEST_CASE("attention survives scores of any size") {
  Numbers numbers(6);
  Asked asked(numbers, 4, 9, 1, 8, false);
  for (float& q : asked.of_queries.values) q *= 1e4F;
  for (const float value : asked.attended(available_kernels().front()).values) CHECK(std::isfinite(value));
}

// The activations against long double, whose own error counts for nothing beside a float's last place. Far below zero
// gelu and silu are next to nothing, and their last place counts for less than a logit's: there the error is absolute.
TEST_CASE("gelu, silu and tanh are within 2.7 ulp of the truth, and in their tails within 1e-7" *
          doctest::skip(std::numeric_limits<long double>::digits < 64)) {
  std::vector<float> x;
  for (std::uint32_t bits = 0x3000'0000; bits < 0x4300'0000; bits += 331)  // 2^-31 ... 128
    for (const float sign : {1.0F, -1.0F}) x.push_back(sign * std::bit_cast<float>(bits));
  x.resize(padded(x.size()));
  const Kernels& kernels = available_kernels().front();
  const std::vector<float> by_gelu = applied(kernels, &Kernels::gelu, x), by_silu = applied(kernels, &Kernels::silu, x),
                           by_tanh = applied(kernels, &Kernels::tanh, x);
  CHECK(worst_error(x, by_gelu, gelu, 0.0F, 128.0F) <= 2.5);
  CHECK(worst_error(x, by_gelu, gelu, -1.0F, 0.0F) <= 3.0);
  CHECK(worst_error(x, by_gelu, gelu, -12.0F, 0.0F) <= 32.0);
  CHECK(worst_error(x, by_silu, silu, -80.0F, 128.0F) <= 2.5);
  CHECK(worst_error(x, by_tanh, tanh, -128.0F, 128.0F) <= 2.7);
  double lost = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] > 0.0F) continue;
    lost = std::max({lost, std::abs(static_cast<double>(by_gelu[i] - gelu(x[i]))),
                     std::abs(static_cast<double>(by_silu[i] - silu(x[i])))});
  }
  CHECK(lost < 1e-7);
}

TEST_CASE("the activations have the values that everybody knows") {
  for (const Kernels& kernels : available_kernels()) {
    CAPTURE(std::string(kernels.name));
    std::vector<float> x = {0.0F, 1e30F, -1e30F, -3.0F, 3.0F, -0.0F};
    x.resize(16);
    const std::vector<float> by_gelu = applied(kernels, &Kernels::gelu, x),
                             by_relu = applied(kernels, &Kernels::relu, x),
                             by_silu = applied(kernels, &Kernels::silu, x),
                             by_tanh = applied(kernels, &Kernels::tanh, x);
    for (const auto* y : {&by_gelu, &by_relu, &by_silu}) {
      CHECK((*y)[0] == 0.0F);
      CHECK((*y)[1] == 1e30F);
      CHECK(std::abs((*y)[2]) < 1e-30F);
    }
    CHECK(by_relu[3] == 0.0F);
    CHECK_FALSE(std::signbit(by_relu[5]));  // of -0
    CHECK_FALSE(std::signbit(by_gelu[5]));
    CHECK(by_tanh[0] == 0.0F);
    CHECK(by_tanh[1] == 1.0F);
    CHECK(by_tanh[2] == -1.0F);
    CHECK(by_tanh[3] == -by_tanh[4]);
  }
}

TEST_CASE("what is not a number stays so in every function") {
  for (const Kernels& kernels : available_kernels()) {
    CAPTURE(std::string(kernels.name));
    for (const InPlace function : kInPlace) CHECK(std::isnan(applied(kernels, function, std::vector(16, kNaN))[5]));
    Numbers numbers(7);
    Matrix x = numbers.matrix(2, 24), weights = numbers.matrix(24, 8), gain = numbers.matrix(1, 24),
           bias = numbers.matrix(1, 24);
    x.row(1)[20] = kNaN;
    CHECK(std::isnan(linear(kernels, x, weights, numbers.matrix(1, 8)).at(1, 3)));
    CHECK(std::isfinite(linear(kernels, x, weights, numbers.matrix(1, 8)).at(0, 3)));
    CHECK(std::isnan(layer_norm(kernels, x, gain, bias).at(1, 0)));
    CHECK(std::isfinite(layer_norm(kernels, x, gain, bias).at(0, 0)));
    CHECK(std::isnan(normalise(kernels, {kNaN}, {1, 1}, {1, 1, std::vector(16, 1.0F)}).at(0, 0)));
    Asked asked(numbers, 3, 20, 2, 8, false);
    asked.of_keys_and_values.row(17)[3] = kNaN;  // a key of the first head
    CHECK(std::isnan(asked.attended(kernels).at(0, 0)));
    CHECK(std::isfinite(asked.attended(kernels).at(0, 8)));
  }
}

TEST_CASE("the portable fma rounds once, as IEEE 754 says") {
  Numbers numbers(8);
  int wrong = 0;
  const auto compare = [&](float a, float b, float c) {
    const float expected = std::fma(a, b, c), found = fused(a, b, c);
    wrong += std::isnan(expected) ? !std::isnan(found)
                                  : std::bit_cast<std::uint32_t>(expected) != std::bit_cast<std::uint32_t>(found);
  };
  const auto near = [&](float x) {
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) + static_cast<std::uint32_t>(numbers.below(9)) - 4);
  };
  constexpr int kTrials = 500'000;
  for (int i = 0; i < kTrials; ++i) {
    const float a = numbers.of_any_bits(), b = numbers.of_any_bits();
    compare(a, b, numbers.of_any_bits());
    // A sum that nearly cancels; then one whose lesser part lies about half a last place below the greater.
    compare(a, b, near(-a * b));
    const int exponent = static_cast<int>(numbers.below(60)) - 30;
    compare(a, b, near(std::ldexp(a * b, exponent)));
    // A sum about 2^-46 of the product away from the middle between two floats, which a double rounds to that middle:
    // (1 + d) (1 - d) = 1 - d^2. Then the same where the floats are subnormal.
    const float d = static_cast<float>(1 + numbers.below(100)) * 0x1p-23F;
    const int of_a = static_cast<int>(numbers.below(60)) - 30, of_b = static_cast<int>(numbers.below(60)) - 30;
    const float even = 0x1p24F + 2.0F * static_cast<float>(numbers.below(1 << 23));
    const float sign = numbers.below(2) == 0 ? 1.0F : -1.0F;
    compare(std::ldexp(1.0F + d, of_a), std::ldexp(1.0F - d, of_b), sign * std::ldexp(even, of_a + of_b));
    compare(std::ldexp(1.0F + d, -75), std::ldexp(1.0F - d, -75), sign * std::ldexp(even, -24 - 127));
    // A result about the least normal number and below, where fewer bits are left.
    const float small = std::ldexp(1.0F + std::abs(std::fmod(a, 1.0F)), -63 - static_cast<int>(numbers.below(30)));
    compare(small, std::ldexp(1.0F + std::abs(std::fmod(b, 1.0F)), -63),
            near(std::ldexp(1.0F, -126 - static_cast<int>(numbers.below(23)))));
  }
  for (const float a : arguments())
    for (const float b : {0.0F, -0.0F, 1.0F, -1.0F, kNaN, INFINITY, 0x1p-149F, 0x1.fffffep127F})
      for (const float c : {0.0F, -0.0F, 1.0F, -1.0F, kNaN, INFINITY, -INFINITY, 0x1p-149F, -0x1.fffffep127F})
        compare(a, b, c);
  CHECK(wrong == 0);
}

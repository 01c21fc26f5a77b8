#pragma once

// The formulas of the built-in evaluator, once for every width of vector: docs/numerics.md, "The evaluator". Included
// by the units cpp/inference/kernels_*.cpp alone.
//
// All names are in an unnamed namespace, and no header of the standard library but <cstddef> is included: some of the
// units are compiled for processors that not everybody has. The linker keeps one copy of an inline function, whichever
// unit it comes from, so a unit of these must not have any that others share.

#include <cstddef>

#include "inference/kernels.hpp"

namespace sentio {
namespace {

// What `Lanes` has: kCount floats, in memory one after another; kRows and kSums, the rows and the vectors of sums that
// a tile of a product keeps in registers; and, lane by lane, each rounded once as IEEE-754 says:
//   all(x), load(p), load_first(p, n) with 0 in the lanes from n on, store(p);
//   + - * /, root(a), fma(a, b, c) = a b + c;
//   larger(a, b) = a > b ? a : b, smaller(a, b) = a < b ? a : b: what is not a number comes through as b; of 0 and -0
//   they may give either;
//   magnitude(a), with_sign_of(a, b);
//   first(n, a, b): a in the lanes before n, b from there on;
//   power_of_two(m): 2^n for m = kWholes + n, n whole, -126 <= n <= 127.

/// Adding it rounds to a whole number, which then stands in the last bits of the sum.
inline constexpr float kWholes = 0x1.8p23F;

constexpr std::size_t rounded_up(std::size_t count) { return (count + kRowUnit - 1) / kRowUnit * kRowUnit; }

/// c[0] + z (c[1] + z (c[2] + ...)), each step one fma.
template <class Lanes, std::size_t kTerms>
Lanes polynomial(Lanes z, const float (&c)[kTerms]) {
  Lanes sum = Lanes::all(c[kTerms - 1]);
  for (std::size_t i = kTerms - 1; i-- > 0;) sum = fma(sum, z, Lanes::all(c[i]));
  return sum;
}

/// exp(x + low) = scale (1 + excess), low much smaller than x, for x from -87 to 88; arguments beyond count as these.
template <class Lanes>
struct Exponential {
  Lanes scale, excess;
};

template <class Lanes>
Exponential<Lanes> exponential(Lanes x, Lanes low) {
  constexpr float kLog2E = 0x1.715476p+0F, kLn2High = 0x1.62e4p-1F, kLn2Low = 0x1.7f7d1cp-20F;  // n kLn2High is exact
  // (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, to 2^-28 of e^r
  constexpr float kTerms[] = {0x1.fffffcp-2F, 0x1.55548cp-3F, 0x1.555858p-5F, 0x1.123dep-7F, 0x1.6ac74cp-10F};
  x = smaller(Lanes::all(88.0F), larger(Lanes::all(-87.0F), x));
  const Lanes wholes = fma(x, Lanes::all(kLog2E), Lanes::all(kWholes));
  const Lanes n = wholes - Lanes::all(kWholes);
  const Lanes r = fma(n, Lanes::all(-kLn2Low), fma(n, Lanes::all(-kLn2High), x)) + low;
  return {power_of_two(wholes), fma(r * r, polynomial(r, kTerms), r)};
}

template <class Lanes>
Lanes exp_of(Lanes x) {
  const auto [scale, excess] = exponential(x, Lanes::all(0.0F));
  return fma(scale, excess, scale);
}

/// Never -0: which of two zeros is the larger, compilers decide in different ways. Adding 0 leaves them no choice.
template <class Lanes>
Lanes relu_of(Lanes x) {
  return larger(Lanes::all(0.0F), x) + Lanes::all(0.0F);
}

/// x Phi(x) = max(x, 0) - a Q(a) with a = |x| and Q(a) = erfc(a / sqrt 2) / 2 = exp(-a^2 / 2) P(u), u = a / (a + 3).
/// From 12 on a counts as 12: a Q(a) is below 1e-31 there.
template <class Lanes>
Lanes gelu_of(Lanes x) {
  // exp(a^2 / 2) Q(a) to 2^-26.9 of itself, for u from 0 to 0.8. As P(0) = 1/2 exactly, small x lose nothing.
  constexpr float kTerms[] = {0x1p-1F,        -0x1.326336p+0F, 0x1.0d9b3p+0F,  -0x1.25cb2cp-2F, -0x1.45d008p-3F,
                              0x1.02dcdep-4F, 0x1.e2bf8cp-8F,  0x1.5fa044p-4F, -0x1.8212d8p-4F, 0x1.c2f37cp-6F};
  const Lanes a = smaller(Lanes::all(12.0F), magnitude(x));
  const Lanes u = a / (a + Lanes::all(3.0F));
  const Lanes square = a * a;
  const Lanes half = Lanes::all(-0.5F);
  // The rounding of the square, times a half of it, is what the exponent would lack.
  const auto [scale, excess] = exponential(square * half, fma(a, a, Lanes::all(0.0F) - square) * half);
  const Lanes tail = a * polynomial(u, kTerms) * fma(scale, excess, scale);
  return relu_of(x) - tail;
}

/// x below -87 counts as -87.
template <class Lanes>
Lanes silu_of(Lanes x) {
  x = larger(Lanes::all(-87.0F), x);
  return x / (Lanes::all(1.0F) + exp_of(Lanes::all(0.0F) - x));
}

/// With m = exp(2a) - 1, a = |x|: m / (m + 2) with the sign of x. From 10 on a counts as 10: tanh is 1 there.
template <class Lanes>
Lanes tanh_of(Lanes x) {
  const Lanes a = smaller(Lanes::all(10.0F), magnitude(x));
  const auto [scale, excess] = exponential(a + a, Lanes::all(0.0F));
  const Lanes m = fma(scale, excess, scale - Lanes::all(1.0F));
  return with_sign_of(m / (m + Lanes::all(2.0F)), x);
}

/// kRowUnit running values, of which value i % kRowUnit takes what stands at i: the order in which a row is folded.
template <class Lanes>
struct Stripes {
  static constexpr std::size_t kVectors = kRowUnit / Lanes::kCount;
  Lanes of[kVectors];

  explicit Stripes(float start) {
    for (Lanes& each : of) each = Lanes::all(start);
  }

  /// Values i and i + 8, of those i and i + 4, then i + 2, then i + 1.
  template <class Join>
  float joined(Join join) {
    for (std::size_t half = kVectors / 2; half > 0; half /= 2)
      for (std::size_t i = 0; i < half; ++i) of[i] = join(of[i], of[i + half]);
    float values[2 * Lanes::kCount];
    Lanes last = of[0];
    for (std::size_t half = Lanes::kCount / 2; half > 0; half /= 2) {
      last.store(values);
      last.store(values + Lanes::kCount);
      last = join(last, Lanes::load(values + half));
    }
    last.store(values);
    return values[0];
  }

  float total() {
    return joined([](Lanes a, Lanes b) { return a + b; });
  }
  float largest() {
    return joined([](Lanes a, Lanes b) { return larger(a, b); });
  }
};

/// How many of the lanes that begin at column `at` lie within `width`.
template <class Lanes>
std::size_t lanes_within(std::size_t at, std::size_t width) {
  const std::size_t left = at < width ? width - at : 0;
  return left < Lanes::kCount ? left : Lanes::kCount;
}

template <class Lanes>
void normalise(const float* x, std::size_t rows, std::size_t width, const float* mean, const float* std, float clip,
               float* y) {
  const std::size_t row = rounded_up(width);
  const Lanes high = Lanes::all(clip), low = Lanes::all(-clip), zero = Lanes::all(0.0F);
  for (std::size_t r = 0; r < rows; ++r, x += width, y += row)
    for (std::size_t j = 0; j < row; j += Lanes::kCount) {
      const std::size_t count = lanes_within<Lanes>(j, width);
      const Lanes value = count == Lanes::kCount ? Lanes::load(x + j) : Lanes::load_first(x + j, count);
      const Lanes z = (value - Lanes::load(mean + j)) / Lanes::load(std + j);
      first(count, smaller(high, larger(low, z)), zero).store(y + j);
    }
}

/// A product whose rows lie apart: y[r][j] = bias[j] + sum over k of x[r][k] weights[k][j].
struct Product {
  const float* x;
  std::size_t x_stride, inputs;
  const float* weights;
  std::size_t weights_stride;
  const float* bias;
  float* y;
  std::size_t y_stride;
};

/// kRows rows by kVectors vectors of outputs from row `r` and column `j` on. Each output is its own sum, so the shape
/// of a tile shows in no bit.
template <class Lanes, std::size_t kRows, std::size_t kVectors>
void tile(const Product& p, std::size_t r, std::size_t j) {
  Lanes sums[kRows][kVectors];
  for (auto& row : sums)
    for (std::size_t v = 0; v < kVectors; ++v) row[v] = Lanes::load(p.bias + j + v * Lanes::kCount);
  const float* x = p.x + r * p.x_stride;
  const float* weights = p.weights + j;
  for (std::size_t k = 0; k < p.inputs; ++k, weights += p.weights_stride) {
    Lanes weight[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) weight[v] = Lanes::load(weights + v * Lanes::kCount);
    for (std::size_t i = 0; i < kRows; ++i) {
      const Lanes value = Lanes::all(x[i * p.x_stride + k]);
      for (std::size_t v = 0; v < kVectors; ++v) sums[i][v] = fma(value, weight[v], sums[i][v]);
    }
  }
  for (std::size_t i = 0; i < kRows; ++i)
    for (std::size_t v = 0; v < kVectors; ++v) sums[i][v].store(p.y + (r + i) * p.y_stride + j + v * Lanes::kCount);
}

/// kRows rows from row `r` on, from column `j` to `columns`.
template <class Lanes, std::size_t kRows, std::size_t kVectors>
void tiles(const Product& p, std::size_t r, std::size_t j, std::size_t columns) {
  for (; j + kVectors * Lanes::kCount <= columns; j += kVectors * Lanes::kCount) tile<Lanes, kRows, kVectors>(p, r, j);
  if constexpr (kVectors > 1) tiles<Lanes, kRows, kVectors - 1>(p, r, j, columns);
}

template <class Lanes, std::size_t kRows = Lanes::kRows>
void product(const Product& p, std::size_t r, std::size_t rows, std::size_t columns) {
  constexpr std::size_t kMost = 8, kVectors = Lanes::kSums / kRows < kMost ? Lanes::kSums / kRows : kMost;
  for (; r + kRows <= rows; r += kRows) tiles<Lanes, kRows, kVectors>(p, r, 0, columns);
  if constexpr (kRows > 1) product<Lanes, kRows / 2>(p, r, rows, columns);
}

template <class Lanes>
void linear(const float* x, std::size_t rows, std::size_t inputs, const float* weights, const float* bias,
            std::size_t outputs, float* y) {
  const std::size_t columns = rounded_up(outputs);
  product<Lanes>({x, rounded_up(inputs), inputs, weights, columns, bias, y, columns}, 0, rows, columns);
}

template <class Lanes, class Function>
void each(float* x, std::size_t count, Function function) {
  for (std::size_t i = 0; i < count; i += Lanes::kCount) function(Lanes::load(x + i)).store(x + i);
}

template <class Lanes>
void gelu(float* x, std::size_t count) {
  each<Lanes>(x, count, [](Lanes value) { return gelu_of(value); });
}

template <class Lanes>
void relu(float* x, std::size_t count) {
  each<Lanes>(x, count, [](Lanes value) { return relu_of(value); });
}

template <class Lanes>
void silu(float* x, std::size_t count) {
  each<Lanes>(x, count, [](Lanes value) { return silu_of(value); });
}

template <class Lanes>
void tanh(float* x, std::size_t count) {
  each<Lanes>(x, count, [](Lanes value) { return tanh_of(value); });
}

template <class Lanes>
void add(const float* x, std::size_t count, float* y) {
  for (std::size_t i = 0; i < count; i += Lanes::kCount) (Lanes::load(y + i) + Lanes::load(x + i)).store(y + i);
}

/// Calls function(stripe, column, lanes within the width) for each vector of a row.
template <class Lanes, class Function>
void striped(std::size_t width, Function function) {
  for (std::size_t j = 0; j < rounded_up(width); j += kRowUnit)
    for (std::size_t s = 0; s < Stripes<Lanes>::kVectors; ++s) {
      const std::size_t at = j + s * Lanes::kCount;
      function(s, at, lanes_within<Lanes>(at, width));
    }
}

template <class Lanes>
void layer_norm(const float* x, std::size_t rows, std::size_t width, const float* gain, const float* bias,
                float epsilon, float* y) {
  const std::size_t row = rounded_up(width);
  const auto count_of_values = static_cast<float>(width);
  const Lanes zero = Lanes::all(0.0F), one = Lanes::all(1.0F);
  for (std::size_t r = 0; r < rows; ++r, x += row, y += row) {
    Stripes<Lanes> sums(0.0F), squares(0.0F);
    striped<Lanes>(width,
                   [&](std::size_t s, std::size_t j, std::size_t) { sums.of[s] = sums.of[s] + Lanes::load(x + j); });
    const Lanes mean = Lanes::all(sums.total() / count_of_values);
    striped<Lanes>(width, [&](std::size_t s, std::size_t j, std::size_t count) {
      const Lanes distance = first(count, Lanes::load(x + j) - mean, zero);
      squares.of[s] = fma(distance, distance, squares.of[s]);
    });
    const Lanes scale = one / root(Lanes::all(squares.total() / count_of_values + epsilon));
    for (std::size_t j = 0; j < row; j += Lanes::kCount)
      fma((Lanes::load(x + j) - mean) * scale, Lanes::load(gain + j), Lanes::load(bias + j)).store(y + j);
  }
}

/// Turns the scores of one query, already multiplied by the scale, into exp(score - the largest) for the `visible`
/// first of `keys`, and 0 for the others; returns their sum.
template <class Lanes>
float exponentials(float* scores, std::size_t visible, std::size_t keys) {
  const Lanes zero = Lanes::all(0.0F);
  Stripes<Lanes> largest(scores[0]), sums(0.0F);
  striped<Lanes>(visible, [&](std::size_t s, std::size_t j, std::size_t count) {
    largest.of[s] = larger(first(count, Lanes::load(scores + j), largest.of[s]), largest.of[s]);
  });
  const Lanes top = Lanes::all(largest.largest());
  striped<Lanes>(visible, [&](std::size_t s, std::size_t j, std::size_t count) {
    const Lanes weight = first(count, exp_of(Lanes::load(scores + j) - top), zero);
    sums.of[s] = sums.of[s] + weight;
    weight.store(scores + j);
  });
  for (std::size_t j = rounded_up(visible); j < rounded_up(keys); j += Lanes::kCount) zero.store(scores + j);
  return sums.total();
}

template <class Lanes>
void attention(const float* q, std::size_t q_stride, const float* k, std::size_t k_stride, const float* v,
               std::size_t v_stride, std::size_t queries, std::size_t keys, std::size_t heads, std::size_t head_width,
               bool causal, float* scratch, float* y) {
  const std::size_t row = rounded_up(keys), head_row = rounded_up(head_width),
                    y_stride = rounded_up(heads * head_width);
  float* const keys_by_column = scratch;                    // [head_width, row]
  float* const values = keys_by_column + head_width * row;  // [keys, head_row]
  float* const scores = values + keys * head_row;           // [kQueryBlock, row]
  float* const sums = scores + kQueryBlock * row;           // [kQueryBlock, head_row]
  float* const zeros = sums + kQueryBlock * head_row;       // the larger of row and head_row
  for (std::size_t j = 0; j < (row > head_row ? row : head_row); ++j) zeros[j] = 0.0F;
  const Lanes scale = Lanes::all(1.0F) / root(Lanes::all(static_cast<float>(head_width)));

  for (std::size_t h = 0; h < heads; ++h, q += head_width, k += head_width, v += head_width, y += head_width) {
    for (std::size_t c = 0; c < head_width; ++c)
      for (std::size_t j = 0; j < row; ++j) keys_by_column[c * row + j] = j < keys ? k[j * k_stride + c] : 0.0F;
    for (std::size_t j = 0; j < keys; ++j)
      for (std::size_t c = 0; c < head_row; ++c) values[j * head_row + c] = c < head_width ? v[j * v_stride + c] : 0.0F;
    for (std::size_t begin = 0; begin < queries; begin += kQueryBlock) {
      const std::size_t count = queries - begin < kQueryBlock ? queries - begin : kQueryBlock;
      product<Lanes>({q + begin * q_stride, q_stride, head_width, keys_by_column, row, zeros, scores, row}, 0, count,
                     row);
      float totals[kQueryBlock];
      for (std::size_t i = 0; i < count; ++i) {
        float* const of_query = scores + i * row;
        for (std::size_t j = 0; j < row; j += Lanes::kCount) (Lanes::load(of_query + j) * scale).store(of_query + j);
        totals[i] = exponentials<Lanes>(of_query, causal ? begin + i + 1 + keys - queries : keys, keys);
      }
      product<Lanes>({scores, row, keys, values, head_row, zeros, sums, head_row}, 0, count, head_row);
      for (std::size_t i = 0; i < count; ++i) {
        const Lanes total = Lanes::all(totals[i]);
        for (std::size_t c = 0; c < head_width; c += Lanes::kCount)
          (Lanes::load(sums + i * head_row + c) / total)
              .store_first(y + (begin + i) * y_stride + c, lanes_within<Lanes>(c, head_width));
      }
    }
  }
  // y is past the last head's columns of the first row: the padding follows.
  for (std::size_t i = 0; i < queries; ++i)
    for (std::size_t c = heads * head_width; c < y_stride; ++c) y[i * y_stride + c - heads * head_width] = 0.0F;
}

template <class Lanes>
constexpr Kernels kernels_of(std::string_view name) {
  return {name,        normalise<Lanes>, linear<Lanes>, gelu<Lanes>,       relu<Lanes>,
          silu<Lanes>, tanh<Lanes>,      add<Lanes>,    layer_norm<Lanes>, attention<Lanes>};
}

}  // namespace
}  // namespace sentio

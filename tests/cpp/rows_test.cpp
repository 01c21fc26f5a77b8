#include "features/rows.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using namespace sentio;

TEST_CASE("columns become rows, whatever their number, whatever the bars asked for") {
  constexpr std::ptrdiff_t kBars = 11;
  for (std::size_t width = 1; width <= 9; ++width) {
    std::vector<std::vector<double>> columns(width, std::vector<double>(kBars));
    std::vector<const double*> pointers;
    for (std::size_t f = 0; f < width; ++f) {
      for (std::size_t t = 0; t < kBars; ++t) columns[f][t] = static_cast<double>(100 * f + t) + 0.1;
      pointers.push_back(columns[f].data());
    }
    for (std::ptrdiff_t begin = 0; begin <= kBars; ++begin) {
      for (std::ptrdiff_t end = begin; end <= kBars; ++end) {
        const auto count = static_cast<std::size_t>(end - begin);
        std::vector<float> out(count * width + 1, -1.0f);
        write_rows(pointers, begin, end, out.data());
        for (std::size_t t = 0; t < count; ++t)
          for (std::size_t f = 0; f < width; ++f)
            REQUIRE(out[t * width + f] == static_cast<float>(columns[f][static_cast<std::size_t>(begin) + t]));
        REQUIRE(out.back() == -1.0f);
      }
    }
  }
}

TEST_CASE("a cell is the nearest float32, its largest number where there is none, and never hides a NaN") {
  constexpr float kLargest = std::numeric_limits<float>::max();
  const std::vector<double> values = {1e300, -1e300, 3.4028235e38, 3.5e38,    0.1, -0.0,
                                      1e-46, 1e-45,  INFINITY,     -INFINITY, NAN, NAN};
  const std::vector<const double*> four(4, values.data()), three(3, values.data());  // in vectors, and cell by cell
  std::vector<float> in_vectors(4 * values.size()), one_by_one(3 * values.size());
  const auto count = static_cast<std::ptrdiff_t>(values.size());
  write_rows(four, 0, count, in_vectors.data());
  write_rows(three, 0, count, one_by_one.data());
  const std::vector<float> expected = {kLargest, -kLargest, kLargest, kLargest,  0.1f, -0.0f,
                                       0.0f,     1e-45f,    kLargest, -kLargest, NAN,  NAN};
  for (std::size_t t = 0; t < values.size(); ++t) {
    for (const float found : {in_vectors[4 * t + 1], one_by_one[3 * t + 1]}) {
      CHECK(std::isnan(found) == std::isnan(expected[t]));
      CHECK(std::signbit(found) == std::signbit(expected[t]));
      if (!std::isnan(found)) CHECK(found == expected[t]);
    }
  }
}

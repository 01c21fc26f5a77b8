#include "features/gather.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

using namespace sentio;

namespace {

constexpr std::int64_t kRows = 40;

std::vector<float> matrix(std::size_t width) {
  std::vector<float> x(static_cast<std::size_t>(kRows) * width);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  return x;
}

}  // namespace

TEST_CASE("each row comes with the rows before it, in any order and any number of times") {
  std::mt19937_64 random(1);
  for (std::size_t width : {1u, 3u, 55u}) {
    const auto x = matrix(width);
    for (std::size_t window : {1u, 2u, 7u, 40u}) {
      const auto before = static_cast<std::int64_t>(window) - 1;
      std::vector<std::int64_t> last_rows;
      for (int run = 0; run < 20; ++run) {
        std::int64_t row = before + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(kRows - before));
        for (auto length = random() % 6; length > 0 && row < kRows; --length) last_rows.push_back(row++);
      }
      std::vector<float> out(last_rows.size() * window * width, -1.0f);
      gather_windows(x, width, last_rows, window, out);
      std::size_t cell = 0;
      for (const std::int64_t last : last_rows)
        for (std::int64_t row = last - before; row <= last; ++row)
          for (std::size_t f = 0; f < width; ++f)
            REQUIRE(out[cell++] == static_cast<float>(static_cast<std::size_t>(row) * width + f));
    }
  }
}

TEST_CASE("a row outside the matrix is named, and no memory outside it is read") {
  const auto x = matrix(3);
  const auto gather = [&](std::vector<std::int64_t> last_rows, std::size_t window) {
    std::vector<float> out(last_rows.size() * window * 3);
    gather_windows(x, 3, last_rows, window, out);
  };
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min(), kMost = std::numeric_limits<std::int64_t>::max();
  CHECK_NOTHROW(gather({0, 39}, 1));
  CHECK_THROWS_WITH(gather({0, 1, 40}, 1), "last_rows[2] must lie in [0, 40), found 40");
  CHECK_THROWS_WITH(gather({-1}, 1), "last_rows[0] must lie in [0, 40), found -1");
  CHECK_THROWS_WITH(gather({5, 3}, 5), "last_rows[1] must lie in [4, 40), found 3");
  for (const std::int64_t row : {kLeast, kLeast + 1, kMost, kMost - 1, std::int64_t{1} << 62})
    for (const std::size_t window : {1u, 40u}) CHECK_THROWS_AS(gather({39, row}, window), std::invalid_argument);
}

TEST_CASE("sizes that do not fit are refused") {
  const auto x = matrix(3);
  const std::vector<std::int64_t> two = {4, 5};
  std::vector<float> out(6);
  constexpr auto kMost = std::numeric_limits<std::size_t>::max();
  CHECK_NOTHROW(gather_windows(x, 3, two, 1, out));
  CHECK_THROWS_WITH(gather_windows(x, 3, two, 2, out), "out must hold 2 windows of 6 values, found 6");
  CHECK_THROWS_WITH(gather_windows(x, 3, two, 0, out), "window must be at least 1 row, found 0");
  CHECK_THROWS_WITH(gather_windows(x, 3, two, 41, out), "window must be at most x's 40 rows, found 41");
  CHECK_THROWS_AS(gather_windows(x, 3, two, kMost, out), std::invalid_argument);
  CHECK_THROWS_AS(gather_windows(x, 3, two, kMost / 3 + 1, out), std::invalid_argument);
  CHECK_THROWS_WITH(gather_windows(x, 0, two, 1, out), "x must be rows of 0 values, found 120");
  CHECK_THROWS_WITH(gather_windows(x, 7, two, 1, out), "x must be rows of 7 values, found 120");
  CHECK_THROWS_WITH(gather_windows(x, 3, {}, 1, out), "out must hold 0 windows of 3 values, found 6");
  CHECK_NOTHROW(gather_windows({}, 3, {}, 1, {}));
  std::vector<float> both = x;
  CHECK_THROWS_WITH(gather_windows(both, 3, two, 1, std::span(both).subspan(9, 6)), "out must not overlap x");
}

TEST_CASE("usable rows are listed range after range") {
  constexpr bool kUsable[] = {true, false, true, true, false, false, true};
  const auto listed = [&](std::vector<std::int64_t> begin, std::vector<std::int64_t> stop, std::size_t count) {
    std::vector<std::int64_t> out(count, -1);
    list_usable(kUsable, begin, stop, out);
    return out;
  };
  CHECK(listed({0}, {7}, 4) == std::vector<std::int64_t>{0, 2, 3, 6});
  CHECK(listed({3, 0, 4}, {7, 3, 6}, 4) == std::vector<std::int64_t>{3, 6, 0, 2});
  CHECK(listed({}, {}, 0).empty());
  CHECK(listed({7, 4}, {7, 4}, 0).empty());
  CHECK_THROWS_WITH(listed({0}, {7}, 3), "out must hold the 4 usable rows, found 3");
  CHECK_THROWS_WITH(listed({0}, {7}, 5), "out must hold the 4 usable rows, found 5");
  CHECK_THROWS_WITH(listed({0, 5}, {7}, 4), "begin and stop must have the same length, found 2 and 1");
  CHECK_THROWS_WITH(listed({0, 5}, {1, 8}, 2), "range 1 must lie in [0, 7], found 5 to 8");
  CHECK_THROWS_WITH(listed({-1}, {3}, 2), "range 0 must lie in [0, 7], found -1 to 3");
  CHECK_THROWS_WITH(listed({3}, {2}, 0), "range 0 must lie in [0, 7], found 3 to 2");
}

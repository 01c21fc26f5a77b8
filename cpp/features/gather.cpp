#include "features/gather.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>

namespace sentio {
namespace {

void require_sizes(std::span<const float> x, std::size_t width, std::size_t count, std::size_t window,
                   std::span<float> out) {
  if (window == 0) throw std::invalid_argument("window must be at least 1 row, found 0");
  if (width == 0 || x.size() % width != 0)
    throw std::invalid_argument("x must be rows of " + std::to_string(width) + " values, found " +
                                std::to_string(x.size()));
  // No product of sizes can overflow: a window that fits is no larger than x, and `out` is divided, not multiplied.
  if (window > x.size() / width)
    throw std::invalid_argument("window must be at most x's " + std::to_string(x.size() / width) + " rows, found " +
                                std::to_string(window));
  const std::size_t cells = window * width;
  if (out.size() % cells != 0 || out.size() / cells != count)
    throw std::invalid_argument("out must hold " + std::to_string(count) + " windows of " + std::to_string(cells) +
                                " values, found " + std::to_string(out.size()));
  const std::less<const float*> before;
  if (before(out.data(), x.data() + x.size()) && before(x.data(), out.data() + out.size()))
    throw std::invalid_argument("out must not overlap x");
}

}  // namespace

void gather_windows(std::span<const float> x, std::size_t width, std::span<const std::int64_t> last_rows,
                    std::size_t window, std::span<float> out) {
  if (last_rows.empty() && out.empty()) return;
  require_sizes(x, width, last_rows.size(), window, out);
  const auto rows = static_cast<std::int64_t>(x.size() / width);
  const auto before = static_cast<std::int64_t>(window) - 1;
  // A number is checked each time it is read: it may lie in memory that another thread writes to.
  const auto checked = [&](std::size_t i) {
    const std::int64_t row = last_rows[i];
    if (row < before || row >= rows)
      throw std::invalid_argument("last_rows[" + std::to_string(i) + "] must lie in [" + std::to_string(before) + ", " +
                                  std::to_string(rows) + "), found " + std::to_string(row));
    return static_cast<std::size_t>(row);
  };
  float* to = out.data();
  for (std::size_t i = 0; i < last_rows.size();) {
    const std::size_t last = checked(i++), first = last + 1 - window;
    std::size_t run = window;
    // Rows that follow each other are one piece of memory; windows overlap.
    if (window == 1)
      for (; i < last_rows.size() && checked(i) == first + run; ++i) ++run;
    to = std::copy_n(x.data() + first * width, run * width, to);
  }
}

void list_usable(std::span<const bool> usable, std::span<const std::int64_t> begin, std::span<const std::int64_t> stop,
                 std::span<std::int64_t> out) {
  if (begin.size() != stop.size())
    throw std::invalid_argument("begin and stop must have the same length, found " + std::to_string(begin.size()) +
                                " and " + std::to_string(stop.size()));
  const auto rows = static_cast<std::int64_t>(usable.size());
  std::size_t found = 0;
  for (std::size_t i = 0; i < begin.size(); ++i) {
    const std::int64_t first = begin[i], last = stop[i];
    if (first < 0 || last > rows || first > last)
      throw std::invalid_argument("range " + std::to_string(i) + " must lie in [0, " + std::to_string(rows) +
                                  "], found " + std::to_string(first) + " to " + std::to_string(last));
    for (std::int64_t row = first; row < last; ++row) {
      if (!usable[static_cast<std::size_t>(row)]) continue;
      if (found < out.size()) out[found] = row;
      ++found;
    }
  }
  if (found != out.size())
    throw std::invalid_argument("out must hold the " + std::to_string(found) + " usable rows, found " +
                                std::to_string(out.size()));
}

}  // namespace sentio

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bars/bar.hpp"

namespace sentio {

/// Bars as columns that somebody else owns, oldest first. All columns have one length.
struct BarsView {
  std::span<const std::int64_t> time_ns;
  std::span<const double> open, high, low, close, volume;

  [[nodiscard]] std::size_t size() const { return time_ns.size(); }
  [[nodiscard]] bool empty() const { return time_ns.empty(); }
  [[nodiscard]] Bar operator[](std::size_t i) const {
    return {time_ns[i], open[i], high[i], low[i], close[i], volume[i]};
  }
  [[nodiscard]] BarsView subview(std::size_t begin, std::size_t count) const {
    return {time_ns.subspan(begin, count), open.subspan(begin, count),  high.subspan(begin, count),
            low.subspan(begin, count),     close.subspan(begin, count), volume.subspan(begin, count)};
  }
};

/// Bars as columns, oldest first.
struct Bars {
  std::vector<std::int64_t> time_ns;
  std::vector<double> open, high, low, close, volume;

  [[nodiscard]] std::size_t size() const { return time_ns.size(); }
  [[nodiscard]] bool empty() const { return time_ns.empty(); }
  [[nodiscard]] Bar operator[](std::size_t i) const { return view()[i]; }
  [[nodiscard]] BarsView view() const { return {time_ns, open, high, low, close, volume}; }
  void reserve(std::size_t count);
  void push_back(const Bar& bar);
};

/// Throws std::invalid_argument "bar I: what" at the first bar that is not valid, or if the columns differ in length.
void require_valid(BarsView bars);

/// A bar that was left out, and why.
struct BadBar {
  std::size_t index;
  BarFault fault;
  std::string what;  ///< what is wrong, what was found
};

/// The bars that are valid, each later than the one kept before it, the first later than `previous_ns`; the others are
/// added to `bad`. All columns must have one length.
[[nodiscard]] Bars valid_bars(BarsView bars, std::optional<std::int64_t> previous_ns, std::vector<BadBar>& bad);

/// The median distance of neighbouring bars, in order, in nanoseconds; 0 for fewer than two bars.
[[nodiscard]] std::int64_t median_interval_ns(std::span<const std::int64_t> time_ns);

}  // namespace sentio

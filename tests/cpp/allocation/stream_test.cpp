// That a live decision does not wait for the heap.

#include "backtest/stream.hpp"

#include <doctest/doctest.h>

#include <optional>

#include "allocation/allocations.hpp"
#include "market.hpp"
#include "strategies/registry.hpp"

namespace sentio {
namespace {

TEST_CASE("a bar that a stream takes allocates nothing") {
  const Bars bars = test::random_bars(3000, 3);
  for (const std::optional<double> interval_s : {std::optional(60.0), std::optional<double>()}) {
    for (const StrategyRow& row : strategies()) {
      CAPTURE(row.name);
      Stream stream(row.make(parse_params(row, "")), "rule", session_calendar("us_equity"), interval_s);
      const std::size_t before = test::allocations();
      for (std::size_t i = 0; i < bars.size(); ++i) (void)stream.push(bars[i]);
      CHECK(test::allocations() == before);
    }
  }
}

}  // namespace
}  // namespace sentio

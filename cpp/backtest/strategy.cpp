#include "backtest/strategy.hpp"

namespace sentio {

void Strategy::on_bars(BarsView bars, std::span<Decision> out) {
  for (std::size_t i = 0; i < bars.size(); ++i) out[i] = on_bar(bars[i]);
}

}  // namespace sentio

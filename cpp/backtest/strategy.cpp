#include "backtest/strategy.hpp"

#include <string>

namespace sentio {
namespace {

constexpr StateKind kState{"SENTIO-STRATEGY ", 1, "strategy state", "a strategy"};

}  // namespace

void Strategy::on_bars(BarsView bars, std::span<Decision> out) {
  for (std::size_t i = 0; i < bars.size(); ++i) out[i] = on_bar(bars[i]);
}

std::vector<std::byte> Strategy::state() const {
  StateWriter writer(kState);
  writer.label(name());
  save(writer);
  return std::move(writer).sealed();
}

void Strategy::restore(std::span<const std::byte> state) {
  StateReader reader(state, kState);
  if (const std::string_view found = reader.label(); found != name())
    reader.fail("belongs to strategy '" + std::string(found) + "', this is '" + std::string(name()) + "'");
  reader.require_seal();
  const std::vector<std::byte> before = this->state();
  try {
    load(reader);
    reader.require_end("this strategy's");
  } catch (...) {
    StateReader own(before, kState);
    static_cast<void>(own.label());
    load(own);
    throw;
  }
}

}  // namespace sentio

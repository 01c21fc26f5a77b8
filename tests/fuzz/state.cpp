// Altered states: they are refused, or they are whole and go on. A checksum stops altered bytes at the door, so most
// inputs are sealed again after they were altered, and what lies behind the door must stand them too.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "bars/error.hpp"
#include "bars/sha256.hpp"
#include "features/builder.hpp"
#include "features/registry.hpp"
#include "market.hpp"
#include "target.hpp"

using namespace sentio;
using fuzz::promise;

namespace {

using Bytes = std::vector<std::byte>;

constexpr std::size_t kBars = 120, kSeal = 64;

/// Every op that remembers something, and one that only looks back: small, because a state is hashed at each turn.
FeatureSpec spec_of_ops_with_memory() {
  std::string features = R"({"name": "std", "op": "STD", "window": 5})";
  for (const Op& op : ops())
    if (facts_of(op, default_params(op)).recursive)
      features += R"(, {"name": "x)" + op.name + R"(", "op": ")" + op.name + "\"}";
  return FeatureSpec::from_json(R"({"features": [)" + features + R"(], "alignment_policy": {"emit_from_index": 0}})");
}

/// A builder that has seen some bars, and all that is needed to go on.
struct Seed {
  FeatureBuilder builder;
  Bytes state;
};

/// Builders before the first bar, within the warm-up, and long after it.
std::array<Seed, 3> seeds(const FeatureSpec& spec, const Bars& bars) {
  const auto after = [&](std::size_t count) {
    FeatureBuilder builder(spec);
    std::vector<float> rows(count * static_cast<std::size_t>(spec.width()));
    builder.build(bars.view().subview(0, count), rows);
    Bytes state = builder.state();
    return Seed{std::move(builder), std::move(state)};
  };
  return {after(0), after(10), after(70)};
}

void seal(Bytes& state) {
  const std::string hash = sha256_hex(state);
  const auto bytes = std::as_bytes(std::span(hash));
  state.insert(state.end(), bytes.begin(), bytes.end());
}

/// The first byte says what to do: bits 0-1 which seed, bit 2 to leave the old checksum, bit 3 to cut or lengthen.
/// Then come edits of 12 bytes: where (4), and the 8 bytes to put there.
Bytes altered(Bytes state, std::span<const std::byte> input, std::uint8_t order) {
  const Bytes old_seal(state.end() - kSeal, state.end());
  state.resize(state.size() - kSeal);
  if ((order & 8U) != 0 && input.size() >= 2) {
    std::uint16_t change = 0;
    std::memcpy(&change, input.data(), sizeof change);
    input = input.subspan(sizeof change);
    state.resize(change % (state.size() + kSeal));
  }
  constexpr std::size_t kWhere = 4, kWhat = 8;
  for (; input.size() >= kWhere + kWhat && state.size() >= kWhat; input = input.subspan(kWhere + kWhat)) {
    std::uint32_t where = 0;
    std::memcpy(&where, input.data(), kWhere);
    std::memcpy(state.data() + where % (state.size() - kWhat + 1), input.data() + kWhere, kWhat);
  }
  if ((order & 4U) != 0)
    state.insert(state.end(), old_seal.begin(), old_seal.end());
  else
    seal(state);
  return state;
}

std::vector<float> rows_of(FeatureBuilder& builder, BarsView bars) {
  std::vector<float> rows(bars.size() * static_cast<std::size_t>(builder.spec().width()));
  builder.build(bars, rows);
  return rows;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Bars bars = test::random_bars(kBars, 1);
  static const FeatureSpec spec = spec_of_ops_with_memory();
  static const std::array<Seed, 3> all = seeds(spec, bars);
  if (size == 0) return 0;
  const Seed& seed = all[data[0] % 4U % all.size()];
  const Bytes state = altered(seed.state, std::as_bytes(std::span(data, size)).subspan(1), data[0]);

  FeatureBuilder target = all[1].builder;
  try {
    target.restore(state);
  } catch (const InputError& error) {
    fuzz::promise_message(error.what(), "feature state: ");
    promise(target.state() == all[1].state, "a refused state changes nothing");
    promise(state != seed.state, "a whole state is taken");
    return 0;
  }
  promise((data[0] & 4U) == 0 || state == seed.state, "a checksum that does not fit is refused");
  promise(target.state() == state, "a state that is taken is the builder's own");
  // Where the state says that it ends, time may have run out.
  const auto later =
      static_cast<std::size_t>(std::max<std::int64_t>(0, std::min<std::int64_t>(seed.builder.bars_seen(), kBars - 1)));
  try {
    const auto rows = rows_of(target, bars.view().subview(later, kBars - later));
    FeatureBuilder original = seed.builder;
    promise(state != seed.state || rows == rows_of(original, bars.view().subview(later, kBars - later)),
            "a whole state goes on with the same bits");
  } catch (const std::invalid_argument&) {
    promise(state != seed.state, "only an altered state refuses the bar that comes next");
  }
  ++fuzz::reached();
  return 0;
}

// Any bytes as a feature spec: they are refused, or they are a spec whose canonical form has the same hash and whose
// features are finite on wild bars, in chunks as in one piece. Few texts are specs, so bytes that begin as no text does
// are choices of which one is written.

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "bars/error.hpp"
#include "features/builder.hpp"
#include "features/spec.hpp"
#include "market.hpp"
#include "spec_of_choices.hpp"
#include "target.hpp"

using namespace sentio;
using fuzz::promise;

namespace {

constexpr std::size_t kBars = 300;
constexpr int kMostHistory = 3'000, kMostColumns = 1'000;  ///< so that one input takes milliseconds

/// Half of them as a market has them, half of them jumping between the limits.
Bars wild_bars() {
  Bars bars = test::random_bars(kBars, 1);
  for (std::size_t i = kBars / 2; i < kBars; ++i) {
    const double price = i % 3 == 0 ? kMinPrice : i % 3 == 1 ? kMaxPrice : 1.0;
    for (auto* column : {&bars.open, &bars.high, &bars.low, &bars.close}) (*column)[i] = price;
    if (i % 5 == 0) bars.low[i] = kMinPrice;
    if (i % 7 == 0) bars.high[i] = kMaxPrice;
    bars.volume[i] = i % 2 == 0 ? 0.0 : kMaxVolume;
  }
  return bars;
}

std::optional<FeatureSpec> parsed(std::string_view text) {
  try {
    return FeatureSpec::from_json(text, "fuzz.json");
  } catch (const InputError& error) {
    fuzz::promise_message(error.what(), "fuzz.json:");
    return std::nullopt;
  }
}

bool is_small(const FeatureSpec& spec) {
  int history = 0;
  for (Column c = 0; c < spec.graph().columns(); ++c) history += spec.graph().facts(c).history;
  return spec.graph().columns() <= kMostColumns && history <= kMostHistory;
}

/// In UTF-8 a byte 10xxxxxx goes on with a character and begins none.
bool are_choices(std::span<const std::uint8_t> input) { return !input.empty() && (input[0] & 0xC0U) == 0x80U; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Bars bars = wild_bars();
  const std::span input(data, size);
  const bool chosen = are_choices(input);
  const auto spec =
      parsed(chosen ? fuzz::SpecOfChoices(input.subspan(1)).json() : std::string(input.begin(), input.end()));
  promise(spec || !chosen, "what is written from choices is a spec");
  if (!spec) return 0;
  for (const std::string& text : {spec->canonical(), spec->resolved()}) {
    const auto again = parsed(text);
    promise(again && again->hash() == spec->hash() && again->canonical() == spec->canonical(),
            "the canonical form is the same spec");
  }
  promise(spec->width() > 0 && spec->names().size() == static_cast<std::size_t>(spec->width()), "a column a name");
  if (!is_small(*spec)) return 0;

  const auto width = static_cast<std::size_t>(spec->width());
  FeatureBuilder whole(*spec), parts(*spec);
  std::vector<float> rows(kBars * width), same(kBars * width);
  whole.build(bars.view(), rows);
  promise(std::ranges::all_of(rows, [](float x) { return std::isfinite(x); }), "features of valid bars are finite");
  for (std::size_t done = 0, count = 1; done < kBars; done += count, count = std::min(2 * count + 1, kBars - done))
    parts.build(bars.view().subview(done, count), std::span(same).subspan(done * width, count * width));
  promise(rows == same && whole.state() == parts.state(), "chunks do not matter");
  ++fuzz::reached();
  return 0;
}

#include "features/schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <typeinfo>

#include "features/spec.hpp"

using namespace sentio;

namespace {

FeatureSpec default_spec(const std::string& name) {
  return FeatureSpec::load(std::string(SENTIO_SOURCE_DIR) + "/configs/features/" + name);
}

}  // namespace

TEST_CASE("a schedule runs each node once, after its inputs, beside nodes of its kind that do not read each other") {
  for (const char* const name : {"sentio_55.json", "sentio_55_levels.json"}) {
    const FeatureSpec spec = default_spec(name);
    const std::vector<Node>& nodes = spec.graph().nodes();
    std::set<Column> ready;
    for (Column c = 0; c < spec.graph().columns() - static_cast<Column>(nodes.size()); ++c) ready.insert(c);
    std::size_t ran = 0;
    for (const std::vector<std::size_t>& group : schedule(spec.graph())) {
      REQUIRE_FALSE(group.empty());
      for (const std::size_t i : group) {
        const auto inputs = std::span(nodes[i].inputs).first(static_cast<std::size_t>(nodes[i].kernel->inputs()));
        for (const Column input : inputs) CHECK(ready.contains(input));
        CHECK(typeid(*nodes[i].kernel) == typeid(*nodes[group.front()].kernel));
      }
      for (const std::size_t i : group) CHECK(ready.insert(nodes[i].output).second);
      ran += group.size();
    }
    CHECK(ran == nodes.size());
  }
}

TEST_CASE("the recursive means of a spec run in few groups") {
  const FeatureSpec spec = default_spec("sentio_55_levels.json");
  const auto groups = schedule(spec.graph());
  const auto with_lanes = [&](const std::vector<std::size_t>& group) {
    return spec.graph().nodes()[group.front()].kernel->has_lanes();
  };
  // EMA, RSI, ATR and the directional means of the first level; the MACD signal and the ADX read some of them.
  CHECK(std::ranges::count_if(groups, with_lanes) == 2);
}

#include "features/registry.hpp"

#include <algorithm>

namespace sentio {

using Family = std::vector<Op> (*)();

// One function a file in ops/; one entry a function here.
std::vector<Op> return_ops();
std::vector<Op> average_ops();
std::vector<Op> dispersion_ops();
std::vector<Op> extreme_ops();
std::vector<Op> rsi_ops();
std::vector<Op> atr_ops();
std::vector<Op> directional_ops();
std::vector<Op> cci_ops();
std::vector<Op> stochastic_ops();
std::vector<Op> mfi_ops();
std::vector<Op> bollinger_ops();
std::vector<Op> macd_ops();
std::vector<Op> range_volatility_ops();
std::vector<Op> cumulative_flow_ops();
std::vector<Op> microstructure_ops();
std::vector<Op> arithmetic_ops();
std::vector<Op> session_ops();

namespace {

constexpr Family kFamilies[] = {
    return_ops,
    average_ops,
    dispersion_ops,
    extreme_ops,
    rsi_ops,
    atr_ops,
    directional_ops,
    cci_ops,
    stochastic_ops,
    mfi_ops,
    bollinger_ops,
    macd_ops,
    range_volatility_ops,
    cumulative_flow_ops,
    microstructure_ops,
    arithmetic_ops,
    session_ops,
};

std::vector<Op> all_ops() {
  std::vector<Op> all;
  for (const Family family : kFamilies)
    for (Op& op : family()) all.push_back(std::move(op));
  return all;
}

}  // namespace

std::span<const Op> ops() {
  static const std::vector<Op> all = all_ops();
  return all;
}

const Op* find_op(std::string_view name) {
  const auto found = std::ranges::find(ops(), name, &Op::name);
  return found == ops().end() ? nullptr : &*found;
}

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const Op& op : ops()) names.push_back(op.name);
  return names;
}

std::vector<double> default_params(const Op& op) {
  std::vector<double> values;
  for (const Param& param : op.params) values.push_back(param.fallback);
  return values;
}

ColumnFacts facts_of(const Op& op, const std::vector<double>& params) {
  Graph graph;
  const std::vector<Column> sources = op.sources == 2 ? std::vector{kClose, kOpen} : std::vector{kClose};
  return graph.facts(op.build(graph, Args(params, sources)));
}

}  // namespace sentio

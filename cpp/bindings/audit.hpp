#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "backtest/audit_report.hpp"
#include "bars/number.hpp"
#include "bindings/columns.hpp"

namespace sentio::python {

/// NumPy rounds sums and products of matrices by their sizes, and the bars that end at the cut are fewer.
inline constexpr double kPythonTolerance = 1e-9;

/// What the caller says of the arrays that his pipeline makes, by their names.
struct AuditNames {
  std::vector<std::string> at_open, fill_prices;
  std::map<std::string, std::size_t> settle;
  double tolerance;
};

template <class T>
py::array_t<T> copied_array(std::span<const T> values) {
  return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

inline py::object bars_object(BarsView bars) {
  return py::module_::import("sentio_features")
      .attr("Bars")(copied_array(bars.time_ns), copied_array(bars.open), copied_array(bars.high),
                    copied_array(bars.low), copied_array(bars.close), copied_array(bars.volume));
}

/// The largest |value| that is finite, at most 1: a feature may be as small as a return over a turnover.
inline double scale_of(const std::vector<double>& values) {
  double largest = 0.0;
  for (const double value : values)
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  return std::min(largest, 1.0);
}

/// The columns of one array: of shape [n] its own name, of shape [n, k] "name[0]" to "name[k - 1]".
inline void append_array(const std::string& name, const py::object& values, std::size_t bars, const AuditNames& names,
                         std::vector<AuditColumn>& columns) {
  const py::array given = py::array::ensure(values);
  if (given && given.dtype().kind() == 'b')
    return append_array(name, given.attr("astype")("int8"), bars, names, columns);
  const Array<double> array = real_numbers(values, name.c_str());
  if (array.ndim() < 1 || array.ndim() > 2 || static_cast<std::size_t>(array.shape(0)) != bars)
    throw std::invalid_argument(name + " must be of shape [n] or [n, k] with n = " + std::to_string(bars) +
                                " bars, found " + py::str(array.attr("shape")).cast<std::string>());
  const auto width = static_cast<std::size_t>(array.ndim() == 1 ? 1 : array.shape(1));
  const auto named = [&](const std::vector<std::string>& list) { return std::ranges::find(list, name) != list.end(); };
  const auto settle = names.settle.find(name);
  for (std::size_t c = 0; c < width; ++c) {
    AuditColumn column{.name = array.ndim() == 1 ? name : name + "[" + std::to_string(c) + "]",
                       .values = std::vector<double>(bars),
                       .known = named(names.at_open) ? Known::at_open : Known::at_close,
                       .is_fill_price = named(names.fill_prices),
                       .tolerance = names.tolerance};
    if (settle != names.settle.end()) column.settle = settle->second;
    for (std::size_t t = 0; t < bars; ++t) column.values[t] = array.data()[t * width + c];
    column.scale = scale_of(column.values);
    columns.push_back(std::move(column));
  }
}

inline std::vector<AuditColumn> observed(const py::object& pipeline, BarsView bars, const AuditNames& names) {
  const py::object made = pipeline(bars_object(bars));
  if (!py::hasattr(made, "items"))
    throw py::type_error("the pipeline must return a mapping of names to arrays, found " +
                         py::str(py::type::of(made)).cast<std::string>());
  std::vector<AuditColumn> columns;
  std::vector<std::string> keys;
  for (const py::handle& item : made.attr("items")()) {
    const auto pair = py::reinterpret_borrow<py::tuple>(item);
    keys.push_back(py::str(pair[0]).cast<std::string>());
    append_array(keys.back(), pair[1], bars.size(), names, columns);
  }
  const auto require_known = [&](const std::string& name, const char* argument) {
    if (std::ranges::find(keys, name) == keys.end())
      throw std::invalid_argument(std::string(argument) + " names '" + name + "', which the pipeline does not return");
  };
  for (const std::string& name : names.at_open) require_known(name, "at_open");
  for (const std::string& name : names.fill_prices) require_known(name, "fill_prices");
  for (const auto& [name, bar] : names.settle) require_known(name, "settle");
  return columns;
}

inline nlohmann::ordered_json audited(const py::object& bars, const py::object& pipeline, std::size_t cuts,
                                      std::uint64_t seed, std::optional<std::size_t> warmup, std::size_t window,
                                      const AuditNames& names) {
  if (!(names.tolerance >= 0.0 && names.tolerance < 1.0))
    throw std::invalid_argument("tolerance must be at least 0 and below 1, found " + format_number(names.tolerance));
  const Columns columns(bars);
  const BarsView view = columns.view();
  require_valid(view);
  // A tenth of the bars is a warm-up that leaves most futures long.
  const AuditOptions options{.cuts = cuts, .seed = seed, .warmup = warmup.value_or(view.size() / 10), .window = window};
  if (window != 0 && window < options.warmup + 2)
    throw std::invalid_argument("window must be 0 or at least " + std::to_string(options.warmup + 2) +
                                ", the warm-up and 2 bars, found " + std::to_string(window));
  return to_json(audit(view, {.observe = [&](BarsView seen) { return observed(pipeline, seen, names); }}, options));
}

/// @param to_python turns JSON into Python's own objects
inline void register_audit(py::module_& module, py::object (*to_python)(const nlohmann::ordered_json&)) {
  using namespace py::literals;
  module.def(
      "audit",
      [to_python](const py::object& bars, const py::object& pipeline, std::size_t cuts, std::uint64_t seed,
                  std::optional<std::size_t> warmup, std::size_t window, const std::vector<std::string>& at_open,
                  const std::vector<std::string>& fill_prices, const std::map<std::string, std::size_t>& settle,
                  double tolerance) {
        return to_python(
            audited(bars, pipeline, cuts, seed, warmup, window, {at_open, fill_prices, settle, tolerance}));
      },
      "bars"_a, "pipeline"_a, py::kw_only(), "cuts"_a = AuditOptions{}.cuts, "seed"_a = AuditOptions{}.seed,
      "warmup"_a = py::none(), "window"_a = 0, "at_open"_a = std::vector<std::string>{},
      "fill_prices"_a = std::vector<std::string>{}, "settle"_a = std::map<std::string, std::size_t>{},
      "tolerance"_a = kPythonTolerance);
}

}  // namespace sentio::python

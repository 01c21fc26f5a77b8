#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

#include "bars/bars.hpp"

namespace sentio::python {

namespace py = pybind11;

/// A NumPy array that is taken as it is where it fits, and converted where it does not.
template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

template <class T>
std::span<const T> as_span(const Array<T>& array, const char* name) {
  if (array.ndim() != 1)
    throw std::invalid_argument(std::string(name) + " must have one dimension, found " + std::to_string(array.ndim()));
  return {array.data(), static_cast<std::size_t>(array.size())};
}

/// The columns of bars, kept alive as long as they are looked at.
struct Columns {
  Array<std::int64_t> ts;
  Array<double> open, high, low, close, volume;

  /// The columns of a sentio_features.Bars.
  static Columns of(const py::object& bars) {
    const auto numbers = [&](const char* name) { return Array<double>(bars.attr(name)); };
    return {Array<std::int64_t>(bars.attr("ts")),
            numbers("open"),
            numbers("high"),
            numbers("low"),
            numbers("close"),
            numbers("volume")};
  }

  /// @throws std::invalid_argument if a column is not one-dimensional; lengths and values are checked later.
  [[nodiscard]] BarsView view() const {
    return {as_span(ts, "ts"),   as_span(open, "open"),   as_span(high, "high"),
            as_span(low, "low"), as_span(close, "close"), as_span(volume, "volume")};
  }
};

}  // namespace sentio::python

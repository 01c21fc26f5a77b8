#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>

#include "bars/bars.hpp"

namespace sentio::python {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

inline std::string dtype_name(const py::array& array) { return py::str(array.dtype()).cast<std::string>(); }

/// Whole numbers as int64, and times as nanoseconds. What could only be taken by changing it is refused.
inline Array<std::int64_t> whole_numbers(const py::object& values, const char* name) {
  const py::array array = py::array::ensure(values);
  if (!array) throw py::type_error(std::string(name) + " must be an array of whole numbers");
  const char kind = array.dtype().kind();
  if (kind == 'M') {
    const py::object ns = array.attr("astype")("datetime64[ns]").attr("view")("int64");
    if (py::module_::import("numpy").attr("isnat")(array).attr("any")().cast<bool>())
      throw std::invalid_argument(std::string(name) + " must be times, found NaT");
    return Array<std::int64_t>(ns);
  }
  const bool whole = kind == 'i' || (kind == 'u' && array.itemsize() < 8);
  if (!whole && array.size() > 0)
    throw py::type_error(std::string(name) + " must be int64 nanoseconds or datetime64, found " + dtype_name(array));
  return Array<std::int64_t>(array.attr("astype")("int64", py::arg("copy") = false));
}

/// Real numbers as float64.
inline Array<double> real_numbers(const py::object& values, const char* name) {
  const py::array array = py::array::ensure(values);
  if (!array) throw py::type_error(std::string(name) + " must be an array of numbers");
  const char kind = array.dtype().kind();
  if (kind != 'f' && kind != 'i' && kind != 'u')
    throw py::type_error(std::string(name) + " must be an array of real numbers, found " + dtype_name(array));
  return Array<double>(array.attr("astype")("float64", py::arg("copy") = false));
}

template <class T>
std::span<const T> as_span(const Array<T>& array, const char* name) {
  if (array.ndim() != 1)
    throw std::invalid_argument(std::string(name) + " must have one dimension, found " + std::to_string(array.ndim()));
  return {array.data(), static_cast<std::size_t>(array.size())};
}

/// The columns of bars, kept alive as long as they are looked at.
struct Columns {
  Columns(const py::object& ts_in, const py::object& open_in, const py::object& high_in, const py::object& low_in,
          const py::object& close_in, const py::object& volume_in)
      : ts(whole_numbers(ts_in, "ts")),
        open(real_numbers(open_in, "open")),
        high(real_numbers(high_in, "high")),
        low(real_numbers(low_in, "low")),
        close(real_numbers(close_in, "close")),
        volume(real_numbers(volume_in, "volume")) {}

  /// The columns of a sentio_features.Bars.
  explicit Columns(const py::object& bars)
      : Columns(bars.attr("ts"), bars.attr("open"), bars.attr("high"), bars.attr("low"), bars.attr("close"),
                bars.attr("volume")) {}

  /// @throws std::invalid_argument if a column is not one-dimensional; lengths and values are checked later.
  [[nodiscard]] BarsView view() const {
    return {as_span(ts, "ts"),   as_span(open, "open"),   as_span(high, "high"),
            as_span(low, "low"), as_span(close, "close"), as_span(volume, "volume")};
  }

  Array<std::int64_t> ts;
  Array<double> open, high, low, close, volume;
};

}  // namespace sentio::python

// The builder bound with pybind11: the same few functions as in with_nanobind.cpp.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>

#include "features/builder.hpp"

namespace py = pybind11;

namespace {

using sentio::Bar;
using sentio::BarsView;
using sentio::FeatureBuilder;
using sentio::FeatureSpec;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

template <class T>
std::span<const T> as_span(const Array<T>& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

py::array_t<float> push(FeatureBuilder& builder, std::int64_t ts, double open, double high, double low, double close,
                        double volume) {
  py::array_t<float> row(builder.spec().width());
  builder.push({ts, open, high, low, close, volume}, {row.mutable_data(), static_cast<std::size_t>(row.size())});
  return row;
}

void push_into(FeatureBuilder& builder, std::int64_t ts, double open, double high, double low, double close,
               double volume, Array<float>& row) {
  builder.push({ts, open, high, low, close, volume}, {row.mutable_data(), static_cast<std::size_t>(row.size())});
}

void build(FeatureBuilder& builder, const Array<std::int64_t>& ts, const Array<double>& open, const Array<double>& high,
           const Array<double>& low, const Array<double>& close, const Array<double>& volume, Array<float>& out) {
  const BarsView bars = {as_span(ts), as_span(open), as_span(high), as_span(low), as_span(close), as_span(volume)};
  const std::span<float> cells(out.mutable_data(), static_cast<std::size_t>(out.size()));
  const py::gil_scoped_release release;
  builder.build(bars, cells);
}

/// The cost of a call with push's arguments and without its work.
double nothing(const FeatureBuilder&, std::int64_t, double open, double, double, double, double) { return open; }

}  // namespace

PYBIND11_MODULE(bench_pybind11, module) {
  py::class_<FeatureBuilder>(module, "FeatureBuilder")
      .def(py::init([](const std::string& spec) { return FeatureBuilder(FeatureSpec::from_json(spec)); }))
      .def("push", &push)
      .def("push_into", &push_into)
      .def("build", &build)
      .def("nothing", &nothing);
}

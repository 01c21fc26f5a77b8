// The builder bound with nanobind: the same few functions as in with_pybind11.cpp.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <memory>

#include "features/builder.hpp"

namespace nb = nanobind;

namespace {

using sentio::BarsView;
using sentio::FeatureBuilder;
using sentio::FeatureSpec;

template <class T>
using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Row = nb::ndarray<nb::numpy, float, nb::ndim<1>>;
using Vector = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class T>
std::span<const T> as_span(const Array<T>& array) {
  return {array.data(), array.size()};
}

Row push(FeatureBuilder& builder, std::int64_t ts, double open, double high, double low, double close, double volume) {
  const auto width = static_cast<std::size_t>(builder.spec().width());
  auto row = std::make_unique<float[]>(width);
  builder.push({ts, open, high, low, close, volume}, {row.get(), width});
  const nb::capsule owner(row.get(), [](void* cells) noexcept { delete[] static_cast<float*>(cells); });
  return Row(row.release(), {width}, owner);
}

void push_into(FeatureBuilder& builder, std::int64_t ts, double open, double high, double low, double close,
               double volume, const Vector& row) {
  builder.push({ts, open, high, low, close, volume}, {row.data(), row.size()});
}

void build(FeatureBuilder& builder, const Array<std::int64_t>& ts, const Array<double>& open, const Array<double>& high,
           const Array<double>& low, const Array<double>& close, const Array<double>& volume, const Matrix& out) {
  const BarsView bars = {as_span(ts), as_span(open), as_span(high), as_span(low), as_span(close), as_span(volume)};
  const std::span<float> cells(out.data(), out.size());
  const nb::gil_scoped_release release;
  builder.build(bars, cells);
}

/// The cost of a call with push's arguments and without its work.
double nothing(const FeatureBuilder&, std::int64_t, double open, double, double, double, double) { return open; }

}  // namespace

NB_MODULE(bench_nanobind, module) {
  nb::class_<FeatureBuilder>(module, "FeatureBuilder")
      .def("__init__", [](FeatureBuilder* self,
                          const std::string& spec) { new (self) FeatureBuilder(FeatureSpec::from_json(spec)); })
      .def("push", &push)
      .def("push_into", &push_into)
      .def("build", &build)
      .def("nothing", &nothing);
}

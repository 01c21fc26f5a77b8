#pragma once

#include <pybind11/gil_safe_call_once.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "backtest/stream.hpp"
#include "bindings/columns.hpp"

namespace sentio::python {

using namespace py::literals;

/// One decision of a stream.
struct StreamDecision {
  std::int64_t ts;
  double exposure;
  std::optional<double> probability, logit;
  std::string_view reason;
  std::int64_t missing_bars;
};

inline std::optional<double> known(double value) {
  return std::isnan(value) ? std::nullopt : std::optional<double>(value);
}

/// The RefusedBarError class of the module. A ValueError that says which kind of refusal it is.
inline py::object& bar_refused(const py::module_* module = nullptr) {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> type;
  return type
      .call_once_and_store_result(
          [&] { return py::exception<StreamAnswer>(*module, "RefusedBarError", PyExc_ValueError); })
      .get_stored();
}

/// A Stream for one caller at a time: warm() gives up the GIL, so another thread could come in between.
class PythonStream {
 public:
  PythonStream(std::unique_ptr<Strategy> strategy, nlohmann::ordered_json identity, std::optional<int> settle,
               const SessionCalendar& calendar, std::optional<double> interval_s)
      : identity_(std::move(identity)),
        settle_(settle),
        stream_(std::move(strategy), identity_.dump(), calendar, interval_s) {}

  /// A few microseconds for most models: giving up the GIL could cost a thousand times as much, when another thread
  /// takes it.
  StreamDecision push(std::int64_t ts, double open, double high, double low, double close, double volume) {
    require_free();
    const Bar bar{ts, open, high, low, close, volume};
    const StreamAnswer answer = stream_.push(bar);
    if (answer.refused) refuse(*answer.refused, bar);
    const Decision& d = answer.decision;
    return {ts, d.exposure, known(d.probability), known(d.logit), d.reason, answer.missing};
  }

  std::size_t warm(const py::object& bars) {
    const Columns columns(bars);
    const BarsView view = columns.view();
    require_free();
    busy_ = true;
    const std::unique_ptr<bool, decltype([](bool* busy) { *busy = false; })> free_again(&busy_);
    const py::gil_scoped_release release;
    return stream_.warm(view);
  }

  py::bytes state() const {
    require_free();
    const auto bytes = stream_.state();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void restore(const py::bytes& state) {
    require_free();
    const auto bytes = static_cast<std::string_view>(state);
    stream_.restore(std::as_bytes(std::span(bytes)));
  }

  [[nodiscard]] const nlohmann::ordered_json& identity() const { return identity_; }
  [[nodiscard]] std::optional<int> settle() const { return settle_; }
  [[nodiscard]] const Stream& stream() const { return stream_; }

 private:
  void require_free() const {
    if (busy_) throw std::runtime_error("the stream is in use by another thread, which warms it up");
  }

  [[noreturn]] void refuse(Refusal kind, const Bar& bar) const {
    const py::object& type = bar_refused();
    const py::object error = type(stream_.describe(kind, bar));
    error.attr("kind") = name_of(kind);
    PyErr_SetObject(type.ptr(), error.ptr());
    throw py::error_already_set();
  }

  nlohmann::ordered_json identity_;
  std::optional<int> settle_;
  Stream stream_;
  bool busy_ = false;
};

/// @param to_python turns JSON into Python objects
inline void register_stream(py::module_& module, py::object (*to_python)(const nlohmann::ordered_json&)) {
  bar_refused(&module);
  py::class_<StreamDecision>(module, "StreamDecision", "What a stream wants once a bar has closed.")
      .def_readonly("ts", &StreamDecision::ts)
      .def_readonly("exposure", &StreamDecision::exposure)
      .def_readonly("probability", &StreamDecision::probability)
      .def_readonly("logit", &StreamDecision::logit)
      .def_readonly("reason", &StreamDecision::reason)
      .def_readonly("missing_bars", &StreamDecision::missing_bars)
      .def("__repr__", [](const StreamDecision& self) {
        return py::str("StreamDecision(ts={}, exposure={}, probability={}, logit={}, reason={!r}, missing_bars={})")
            .format(self.ts, self.exposure, self.probability, self.logit, self.reason, self.missing_bars);
      });
  py::class_<PythonStream>(module, "Stream", "A strategy that runs live: bar in, decision out.")
      .def("push", &PythonStream::push, "ts"_a, "open"_a, "high"_a, "low"_a, "close"_a, "volume"_a)
      .def("warm", &PythonStream::warm, "bars"_a)
      .def("state", &PythonStream::state)
      .def("restore", &PythonStream::restore, "state"_a)
      .def_property_readonly("identity", [to_python](const PythonStream& self) { return to_python(self.identity()); })
      .def_property_readonly("bars_seen", [](const PythonStream& self) { return self.stream().bars_seen(); })
      .def_property_readonly("last_ts",
                             [](const PythonStream& self) {
                               const auto& last = self.stream().last();
                               return last ? std::optional(last->time_ns) : std::nullopt;
                             })
      .def_property_readonly("warmup", [](const PythonStream& self) { return self.stream().strategy().warmup(); })
      .def_property_readonly("settle", &PythonStream::settle);
}

}  // namespace sentio::python

// The Python module sentio_features: converts and forwards, no mathematics.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>

#include "bars/bar_line.hpp"
#include "bars/csv.hpp"
#include "bars/error.hpp"
#include "bars/find_bars.hpp"
#include "bars/session.hpp"
#include "bars/suggest.hpp"
#include "bindings/columns.hpp"
#include "features/builder.hpp"
#include "features/gather.hpp"
#include "features/registry.hpp"
#include "features/spec.hpp"

namespace py = pybind11;
using namespace py::literals;

namespace {

using sentio::Bars;
using sentio::BarsView;
using sentio::FeatureBuilder;
using sentio::FeatureSpec;

using sentio::python::Array;
using sentio::python::as_span;
using sentio::python::Columns;
using sentio::python::whole_numbers;

/// Bars, and where they come from: what was dropped while they were read, and the mark of generated ones.
struct PyBars {
  Bars bars;
  std::vector<sentio::SkippedBars> skipped = {};
  nlohmann::json synthetic = nullptr;
};

/// The chunks of a CSV file. Threads take turns.
class PyCsvChunks {
 public:
  PyCsvChunks(const std::filesystem::path& path, std::size_t chunk_bars, sentio::OnBadBar on_bad_bar)
      : reader_(sentio::CsvReader(path, on_bad_bar)),
        chunk_bars_(chunk_bars),
        synthetic_(sentio::synthetic_mark(path)) {}

  /// @throws py::stop_iteration behind the last chunk, and behind an error.
  PyBars next() {
    PyBars chunk{.bars = {}, .synthetic = synthetic_};
    {
      const py::gil_scoped_release release;
      const std::scoped_lock lock(mutex_);
      if (!at_end_) {
        at_end_ = true;  // of an error, too
        chunk.bars = reader_.next(chunk_bars_);
        at_end_ = chunk.bars.empty();
      }
    }
    if (chunk.bars.empty()) throw py::stop_iteration();
    return chunk;
  }

  [[nodiscard]] std::vector<sentio::SkippedBars> skipped() {
    const py::gil_scoped_release release;
    const std::scoped_lock lock(mutex_);
    return reader_.skipped();
  }

  [[nodiscard]] const nlohmann::json& synthetic() const { return synthetic_; }

 private:
  sentio::CsvReader reader_;
  std::size_t chunk_bars_;
  nlohmann::json synthetic_;
  bool at_end_ = false;
  std::mutex mutex_;
};

/// A builder that one thread uses at a time.
class PyBuilder {
 public:
  explicit PyBuilder(FeatureBuilder builder) : builder_(std::move(builder)) {}

  /// Calls `job` with the builder. @throws std::runtime_error if another thread is in such a call.
  template <class Job>
  auto with(const Job& job) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock)
      throw std::runtime_error("this FeatureBuilder is in use by another thread; give each thread its own copy()");
    return job(builder_);
  }

 private:
  FeatureBuilder builder_;
  std::mutex mutex_;
};

/// A read-only view into a column that lives as long as its owner.
template <class T>
py::array view_of(const std::vector<T>& column, const py::object& owner) {
  py::array_t<T> view(static_cast<py::ssize_t>(column.size()), column.data(), owner);
  view.attr("setflags")("write"_a = false);
  return view;
}

sentio::OnBadBar on_bad_bar_of(const std::string& word) {
  if (word == "refuse") return sentio::OnBadBar::refuse;
  if (word == "skip") return sentio::OnBadBar::skip;
  throw std::invalid_argument("on_bad_bar must be 'refuse' or 'skip', found '" + word + "'");
}

PyBars copied(BarsView view) {
  sentio::require_valid(view);
  const auto copy = [](auto column) { return std::vector(column.begin(), column.end()); };
  return {{copy(view.time_ns), copy(view.open), copy(view.high), copy(view.low), copy(view.close), copy(view.volume)}};
}

py::array column_named(const py::object& self, const std::string& name) {
  const Bars& bars = self.cast<const PyBars&>().bars;
  if (name == "ts") return view_of(bars.time_ns, self);
  if (name == "open") return view_of(bars.open, self);
  if (name == "high") return view_of(bars.high, self);
  if (name == "low") return view_of(bars.low, self);
  if (name == "close") return view_of(bars.close, self);
  if (name == "volume") return view_of(bars.volume, self);
  const std::vector<std::string> known = {"ts", "open", "high", "low", "close", "volume"};
  throw py::key_error("unknown column '" + name + "'" + sentio::did_you_mean(name, known));
}

PyBars sliced(const PyBars& self, const py::slice& slice) {
  std::size_t start = 0, stop = 0, step = 0, count = 0;
  if (!slice.compute(self.bars.size(), &start, &stop, &step, &count)) throw py::error_already_set();
  if (step != 1)
    throw std::invalid_argument("bars can only be sliced with step 1, found " +
                                std::to_string(static_cast<py::ssize_t>(step)));
  PyBars slice_of = copied(self.bars.view().subview(start, count));
  slice_of.skipped = self.skipped;
  slice_of.synthetic = self.synthetic;
  return slice_of;
}

py::list as_list(const std::vector<sentio::SkippedBars>& all) {
  py::list list;
  for (const auto& skipped : all)
    list.append(py::dict("kind"_a = skipped.kind, "count"_a = skipped.count, "first"_a = skipped.first));
  return list;
}

py::object as_object(const nlohmann::json& document) {
  return py::module_::import("json").attr("loads")(document.dump());
}

py::tuple valid_bars(const Columns& columns, std::optional<std::int64_t> after) {
  std::vector<sentio::BadBar> bad;
  PyBars valid{sentio::valid_bars(columns.view(), after, bad)};
  py::list list;
  for (const auto& bar : bad)
    list.append(py::dict("index"_a = bar.index, "kind"_a = kind_name(bar.fault), "what"_a = bar.what));
  return py::make_tuple(std::move(valid), list);
}

py::array_t<std::int64_t> epoch_units_ns(const py::object& epochs) {
  const auto numbers = whole_numbers(epochs, "epochs");
  const auto values = as_span(numbers, "epochs");
  py::array_t<std::int64_t> units(static_cast<py::ssize_t>(values.size()));
  std::transform(values.begin(), values.end(), units.mutable_data(), sentio::epoch_unit_ns);
  return units;
}

/// The array to fill: the caller's, which must fit exactly, or a fresh one.
py::array_t<float> output_for(std::size_t rows, int width, const py::object& out) {
  const auto shape = std::vector<py::ssize_t>{static_cast<py::ssize_t>(rows), width};
  if (out.is_none()) return py::array_t<float>(shape);
  if (!py::isinstance<py::array_t<float>>(out)) throw std::invalid_argument("out must be a float32 array");
  auto array = py::reinterpret_borrow<py::array_t<float>>(out);
  const bool fits = array.ndim() == 2 && array.shape(0) == shape[0] && array.shape(1) == shape[1];
  if (!fits || !(array.flags() & py::array::c_style) || !array.writeable())
    throw std::invalid_argument("out must be a writable C-contiguous float32 array of shape (" +
                                std::to_string(shape[0]) + ", " + std::to_string(shape[1]) + ")");
  return array;
}

/// The bars of a Bars object were checked when it was made, and nothing changes them.
py::array_t<float> build(FeatureBuilder& builder, BarsView bars, const py::object& out) {
  auto matrix = output_for(bars.size(), builder.spec().width(), out);
  const std::span<float> cells(matrix.mutable_data(), static_cast<std::size_t>(matrix.size()));
  {
    const py::gil_scoped_release release;
    builder.build_checked(bars, cells);
  }
  return matrix;
}

py::array_t<float> push(FeatureBuilder& builder, const sentio::Bar& bar) {
  py::array_t<float> row(builder.spec().width());
  builder.push(bar, {row.mutable_data(), static_cast<std::size_t>(row.size())});
  return row;
}

py::bytes state_of(const FeatureBuilder& builder) {
  const auto state = builder.state();
  return {reinterpret_cast<const char*>(state.data()), state.size()};
}

void restore(FeatureBuilder& builder, const py::bytes& state) {
  const std::string_view bytes = state;
  builder.restore(std::as_bytes(std::span(bytes)));
}

py::array_t<float> build_features_from_spec(const std::string& symbol, const Columns& columns,
                                            const std::string& json) {
  FeatureBuilder builder(FeatureSpec::from_json(json, symbol + " feature spec"));
  const BarsView bars = columns.view();
  sentio::require_valid(bars);
  return build(builder, bars, py::none());
}

/// A float32 array that is used where it lies: one that would have to be converted or copied is refused.
py::array_t<float> plain_array(const py::object& values, const char* name, py::ssize_t dimensions) {
  if (py::isinstance<py::array_t<float>>(values)) {
    auto array = py::reinterpret_borrow<py::array_t<float>>(values);
    if (array.ndim() == dimensions && (array.flags() & py::array::c_style)) return array;
  }
  throw std::invalid_argument(std::string(name) + " must be a C-contiguous float32 array of " +
                              std::to_string(dimensions) + " dimensions");
}

void gather_windows(const py::object& x, const py::object& last_rows, py::ssize_t window, const py::object& out) {
  const auto matrix = plain_array(x, "x", 2);
  const auto numbers = whole_numbers(last_rows, "last_rows");
  auto windows = plain_array(out, "out", 3);
  const auto last = as_span(numbers, "last_rows");
  if (window < 1) throw std::invalid_argument("window must be at least 1 row, found " + std::to_string(window));
  const std::vector<py::ssize_t> shape = {numbers.size(), window, matrix.shape(1)};
  if (!std::equal(shape.begin(), shape.end(), windows.shape()) || !windows.writeable())
    throw std::invalid_argument("out must be writable and of shape (" + std::to_string(shape[0]) + ", " +
                                std::to_string(shape[1]) + ", " + std::to_string(shape[2]) + ")");
  const std::span<const float> from(matrix.data(), static_cast<std::size_t>(matrix.size()));
  const std::span<float> to(windows.mutable_data(), static_cast<std::size_t>(windows.size()));
  const py::gil_scoped_release release;
  sentio::gather_windows(from, static_cast<std::size_t>(matrix.shape(1)), last, static_cast<std::size_t>(window), to);
}

py::array_t<std::int64_t> usable_rows(const py::object& usable, const py::object& begin, const py::object& stop,
                                      py::ssize_t count) {
  if (!py::isinstance<py::array_t<bool>>(usable)) throw std::invalid_argument("usable must be an array of bool");
  const Array<bool> marks(usable);
  const auto begins = whole_numbers(begin, "begin"), stops = whole_numbers(stop, "stop");
  if (count < 0) throw std::invalid_argument("count must be at least 0, found " + std::to_string(count));
  py::array_t<std::int64_t> rows(count);
  const std::span<std::int64_t> out(rows.mutable_data(), static_cast<std::size_t>(count));
  const auto marked = as_span(marks, "usable");
  const auto first = as_span(begins, "begin"), last = as_span(stops, "stop");
  const py::gil_scoped_release release;
  sentio::list_usable(marked, first, last, out);
  return rows;
}

py::list op_list() {
  py::list list;
  for (const sentio::Op& op : sentio::ops()) {
    py::list params;
    for (const sentio::Param& param : op.params) {
      if (!param.choices.empty())
        params.append(py::dict("name"_a = param.name,
                               "default"_a = param.choices[static_cast<std::size_t>(param.fallback)],
                               "choices"_a = param.choices));
      else if (param.integer)
        params.append(py::dict("name"_a = param.name, "default"_a = static_cast<std::int64_t>(param.fallback),
                               "min"_a = static_cast<std::int64_t>(param.min),
                               "max"_a = static_cast<std::int64_t>(param.max)));
      else
        params.append(
            py::dict("name"_a = param.name, "default"_a = param.fallback, "min"_a = param.min, "max"_a = param.max));
    }
    const sentio::ColumnFacts facts = facts_of(op, default_params(op));
    list.append(py::dict("name"_a = op.name, "formula"_a = op.formula, "reference"_a = op.reference,
                         "sources"_a = op.sources, "params"_a = params, "degree"_a = op.degree,
                         "recursive"_a = facts.recursive, "warmup"_a = facts.first,
                         "settle"_a = facts.settle < sentio::kNever ? py::object(py::int_(facts.settle)) : py::none()));
  }
  return list;
}

py::array_t<std::int32_t> session_days(const py::object& ts, const std::string& calendar) {
  const auto times = whole_numbers(ts, "ts");
  const auto days = sentio::session_days(as_span(times, "ts"), sentio::session_calendar(calendar));
  return py::array_t<std::int32_t>(static_cast<py::ssize_t>(days.size()), days.data());
}

py::array_t<bool> in_regular_hours(const py::object& ts, const std::string& calendar) {
  const auto times = whole_numbers(ts, "ts");
  const auto inside = sentio::in_regular_hours(as_span(times, "ts"), sentio::session_calendar(calendar));
  py::array_t<bool> result(static_cast<py::ssize_t>(inside.size()));
  std::copy(inside.begin(), inside.end(), result.mutable_data());
  return result;
}

py::tuple session_hours(const py::object& days, const std::string& calendar) {
  const auto numbers = whole_numbers(days, "days");
  const auto dates = as_span(numbers, "days");
  py::array_t<std::int64_t> open_ns(static_cast<py::ssize_t>(dates.size()));
  py::array_t<std::int32_t> minutes(static_cast<py::ssize_t>(dates.size()));
  for (std::size_t i = 0; i < dates.size(); ++i) {
    constexpr std::int64_t kLargestDay = 100'000;  // of int64 nanoseconds, with room
    if (dates[i] < -kLargestDay || dates[i] > kLargestDay)
      throw std::invalid_argument("days must lie within 100000 of 1970-01-01, found " + std::to_string(dates[i]));
    const auto hours = sentio::session_hours(static_cast<std::int32_t>(dates[i]), sentio::session_calendar(calendar));
    open_ns.mutable_data()[i] = hours.open_ns;
    minutes.mutable_data()[i] = hours.minutes;
  }
  return py::make_tuple(open_ns, minutes);
}

}  // namespace

PYBIND11_MODULE(sentio_features, module) {
  module.doc() = "Market bars and features: the C++ engine that training, backtests and live trading share.";
  module.attr("ENGINE_VERSION") = std::to_string(sentio::kEngineVersion);
  py::register_exception<sentio::InputError>(module, "InputError", PyExc_ValueError);

  py::class_<PyBars>(module, "Bars", "OHLCV bars as columns, oldest first; checked.")
      .def(py::init([](const py::object& ts, const py::object& open, const py::object& high, const py::object& low,
                       const py::object& close, const py::object& volume) {
             return copied(Columns(ts, open, high, low, close, volume).view());
           }),
           "ts"_a, "open"_a, "high"_a, "low"_a, "close"_a, "volume"_a)
      .def_property_readonly("ts", [](const py::object& self) { return column_named(self, "ts"); })
      .def_property_readonly("open", [](const py::object& self) { return column_named(self, "open"); })
      .def_property_readonly("high", [](const py::object& self) { return column_named(self, "high"); })
      .def_property_readonly("low", [](const py::object& self) { return column_named(self, "low"); })
      .def_property_readonly("close", [](const py::object& self) { return column_named(self, "close"); })
      .def_property_readonly("volume", [](const py::object& self) { return column_named(self, "volume"); })
      .def_property_readonly("skipped", [](const PyBars& self) { return as_list(self.skipped); })
      .def_property_readonly("synthetic", [](const PyBars& self) { return as_object(self.synthetic); })
      .def_property_readonly(
          "interval_s",
          [](const PyBars& self) { return static_cast<double>(sentio::median_interval_ns(self.bars.time_ns)) / 1e9; })
      .def("__len__", [](const PyBars& self) { return self.bars.size(); })
      .def("__getitem__", &column_named)
      .def("__getitem__", &sliced);

  module.def(
      "read_csv",
      [](const std::filesystem::path& path, const std::string& on_bad_bar) {
        const auto policy = on_bad_bar_of(on_bad_bar);
        const py::gil_scoped_release release;
        auto read = sentio::read_csv(path, policy);
        return PyBars{std::move(read.bars), std::move(read.skipped), std::move(read.synthetic)};
      },
      "path"_a, "on_bad_bar"_a = "refuse");

  py::class_<PyCsvChunks>(module, "CsvChunks", "The bars of a CSV file in pieces.")
      .def("__iter__", [](const py::object& self) { return self; })
      .def("__next__", &PyCsvChunks::next)
      .def_property_readonly("skipped", [](PyCsvChunks& self) { return as_list(self.skipped()); })
      .def_property_readonly("synthetic", [](const PyCsvChunks& self) { return as_object(self.synthetic()); });

  module.def(
      "iter_csv",
      [](const std::filesystem::path& path, std::int64_t chunk_bars, const std::string& on_bad_bar) {
        if (chunk_bars < 1)
          throw std::invalid_argument("chunk_bars must be at least 1, found " + std::to_string(chunk_bars));
        return std::make_unique<PyCsvChunks>(path, static_cast<std::size_t>(chunk_bars), on_bad_bar_of(on_bad_bar));
      },
      "path"_a, "chunk_bars"_a = std::int64_t{65'536}, "on_bad_bar"_a = "refuse");

  module.def(
      "valid_bars",
      [](const py::object& ts, const py::object& open, const py::object& high, const py::object& low,
         const py::object& close, const py::object& volume,
         std::optional<std::int64_t> after) { return valid_bars(Columns(ts, open, high, low, close, volume), after); },
      "ts"_a, "open"_a, "high"_a, "low"_a, "close"_a, "volume"_a, "after"_a = py::none());

  module.def(
      "synthetic_mark", [](const std::filesystem::path& path) { return as_object(sentio::synthetic_mark(path)); },
      "path"_a);
  module.def("find_bars", &sentio::find_bars, "data_dir"_a, "symbol"_a);
  module.def("bar_column", &sentio::bar_column, "name"_a);
  module.def("epoch_units_ns", &epoch_units_ns, "epochs"_a);

  py::class_<FeatureSpec>(module, "FeatureSpec", "A list of features, checked and ready to be computed.")
      .def_static("load", &FeatureSpec::load, "path"_a)
      .def_static(
          "from_json", [](const std::string& text) { return FeatureSpec::from_json(text); }, "text"_a)
      .def_property_readonly("names", &FeatureSpec::names)
      .def_property_readonly("width", &FeatureSpec::width)
      .def_property_readonly("warmup", &FeatureSpec::warmup)
      .def_property_readonly("settle", &FeatureSpec::settle)
      .def_property_readonly("emit_from", &FeatureSpec::emit_from)
      .def_property_readonly("pad_value", &FeatureSpec::pad_value)
      .def_property_readonly("hash", &FeatureSpec::hash)
      .def_property_readonly("warnings", &FeatureSpec::warnings)
      .def("canonical", &FeatureSpec::canonical)
      .def("to_json", &FeatureSpec::resolved);

  py::class_<PyBuilder>(module, "FeatureBuilder", "Turns bars into feature rows, in blocks or one by one.")
      .def(py::init([](const FeatureSpec& spec) { return std::make_unique<PyBuilder>(FeatureBuilder(spec)); }),
           "spec"_a)
      .def_property_readonly("spec",
                             [](PyBuilder& self) { return self.with([](auto& builder) { return builder.spec(); }); })
      .def_property_readonly(
          "bars_seen", [](PyBuilder& self) { return self.with([](auto& builder) { return builder.bars_seen(); }); })
      .def(
          "build",
          [](PyBuilder& self, const PyBars& bars, const py::object& out) {
            return self.with([&](auto& builder) { return build(builder, bars.bars.view(), out); });
          },
          "bars"_a, "out"_a = py::none())
      .def(
          "push",
          [](PyBuilder& self, std::int64_t ts, double open, double high, double low, double close, double volume) {
            return self.with([&](auto& builder) { return push(builder, {ts, open, high, low, close, volume}); });
          },
          "ts"_a, "open"_a, "high"_a, "low"_a, "close"_a, "volume"_a)
      .def("state", [](PyBuilder& self) { return self.with([](auto& builder) { return state_of(builder); }); })
      .def(
          "restore",
          [](PyBuilder& self, const py::bytes& state) { self.with([&](auto& builder) { restore(builder, state); }); },
          "state"_a)
      .def("copy", [](PyBuilder& self) {
        return self.with([](auto& builder) { return std::make_unique<PyBuilder>(FeatureBuilder(builder)); });
      });

  module.def(
      "build_features_from_spec",
      [](const std::string& symbol, const py::object& ts, const py::object& open, const py::object& high,
         const py::object& low, const py::object& close, const py::object& volume, const std::string& spec_json) {
        return build_features_from_spec(symbol, Columns(ts, open, high, low, close, volume), spec_json);
      },
      "symbol"_a, "ts"_a, "open"_a, "high"_a, "low"_a, "close"_a, "volume"_a, "spec_json"_a);

  module.def("gather_windows", &gather_windows, "x"_a, "last_rows"_a, "window"_a, "out"_a);
  module.def("usable_rows", &usable_rows, "usable"_a, "begin"_a, "stop"_a, "count"_a);
  module.def("ops", &op_list);
  module.def("session_days", &session_days, "ts"_a, "calendar"_a = "us_equity");
  module.def("in_regular_hours", &in_regular_hours, "ts"_a, "calendar"_a = "us_equity");
  module.def("session_hours", &session_hours, "days"_a, "calendar"_a = "us_equity");
}

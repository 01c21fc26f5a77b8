// The Python module sentio_inference: converts and forwards, no mathematics.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "backtest/bar_by_bar.hpp"
#include "backtest/order.hpp"
#include "backtest/report.hpp"
#include "bars/error.hpp"
#include "bars/json.hpp"
#include "bars/suggest.hpp"
#include "bindings/audit.hpp"
#include "bindings/columns.hpp"
#include "bindings/metrics.hpp"
#include "bindings/stream.hpp"
#include "bindings/windows.hpp"
#include "features/exact_arithmetic.hpp"
#include "inference/artifact.hpp"
#include "inference/fingerprint.hpp"
#include "inference/ledger.hpp"
#include "inference/sigmoid.hpp"
#include "inference/tfa_strategy.hpp"
#include "strategies/registry.hpp"

namespace py = pybind11;
using namespace py::literals;

namespace {

using namespace sentio;
using sentio::python::as_span;
using sentio::python::Columns;
using sentio::python::FeatureArray;
using sentio::python::PythonStream;
using sentio::python::real_numbers;
using sentio::python::register_audit;
using sentio::python::register_metrics;
using sentio::python::register_stream;
using sentio::python::whole_numbers;

py::object to_python(const nlohmann::ordered_json& json) {
  return py::module_::import("json").attr("loads")(json.dump());
}

nlohmann::json from_python(const py::object& object, const std::string& where) {
  return parse_json(py::module_::import("json").attr("dumps")(object).cast<std::string>(), where);
}

Artifact load(const std::filesystem::path& folder, const std::string& backend, const std::string& device, int threads) {
  const ModelOptions options{.backend = parse_backend(backend), .device = device, .threads = threads};
  // Python's own torch comes first, wherever it lies: what it has loaded, the plugin shares.
  const bool needs_torch = choose_backend(folder, options).backend == Backend::torch;
  if (needs_torch && !py::module_::import("importlib.util").attr("find_spec")("torch").is_none())
    py::module_::import("torch");
  const py::gil_scoped_release release;
  return Artifact::load(folder, options);
}

py::array_t<float> logits(const Artifact& artifact, const py::object& x) {
  const FeatureArray features(x, artifact);
  py::array_t<float> result(features.size());
  float* const cells = result.mutable_data();
  features.each_logit(
      [&](std::size_t begin, std::span<const float> logits) { std::ranges::copy(logits, cells + begin); });
  return result;
}

py::array_t<double> predict(const Artifact& artifact, const py::object& x) {
  const FeatureArray features(x, artifact);
  py::array_t<double> result(features.size());
  double* const cells = result.mutable_data();
  features.each_logit([&](std::size_t begin, std::span<const float> logits) {
    const ExactArithmetic exact;
    std::ranges::transform(logits, cells + begin, [](float logit) { return sigmoid(logit); });
  });
  return result;
}

/// A keyword's value. @throws py::type_error that says what it must be.
template <class T>
T value_of(const std::string& name, const py::handle& value, const char* what) {
  try {
    return value.cast<T>();
  } catch (const py::cast_error&) {
    throw py::type_error(name + " must be " + what + ", found " + py::repr(value).cast<std::string>());
  }
}

std::optional<double> number_or_none(const std::string& name, const py::handle& value) {
  return value_of<std::optional<double>>(name, value, "a number or None");
}

/// How to trade: what backtest and simulate have in common.
struct Settings {
  RunOptions run;
  std::string symbol;
  nlohmann::json synthetic;  ///< the mark of generated bars, or null
  std::vector<SkippedBars> skipped;
  std::optional<Trials> trials;  ///< as trials= says
  std::filesystem::path out;     ///< where to write the report's folder, or empty
};

/// What the bars say of themselves; bars of another kind than sentio_features.Bars say nothing.
void read_origin(const py::object& bars, Settings& settings) {
  if (py::hasattr(bars, "synthetic")) settings.synthetic = from_python(bars.attr("synthetic"), "bars.synthetic");
  if (!py::hasattr(bars, "skipped")) return;
  for (const py::handle& kind : bars.attr("skipped"))
    settings.skipped.push_back(
        {kind["kind"].cast<std::string>(), kind["count"].cast<std::size_t>(), kind["first"].cast<std::string>()});
}

Settings settings_of(const py::object& bars, const py::kwargs& kwargs, const std::string& session) {
  Settings settings;
  read_origin(bars, settings);
  RunOptions& run = settings.run;
  run.calendar = session_calendar(session);
  run.broker.costs = find_costs("us_equity");
  const std::vector<std::string> known = {"symbol", "costs",      "capital",     "max_exposure",    "begin",
                                          "end",    "fractional", "session",     "flat_at_close",   "trials",
                                          "out",    "stop_loss",  "take_profit", "max_volume_share"};
  constexpr const char* kIndex = "a whole number of at least 0";
  for (const auto& [key, value] : kwargs) {
    const auto name = key.cast<std::string>();
    if (name == "symbol") {
      settings.symbol = value_of<py::str>(name, value, "a text").cast<std::string>();
    } else if (name == "costs") {
      run.broker.costs = find_costs(py::str(value).cast<std::string>());
    } else if (name == "capital") {
      run.broker.capital = value_of<double>(name, value, "a number");
    } else if (name == "max_exposure") {
      run.broker.max_exposure = value_of<double>(name, value, "a number");
    } else if (name == "max_volume_share") {
      run.broker.max_volume_share = number_or_none(name, value);
    } else if (name == "stop_loss") {
      run.protection.stop_loss = number_or_none(name, value);
    } else if (name == "take_profit") {
      run.protection.take_profit = number_or_none(name, value);
    } else if (name == "fractional") {
      run.broker.fractional = value_of<bool>(name, value, "True or False");
    } else if (name == "flat_at_close") {
      run.flat_at_close = value_of<bool>(name, value, "True or False");
    } else if (name == "begin") {
      run.begin = value_of<std::size_t>(name, value, kIndex);
    } else if (name == "end") {
      if (!value.is_none()) run.end = value_of<std::size_t>(name, value, kIndex);
    } else if (name == "trials") {
      settings.trials =
          Trials{value_of<std::size_t>(name, value, "a whole number of at least 1"), "given as trials=", true};
      if (settings.trials->count == 0) throw std::invalid_argument("trials must be at least 1, found 0");
    } else if (name == "out") {
      settings.out = py::str(value).cast<std::string>();
      require_replaceable(settings.out);
    } else if (name == "session") {
      run.calendar = session_calendar(value_of<std::string>(name, value, "a text"));
    } else {
      throw py::type_error("unknown argument '" + name + "'" + did_you_mean(name, known));
    }
  }
  require_valid(run);
  return settings;
}

/// What a report says of the strategy.
struct Identity {
  nlohmann::ordered_json strategy;
  std::vector<std::string> notes = {};
  std::size_t warmup = 0;
};

template <class T>
py::array_t<T> array_of(std::size_t size, const auto& value_at) {
  py::array_t<T> array(static_cast<py::ssize_t>(size));
  T* const cells = array.mutable_data();
  for (std::size_t i = 0; i < size; ++i) cells[i] = value_at(i);
  return array;
}

/// One value per measured bar.
py::dict series_of(const Run& run, BarsView bars) {
  const auto decided = [&](auto member) {
    return array_of<double>(run.size(), [&](std::size_t i) { return run.decisions[run.begin + i].*member; });
  };
  const auto column = [&](const std::vector<double>& values) {
    return array_of<double>(run.size(), [&](std::size_t i) { return values[i]; });
  };
  return py::dict(
      "ts"_a = array_of<std::int64_t>(run.size(), [&](std::size_t i) { return bars.time_ns[run.begin + i]; }),
      "exposure"_a = decided(&Decision::exposure), "probability"_a = decided(&Decision::probability),
      "equity"_a = column(run.equity), "position"_a = column(run.position), "borrow"_a = column(run.borrow));
}

/// Names of FillAt, as an array of texts of their greatest length.
py::array names_met(const std::vector<Fill>& fills) {
  constexpr std::size_t kLength = 5;
  py::array array(py::dtype("U5"), std::vector<py::ssize_t>{static_cast<py::ssize_t>(fills.size())});
  auto* cell = static_cast<std::uint32_t*>(array.mutable_data());
  for (const Fill& fill : fills) {
    const std::string_view name = name_of(fill.at);
    for (std::size_t i = 0; i < kLength; ++i) *cell++ = i < name.size() ? static_cast<unsigned char>(name[i]) : 0U;
  }
  return array;
}

py::dict fills_of(const Run& run) {
  const auto column = [&](double Fill::*member) {
    return array_of<double>(run.fills.size(), [&](std::size_t i) { return run.fills[i].*member; });
  };
  return py::dict(
      "ts"_a = array_of<std::int64_t>(run.fills.size(), [&](std::size_t i) { return run.fills[i].time_ns; }),
      "at"_a = names_met(run.fills),
      "at_close"_a = array_of<bool>(run.fills.size(), [&](std::size_t i) { return run.fills[i].at == FillAt::close; }),
      "quantity"_a = column(&Fill::quantity), "reference"_a = column(&Fill::reference),
      "price"_a = column(&Fill::price), "commission"_a = column(&Fill::commission),
      "spread_cost"_a = column(&Fill::spread_cost), "slippage_cost"_a = column(&Fill::slippage_cost),
      "borrow"_a = column(&Fill::borrow), "position"_a = column(&Fill::position), "cash"_a = column(&Fill::cash));
}

py::object report_of(const std::string& verb, BarsView bars, Run run, const Settings& settings, const Context& context,
                     Identity identity) {
  Analysis analysis = analyse(run, bars, settings.run, context);
  Subject subject{.verb = verb,
                  .program_version = SENTIO_VERSION,
                  .symbol = settings.symbol,
                  .bars_file = "",
                  .bars_hash = "",
                  .skipped = settings.skipped,
                  .synthetic = settings.synthetic,
                  .strategy = std::move(identity.strategy),
                  .strategy_label = "",
                  .notes = std::move(identity.notes),
                  .warmup = identity.warmup};
  const Report report{std::move(subject), bars, settings.run, std::move(run), std::move(analysis)};
  if (!settings.out.empty()) write_folder(report, settings.out);
  py::object document = to_python(to_json(report));
  document["series"] = series_of(report.run, bars);
  document["fills"] = fills_of(report.run);
  return document;
}

Context context_of(const Settings& settings) {
  return {.spans = std::nullopt,
          .synthetic = !settings.synthetic.is_null(),
          .periods = {},
          .trials = settings.trials.value_or(Trials{})};
}

void require_one_a_bar(const char* name, std::size_t size, std::size_t bars) {
  if (size != bars)
    throw std::invalid_argument(std::string(name) + " must have one value a bar, " + std::to_string(bars) + ", found " +
                                std::to_string(size));
}

py::object simulate(const py::object& bars, const py::object& probability, const py::object& decision,
                    const py::object& costs, const py::kwargs& kwargs) {
  const Columns columns(bars);
  const BarsView view = columns.view();
  require_valid(view);
  const auto probabilities = real_numbers(probability, "probability");
  const auto p = as_span(probabilities, "probability");
  require_one_a_bar("probability", p.size(), view.size());
  kwargs["costs"] = costs;
  const Settings settings = settings_of(bars, kwargs, "us_equity");
  DecisionRule rule = DecisionRule::from_json(from_python(decision, "decision"), "decision.");
  Run run;
  {
    const py::gil_scoped_release release;
    std::vector<Decision> decisions(view.size());
    for (std::size_t i = 0; i < p.size(); ++i) decisions[i] = rule(p[i]);
    run = run_decisions(view, std::move(decisions), settings.run);
  }
  const Context context = context_of(settings);
  return report_of("simulate", view, std::move(run), settings, context,
                   {.strategy = {{"name", "simulate"}, {"rule", rule.to_json()}}});
}

/// Sets the kinds of the decisions' orders. @param order one name for all, or an array of one name a bar
void set_orders(std::vector<Decision>& decisions, const py::object& order) {
  if (py::isinstance<py::str>(order)) {
    const OrderKind kind = find_order_kind(order.cast<std::string>());
    for (Decision& decision : decisions) decision.order = kind;
    return;
  }
  const py::array names = py::array::ensure(order);
  if (!names || names.ndim() != 1) throw py::type_error("order must be a text or an array of texts");
  require_one_a_bar("order", static_cast<std::size_t>(names.size()), decisions.size());
  // Few names and many bars: each distinct name is read once.
  const auto distinct = py::module_::import("numpy").attr("unique")(names, "return_inverse"_a = true).cast<py::tuple>();
  std::vector<OrderKind> kinds;
  for (const py::handle& name : distinct[0].cast<py::array>())
    kinds.push_back(find_order_kind(value_of<std::string>("order", name, "market, limit or stop")));
  const auto codes = whole_numbers(distinct[1], "order");
  for (std::size_t i = 0; i < decisions.size(); ++i)
    decisions[i].order = kinds[static_cast<std::size_t>(codes.data()[i])];
}

/// Trades wanted exposures as they are given.
py::object trade(const py::object& bars, const py::object& exposure, const py::object& costs,
                 const py::object& probability, const py::object& order, const py::object& price,
                 const std::string& strategy, const py::kwargs& kwargs) {
  const Columns columns(bars);
  const BarsView view = columns.view();
  require_valid(view);
  std::vector<Decision> decisions = same_decisions(view.size(), {.reason = "given"});
  const auto fill = [&](const py::object& values, const char* name, double Decision::*member) {
    const auto numbers = real_numbers(values, name);
    const auto column = as_span(numbers, name);
    require_one_a_bar(name, column.size(), view.size());
    for (std::size_t i = 0; i < column.size(); ++i) decisions[i].*member = column[i];
  };
  fill(exposure, "exposure", &Decision::exposure);
  if (!probability.is_none()) fill(probability, "probability", &Decision::probability);
  if (!order.is_none()) set_orders(decisions, order);
  if (!price.is_none()) fill(price, "price", &Decision::price);
  kwargs["costs"] = costs;
  const Settings settings = settings_of(bars, kwargs, "us_equity");
  Run run;
  {
    const py::gil_scoped_release release;
    run = run_decisions(view, std::move(decisions), settings.run);
  }
  const Context context = context_of(settings);
  return report_of("trade", view, std::move(run), settings, context, {.strategy = {{"name", strategy}}});
}

/// "fast=10,slow=30" of {"fast": 10, "slow": 30}.
std::string params_text(const py::dict& params) {
  std::string text;
  for (const auto& [key, value] : params) {
    const auto name = value_of<std::string>("the name of a param", key, "a text");
    if (!py::isinstance<py::str>(value))
      static_cast<void>(value_of<double>("param " + name, value, "a number, True, False or a text"));
    const py::str written(value);
    const py::str read_as = py::isinstance<py::bool_>(value) ? py::str(written.attr("lower")()) : written;
    text += (text.empty() ? "" : ",") + name + "=" + read_as.cast<std::string>();
  }
  return text;
}

struct Rule {
  std::unique_ptr<Strategy> strategy;
  nlohmann::ordered_json identity;
};

/// @param known what a message offers in place of an unknown name
Rule make_rule(const std::string& name, const py::dict& params, std::span<const std::string> known) {
  const StrategyRow* const row = find_strategy(name);
  if (row == nullptr) throw std::invalid_argument("unknown strategy '" + name + "'" + did_you_mean(name, known));
  const StrategyParams values = parse_params(*row, params_text(params));
  return {row->make(values), {{"name", row->name}, {"params", params_json(*row, values)}}};
}

PythonStream stream_of_rule(const std::string& name, const py::dict& params, const std::string& session,
                            std::optional<double> interval_s) {
  Rule rule = make_rule(name, params, strategy_names());
  return {std::move(rule.strategy), std::move(rule.identity), std::nullopt, session_calendar(session), interval_s};
}

PythonStream stream_of_model(const Artifact& artifact, const std::optional<std::string>& session,
                             std::optional<double> interval_s) {
  const std::string calendar = session.value_or(artifact.session().empty() ? "us_equity" : artifact.session());
  return {std::make_unique<TFAStrategy>(artifact), fingerprint_of(artifact), artifact.settle(),
          session_calendar(calendar), interval_s ? interval_s : artifact.bar_interval_s()};
}

py::object backtest(const py::object& bars, const std::string& strategy, const std::optional<Artifact>& artifact,
                    const py::dict& params, bool bar_by_bar, const py::kwargs& kwargs) {
  const Columns columns(bars);
  const BarsView view = columns.view();
  require_valid(view);
  std::unique_ptr<Strategy> runner;
  Identity identity;
  std::optional<DataSpans> spans;
  std::string session = "us_equity";
  if (strategy == "tfa") {
    if (!artifact) throw std::invalid_argument("strategy 'tfa' needs artifact=, the model that it trades");
    if (!params.empty()) throw std::invalid_argument("strategy 'tfa' takes no params, its rule stands in the artifact");
    runner = std::make_unique<TFAStrategy>(*artifact);
    identity.strategy = {{"name", "tfa"},
                         {"artifact", artifact->folder().filename().string()},
                         {"label", artifact->metadata().value("label", nlohmann::json())},
                         {"backend", artifact->backend()},
                         {"device", artifact->device()}};
    identity.notes = artifact->warnings();
    if (!artifact->backend_note().empty()) identity.notes.push_back(artifact->backend_note());
    if (artifact->trained_on_synthetic()) identity.notes.emplace_back("The model was trained on SYNTHETIC bars.");
    spans = artifact->spans();
    if (!artifact->session().empty()) session = artifact->session();
  } else {
    if (artifact) throw std::invalid_argument("artifact= goes with strategy 'tfa', found '" + strategy + "'");
    std::vector<std::string> known = strategy_names();
    known.emplace_back("tfa");
    Rule rule = make_rule(strategy, params, known);
    runner = std::move(rule.strategy);
    identity.strategy = std::move(rule.identity);
  }
  Settings settings = settings_of(bars, kwargs, session);
  if (artifact && !settings.trials) {
    settings.trials = trials_of(*artifact);
    if (!settings.trials) identity.notes.emplace_back(kNoLedgerNote);
  }
  if (bar_by_bar) runner = std::make_unique<BarByBar>(std::move(runner));
  identity.warmup = static_cast<std::size_t>(runner->warmup());
  Run run;
  {
    const py::gil_scoped_release release;
    run = sentio::run(view, *runner, settings.run);
  }
  Context context = context_of(settings);
  context.spans = spans;
  return report_of("backtest", view, std::move(run), settings, context, std::move(identity));
}

/// InputError is sentio_features' own; ArtifactError is one of its kind.
void register_errors(py::module_& module) {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<std::pair<py::object, py::object>> errors;
  errors.call_once_and_store_result([&] {
    py::object input = py::module_::import("sentio_features").attr("InputError");
    py::object artifact = py::exception<ArtifactError>(module, "ArtifactError", input);
    return std::pair(input, artifact);
  });
  py::register_local_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const ArtifactError& found) {
      py::set_error(errors.get_stored().second, found.what());
    } catch (const InputError& found) {
      py::set_error(errors.get_stored().first, found.what());
    }
  });
}

}  // namespace

PYBIND11_MODULE(sentio_inference, module) {
  module.doc() = "Trained models and backtests: the C++ code that trades, called from Python.";
  register_errors(module);

  py::class_<Artifact>(module, "Artifact",
                       "A trained model with all that it needs, loaded from its folder and verified.")
      .def_static("load", &load, "folder"_a, py::kw_only(), "backend"_a = "auto", "device"_a = "cpu", "threads"_a = 1)
      .def_property_readonly("folder", &Artifact::folder)
      .def_property_readonly("backend", &Artifact::backend)
      .def_property_readonly("device", &Artifact::device)
      .def_property_readonly("metadata", [](const Artifact& self) { return to_python(self.metadata()); })
      .def_property_readonly("decision", [](const Artifact& self) { return to_python(self.decision().to_json()); })
      .def_property_readonly("spec_hash", [](const Artifact& self) { return self.spec().hash(); })
      .def_property_readonly("feature_names", [](const Artifact& self) { return self.spec().names(); })
      .def_property_readonly("spec_json", [](const Artifact& self) { return self.spec().resolved(); })
      .def_property_readonly("sequence_length", &Artifact::sequence_length)
      .def_property_readonly("warmup", &Artifact::warmup)
      .def_property_readonly("warnings", &Artifact::warnings)
      .def_property_readonly("trials",
                             [](const Artifact& self) -> py::object {
                               const std::optional<Trials> found = trials_of(self);
                               if (!found) return py::none();
                               return py::dict("count"_a = found->count, "from"_a = found->from);
                             })
      .def("logits", &logits, "x"_a)
      .def("predict", &predict, "x"_a)
      .def("stream", &stream_of_model, py::kw_only(), "session"_a = py::none(), "interval_s"_a = py::none());

  register_stream(module, &to_python);
  register_audit(module, &to_python);
  module.def("rule_stream", &stream_of_rule, "strategy"_a, "params"_a = py::dict(), py::kw_only(),
             "session"_a = "us_equity", "interval_s"_a = py::none());

  module.def("simulate", &simulate, "bars"_a, "probability"_a, "decision"_a, "costs"_a = "us_equity");
  module.def("trade", &trade, "bars"_a, "exposure"_a, "costs"_a = "us_equity", py::kw_only(),
             "probability"_a = py::none(), "order"_a = py::none(), "price"_a = py::none(),
             "strategy"_a = "given exposures");
  module.def("backtest", &backtest, "bars"_a, "strategy"_a, py::kw_only(), "artifact"_a = py::none(),
             "params"_a = py::dict(), "bar_by_bar"_a = false);
  register_metrics(module, &to_python);
}

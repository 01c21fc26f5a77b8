#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "backtest/equity_figures.hpp"
#include "backtest/evidence.hpp"
#include "backtest/metric_cards.hpp"
#include "bars/number.hpp"
#include "bars/session.hpp"
#include "bindings/columns.hpp"

namespace sentio::python {

using namespace py::literals;

inline py::list metric_card_list() {
  py::list cards;
  for (const MetricCard& card : metric_cards())
    cards.append(py::dict("name"_a = card.name, "formula"_a = card.formula, "n"_a = card.n,
                          "per_year"_a = card.per_year, "undefined"_a = card.undefined, "source"_a = card.source,
                          "peers"_a = card.peers));
  return cards;
}

/// @throws std::invalid_argument unless `right`.
inline void require(bool right, const std::string& what, double found) {
  if (!right) throw std::invalid_argument(what + ", found " + format_number(found));
}

/// An equity curve from Python, checked.
struct CheckedEquity {
  CheckedEquity(const py::object& equity_in, const py::object& ts_in, const SessionCalendar& calendar)
      : equity_array(real_numbers(equity_in, "equity")),
        ts_array(whole_numbers(ts_in, "ts")),
        equity(as_span(equity_array, "equity")),
        ts(as_span(ts_array, "ts")) {
    if (equity.empty()) throw std::invalid_argument("equity must have at least one value, found 0");
    if (ts.size() != equity.size())
      throw std::invalid_argument("ts must have one value an equity, " + std::to_string(equity.size()) + ", found " +
                                  std::to_string(ts.size()));
    for (const double value : equity) require(std::isfinite(value), "equity must be finite", value);
    for (std::size_t i = 1; i < ts.size(); ++i) {
      if (ts[i] <= ts[i - 1])
        throw std::invalid_argument("ts must increase, and does not at index " + std::to_string(i));
    }
    sessions = session_days(ts, calendar);
  }

  Array<double> equity_array;
  Array<std::int64_t> ts_array;
  std::span<const double> equity;
  std::span<const std::int64_t> ts;
  std::vector<std::int32_t> sessions;
};

inline nlohmann::ordered_json measured(const CheckedEquity& checked, double start, std::optional<double> bars_per_year,
                                       std::size_t trials, std::optional<double> sharpe_variance) {
  const EquityCurve curve{.start = start, .equity = checked.equity, .sessions = checked.sessions};
  const double sessions_per_bar =
      static_cast<double>(count_sessions(curve)) / static_cast<double>(checked.equity.size());
  const PeriodsPerYear per_year =
      bars_per_year ? PeriodsPerYear{*bars_per_year, *bars_per_year * sessions_per_bar, "periods_per_year="}
                    : periods_per_year(checked.ts, checked.sessions);
  return {{"periods_per_year", {{"value", per_year.value}, {"rule", per_year.rule}}},
          {"metrics", to_json(equity_figures(curve, per_year), checked.ts)},
          {"evidence", to_json(evidence_of(session_returns(curve), per_year.sessions,
                                           {trials, "given as trials=", true}, sharpe_variance))}};
}

/// The functions of metrics. @param to_python turns a JSON value into Python's
inline void register_metrics(py::module_& module, py::object (*to_python)(const nlohmann::ordered_json&)) {
  module.def("metric_cards", &metric_card_list);
  module.def(
      "measure",
      [to_python](const py::object& equity, const py::object& ts, double start, const std::string& session,
                  std::optional<double> bars_per_year, std::size_t trials, std::optional<double> sharpe_variance) {
        const CheckedEquity checked(equity, ts, session_calendar(session));
        require(start > 0.0 && std::isfinite(start), "start must be above 0", start);
        require(trials >= 1, "trials must be at least 1", static_cast<double>(trials));
        if (bars_per_year) require(*bars_per_year > 0.0, "periods_per_year must be above 0", *bars_per_year);
        if (sharpe_variance) require(*sharpe_variance >= 0.0, "sharpe_variance must be at least 0", *sharpe_variance);
        nlohmann::ordered_json figures;
        {
          const py::gil_scoped_release release;
          figures = measured(checked, start, bars_per_year, trials, sharpe_variance);
        }
        return to_python(figures);
      },
      "equity"_a, "ts"_a, py::kw_only(), "start"_a, "session"_a = "us_equity", "periods_per_year"_a = py::none(),
      "trials"_a = 1, "sharpe_variance"_a = py::none());
  module.def(
      "probabilistic_sharpe",
      [](double sharpe, std::size_t count, double skewness, double kurtosis, double benchmark) {
        return probabilistic_sharpe(sharpe, count, skewness, kurtosis, benchmark);
      },
      "sharpe"_a, "count"_a, "skewness"_a = 0.0, "kurtosis"_a = 3.0, "benchmark"_a = 0.0);
  module.def(
      "expected_maximum_sharpe",
      [](double variance, std::size_t trials) {
        require(variance >= 0.0, "variance must be at least 0", variance);
        require(trials >= 1, "trials must be at least 1", static_cast<double>(trials));
        return expected_maximum_sharpe(variance, trials);
      },
      "variance"_a, "trials"_a);
  module.def(
      "minimum_track_record",
      [](double sharpe, double skewness, double kurtosis, double benchmark, double confidence) {
        require(confidence > 0.0 && confidence < 1.0, "confidence must lie between 0 and 1", confidence);
        return minimum_track_record(sharpe, skewness, kurtosis, benchmark, confidence);
      },
      "sharpe"_a, "skewness"_a = 0.0, "kurtosis"_a = 3.0, "benchmark"_a = 0.0, "confidence"_a = 0.95);
}

}  // namespace sentio::python

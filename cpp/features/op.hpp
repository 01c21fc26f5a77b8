#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "features/graph.hpp"

namespace sentio {

/// A parameter of an op, as it is written in a spec.
struct Param {
  std::string name;
  double fallback;              ///< the value where a spec gives none; of a choice, its index
  double min = 0.0, max = 0.0;  ///< inclusive
  bool integer = true;
  std::vector<std::string> choices = {};  ///< the allowed words, for a parameter that is a word
};

/// A whole number of bars.
[[nodiscard]] inline Param window_param(int fallback, int min = 1, int max = 10'000) {
  return {.name = "window",
          .fallback = static_cast<double>(fallback),
          .min = static_cast<double>(min),
          .max = static_cast<double>(max)};
}

/// What an op is built from: its parameters in the order of the row, and the columns that it reads.
class Args {
 public:
  Args(std::vector<double> params, std::vector<Column> sources)
      : params_(std::move(params)), sources_(std::move(sources)) {}

  [[nodiscard]] double number(std::size_t i) const { return params_[i]; }
  [[nodiscard]] int integer(std::size_t i) const { return static_cast<int>(params_[i]); }
  [[nodiscard]] Column source(std::size_t i = 0) const { return sources_[i]; }

 private:
  std::vector<double> params_;
  std::vector<Column> sources_;
};

/// One row of the registry: all that is known of an op. Specs, listings, the Python module, the op page, the laws
/// and the benchmarks are driven by it.
struct Op {
  std::string name;
  std::string formula;    ///< one line, its degenerate value included
  std::string reference;  ///< where the formula comes from
  int sources = 0;        ///< 0: reads whole bars; 1: `source`; 2: `sources`
  std::vector<Param> params = {};
  /// The value's degree in its source's scale (in the prices' for ops that read whole bars): x2 in, x2^degree out.
  std::optional<int> degree = 0;
  Column (*build)(Graph&, const Args&) = nullptr;
  /// What is wrong with parameters that are each in range; empty if nothing is.
  std::string (*fault)(const std::vector<double>&) = nullptr;
};

}  // namespace sentio

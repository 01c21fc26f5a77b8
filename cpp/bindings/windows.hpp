#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "bindings/columns.hpp"
#include "inference/artifact.hpp"
#include "inference/passes.hpp"

namespace sentio::python {

/// Position of the first cell that is NaN or infinite, if any.
inline std::optional<std::size_t> first_not_finite(std::span<const float> cells) {
  constexpr std::uint32_t kExponent = 0x7f80'0000;
  const auto not_finite = [](float x) { return (std::bit_cast<std::uint32_t>(x) & kExponent) == kExponent; };
  std::uint32_t any = 0;  // without a way out of the loop, which then runs on vectors
  for (const float cell : cells) any |= static_cast<std::uint32_t>(not_finite(cell));
  if (any == 0) return std::nullopt;
  return static_cast<std::size_t>(std::ranges::find_if(cells, not_finite) - cells.begin());
}

/// Features that a caller of an artifact holds in an array: shape [n, F], or [n, T, F] for windows of T rows.
///
/// float32 whose rows, or the windows of a sequence, each lie in one piece are read where they are, at whatever
/// distance from each other: slices, read-only memory maps, overlapping windows, broadcasts. Other real numbers and
/// layouts are converted to float32 part by part.
class FeatureArray {
 public:
  /// @throws py::type_error if `x` does not hold real numbers, std::invalid_argument if it has another shape.
  FeatureArray(const py::object& x, const Artifact& artifact)
      : artifact_(artifact),
        array_(py::array::ensure(x)),
        rows_(static_cast<std::size_t>(artifact.sequence_length())),
        width_(static_cast<std::size_t>(artifact.spec().width())) {
    if (!array_) throw py::type_error("x must be an array of numbers");
    const char kind = array_.dtype().kind();
    if (kind != 'f' && kind != 'i' && kind != 'u')
      throw py::type_error("x must be an array of real numbers, found " + dtype_name(array_));
    require_shape();
    step_ = step_in_place();
  }

  [[nodiscard]] py::ssize_t size() const { return array_.shape(0); }

  /// Calls `take(begin, logits)` with the logits of part after part, without the GIL. Memory does not grow with n.
  /// @throws std::invalid_argument naming the first cell that is not finite, ArtifactError if the model fails.
  template <class Take>
  void each_logit(const Take& take) const {
    const auto count = static_cast<std::size_t>(size());
    const std::size_t part = std::max<std::size_t>(kRowsPerPass / rows_, 1);
    std::vector<float> logits;
    for (std::size_t begin = 0; begin < count; begin += part) {
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      const py::slice slice(static_cast<py::ssize_t>(begin), static_cast<py::ssize_t>(std::min(begin + part, count)),
                            1);
      py::array here = array_[slice];
      if (!step_) here = here.attr("astype")("float32", py::arg("order") = "C");
      logits.resize(static_cast<std::size_t>(here.shape(0)));
      const Windows windows = windows_of(here, logits.size());
      const py::gil_scoped_release release;
      require_finite(windows, begin, logits.size());
      run(windows, logits);
      take(begin, std::span<const float>(logits));
    }
  }

 private:
  void require_shape() const {
    const auto is = [&](py::ssize_t dimension, std::size_t length) {
      return array_.shape(dimension) == static_cast<py::ssize_t>(length);
    };
    const bool flat = array_.ndim() == 2 && rows_ == 1 && is(1, width_);
    const bool sequence = array_.ndim() == 3 && is(1, rows_) && is(2, width_);
    if (flat || sequence) return;
    throw std::invalid_argument("x must have the shape [n, " + (rows_ == 1 ? "" : std::to_string(rows_) + ", ") +
                                std::to_string(width_) + "], found " +
                                py::str(array_.attr("shape")).cast<std::string>());
  }

  /// Floats from one window to the next, if they can be read where they are.
  [[nodiscard]] std::optional<std::size_t> step_in_place() const {
    const bool aligned = (array_.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
    if (!py::isinstance<py::array_t<float>>(array_) || !aligned) return std::nullopt;
    py::ssize_t bytes = sizeof(float);
    for (py::ssize_t dimension = array_.ndim() - 1; dimension > 0; --dimension) {
      const py::ssize_t length = array_.shape(dimension);
      if (length > 1 && array_.strides(dimension) != bytes) return std::nullopt;
      bytes *= length;
    }
    if (size() < 2) return rows_ * width_;
    if (array_.strides(0) < 0) return std::nullopt;
    return static_cast<std::size_t>(array_.strides(0)) / sizeof(float);
  }

  [[nodiscard]] Windows windows_of(const py::array& part, std::size_t count) const {
    const std::size_t step = step_.value_or(rows_ * width_);
    return {{static_cast<const float*>(part.data()), (count - 1) * step + rows_ * width_}, step};
  }

  void require_finite(const Windows& windows, std::size_t begin, std::size_t count) const {
    const std::size_t window = rows_ * width_;
    // Where windows overlap or touch, each cell is looked at once; else what lies between them is not ours.
    const bool one_piece = windows.step <= window;
    const std::size_t pieces = one_piece ? 1 : count, length = one_piece ? windows.values.size() : window;
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      const auto found = first_not_finite(windows.values.subspan(piece * windows.step, length));
      if (!found) continue;
      // The first window that holds the cell.
      const std::size_t index = *found < window ? piece : (*found - window) / windows.step + 1;
      const std::size_t cell = one_piece ? *found - index * windows.step : *found;
      refuse(begin + index, cell, windows.values[piece * windows.step + *found]);
    }
  }

  [[noreturn]] void refuse(std::size_t index, std::size_t cell, float value) const {
    const std::size_t column = cell % width_;
    const std::string row = rows_ == 1 ? "" : std::to_string(cell / width_) + ", ";
    throw std::invalid_argument("x[" + std::to_string(index) + ", " + row + std::to_string(column) +
                                "], the feature '" + artifact_.spec().names()[column] +
                                "', must be finite in float32, found " + std::to_string(value));
  }

  void run(const Windows& windows, std::span<float> logits) const {
    const std::size_t pass = windows_per_pass(artifact_.sequence_length());
    for (std::size_t begin = 0; begin < logits.size(); begin += pass) {
      const std::span<float> some = logits.subspan(begin, std::min(pass, logits.size() - begin));
      artifact_.logits({windows.values.subspan(begin * windows.step), windows.step}, some);
    }
  }

  const Artifact& artifact_;
  py::array array_;
  std::size_t rows_, width_;  ///< of a window
  std::optional<std::size_t> step_;
};

}  // namespace sentio::python

#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace sentio {

/// One node of a feature graph at work: values in, one value a bar out.
class Kernel {
 public:
  virtual ~Kernel() = default;

  /// Computes `count` bars. `in[i]` points at input i's value of the first of them; `lookback()` older values lie
  /// before it. Bars come in order, each exactly once, and never before every input is defined.
  virtual void run(const double* const* in, double* out, std::ptrdiff_t count) = 0;

  /// What a recursive kernel remembers; empty for a window.
  virtual std::span<std::byte> memory() = 0;
  [[nodiscard]] virtual std::span<const std::byte> memory() const = 0;

  [[nodiscard]] virtual std::unique_ptr<Kernel> clone() const = 0;
  [[nodiscard]] virtual bool same_as(const Kernel& other) const = 0;

  [[nodiscard]] virtual int inputs() const = 0;
  /// Older values of its inputs that a value depends on directly.
  [[nodiscard]] virtual int lookback() const = 0;
  /// Bars of defined input that pass before the first defined output.
  [[nodiscard]] virtual int delay() const = 0;
  /// Whether a value depends on all bars since the start.
  [[nodiscard]] virtual bool recursive() const = 0;
  /// Bars after which the start no longer shows, beyond what the inputs need; kNever if it always does.
  [[nodiscard]] virtual int settle() const = 0;
};

inline constexpr int kNever = 1 << 30;

/// A window formula: a pure function of pointers to the newest values, `x[0]`, with older ones at `x[-1]` and so on.
template <class T>
concept WindowFormula = requires(const T& t) {
  { T::kInputs } -> std::convertible_to<int>;
  { t.lookback() } -> std::same_as<int>;
  &T::at;
};

/// A recursive formula: takes each bar's values once. Holds doubles only, so that its bytes are its state.
template <class T>
concept RecursiveFormula = std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(double) == 0 && requires(const T& t) {
  { T::kInputs } -> std::convertible_to<int>;
  { t.delay() } -> std::same_as<int>;
  { t.settle() } -> std::same_as<int>;
  &T::step;
};

/// Runs a formula over blocks: one virtual call a block, none a value.
template <class T>
  requires(WindowFormula<T> || RecursiveFormula<T>)
class KernelOf final : public Kernel {
 public:
  explicit KernelOf(const T& formula) : formula_(formula) {}

  void run(const double* const* in, double* out, std::ptrdiff_t count) override {
    run(in, out, count, std::make_integer_sequence<int, T::kInputs>());
  }

  std::span<std::byte> memory() override {
    if constexpr (RecursiveFormula<T>)
      return std::as_writable_bytes(std::span(&formula_, 1));
    else
      return {};
  }

  [[nodiscard]] std::span<const std::byte> memory() const override {
    if constexpr (RecursiveFormula<T>)
      return std::as_bytes(std::span(&formula_, 1));
    else
      return {};
  }

  [[nodiscard]] std::unique_ptr<Kernel> clone() const override { return std::make_unique<KernelOf>(*this); }

  [[nodiscard]] bool same_as(const Kernel& other) const override {
    const auto* const twin = dynamic_cast<const KernelOf*>(&other);
    return twin != nullptr && twin->formula_ == formula_;
  }

  [[nodiscard]] int inputs() const override { return T::kInputs; }

  [[nodiscard]] int lookback() const override {
    if constexpr (RecursiveFormula<T>)
      return 0;
    else
      return formula_.lookback();
  }

  [[nodiscard]] int delay() const override {
    if constexpr (RecursiveFormula<T>)
      return formula_.delay();
    else
      return formula_.lookback();
  }

  [[nodiscard]] bool recursive() const override { return RecursiveFormula<T>; }

  [[nodiscard]] int settle() const override {
    if constexpr (RecursiveFormula<T>)
      return formula_.settle();
    else
      return formula_.lookback();
  }

 private:
  template <int... I>
  void run(const double* const* in, double* out, std::ptrdiff_t count, std::integer_sequence<int, I...>) {
    if constexpr (RecursiveFormula<T>) {
      T formula = formula_;  // a local stays in registers
      for (std::ptrdiff_t t = 0; t < count; ++t) out[t] = formula.step(in[I][t]...);
      formula_ = formula;
    } else {
      const T formula = formula_;
      for (std::ptrdiff_t t = 0; t < count; ++t) out[t] = formula.at((in[I] + t)...);
    }
  }

  T formula_;
};

}  // namespace sentio

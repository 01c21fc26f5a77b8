#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace sentio {

inline constexpr int kMaxInputs = 4;

/// Where a kernel finds its inputs and puts its output: arrays with one value a bar. Older values lie before them.
struct Wires {
  std::array<const double*, kMaxInputs> in;
  double* out;
};

/// One node of a feature graph at work: values in, one value a bar out.
class Kernel {
 public:
  virtual ~Kernel() = default;

  /// Computes the bars [begin, end) of a block, reading `lookback(i)` older values of input i. Bars come in order, each
  /// exactly once, and never before every input is defined.
  virtual void run(const Wires& wires, std::ptrdiff_t begin, std::ptrdiff_t end) = 0;

  /// `run` for each of several kernels of this one's kind that do not read each other.
  virtual void run_all(std::span<Kernel* const> kernels, std::span<const Wires> wires, std::ptrdiff_t begin,
                       std::ptrdiff_t end) const = 0;

  /// `run_all` for the one bar `t`, without the cost of a loop over bars.
  virtual void step_all(std::span<Kernel* const> kernels, std::span<const Wires> wires, std::ptrdiff_t t) const = 0;

  /// Whether kernels of this kind gain much from `run_all`.
  [[nodiscard]] virtual bool has_lanes() const = 0;

  /// What a recursive kernel remembers; empty for a window.
  virtual std::span<std::byte> memory() = 0;
  [[nodiscard]] virtual std::span<const std::byte> memory() const = 0;

  [[nodiscard]] virtual std::unique_ptr<Kernel> clone() const = 0;
  [[nodiscard]] virtual bool same_as(const Kernel& other) const = 0;

  [[nodiscard]] virtual int inputs() const = 0;
  /// Older values of an input that a value depends on directly.
  [[nodiscard]] virtual int lookback(int input) const = 0;
  /// Bars of defined inputs and older values that a recursive kernel takes before its first defined output.
  [[nodiscard]] virtual int delay() const = 0;
  /// Whether a value depends on all bars since the start.
  [[nodiscard]] virtual bool recursive() const = 0;
  /// Bars after which the start no longer shows, beyond what the inputs and their older values need; kNever if it
  /// always does.
  [[nodiscard]] virtual int settle() const = 0;
};

inline constexpr int kNever = 1 << 30;

template <class T>
concept LooksBack = requires(const T& t) { t.lookback(); } || requires(const T& t) { t.lookback(0); };

/// A window formula: a pure function of pointers to the newest values, `x[0]`, with older ones at `x[-1]` and so on:
/// `lookback(i)` of input i, or `lookback()` of each.
template <class T>
concept WindowFormula = LooksBack<T> && requires(const T& t) {
  { T::kInputs } -> std::convertible_to<int>;
  &T::at;
};

/// A recursive formula: takes each bar's values once. `memory` holds all that changes, in doubles only, so that its
/// bytes are the formula's state.
template <class T>
concept RecursiveFormula = std::is_trivially_copyable_v<decltype(T::memory)> &&
                           sizeof(T::memory) % sizeof(double) == 0 && requires(const T& t) {
                             { T::kInputs } -> std::convertible_to<int>;
                             { t.delay() } -> std::same_as<int>;
                             { t.settle() } -> std::same_as<int>;
                             &T::step;
                           };

/// A recursive formula of one input that can run several instances side by side, with the bits of `step`.
template <class T>
concept LaneFormula = RecursiveFormula<T> && T::kInputs == 1 && requires { &T::run_lanes; };

/// Runs a formula over blocks: one virtual call a block, none a value.
template <class T>
  requires(WindowFormula<T> || RecursiveFormula<T>)
class KernelOf final : public Kernel {
 public:
  explicit KernelOf(const T& formula) : formula_(formula) {}

  void run(const Wires& wires, std::ptrdiff_t begin, std::ptrdiff_t end) override {
#ifdef __x86_64__
    if (!RecursiveFormula<T> && __builtin_cpu_supports("avx2")) return loop_with_avx2(formula_, wires, begin, end);
#endif
    loop(formula_, wires, begin, end);
  }

  void step_all(std::span<Kernel* const> kernels, std::span<const Wires> wires, std::ptrdiff_t t) const override {
    for (std::size_t k = 0; k < kernels.size(); ++k)
      wires[k].out[t] = value(static_cast<KernelOf*>(kernels[k])->formula_, wires[k], t, Inputs());
  }

  [[nodiscard]] bool has_lanes() const override { return LaneFormula<T>; }

  void run_all(std::span<Kernel* const> kernels, std::span<const Wires> wires, std::ptrdiff_t begin,
               std::ptrdiff_t end) const override {
    if constexpr (LaneFormula<T>) {
      constexpr std::size_t kLanes = 32;
      std::array<T*, kLanes> formulas;
      std::array<const double*, kLanes> in;
      std::array<double*, kLanes> out;
      for (std::size_t first = 0; first < kernels.size(); first += kLanes) {
        const std::size_t count = std::min(kLanes, kernels.size() - first);
        for (std::size_t k = 0; k < count; ++k) {
          formulas[k] = &static_cast<KernelOf*>(kernels[first + k])->formula_;
          in[k] = wires[first + k].in[0];
          out[k] = wires[first + k].out;
        }
        T::run_lanes(std::span(formulas).first(count), in.data(), out.data(), begin, end);
      }
    } else {
      for (std::size_t k = 0; k < kernels.size(); ++k) kernels[k]->run(wires[k], begin, end);
    }
  }

  std::span<std::byte> memory() override {
    if constexpr (RecursiveFormula<T>)
      return std::as_writable_bytes(std::span(&formula_.memory, 1));
    else
      return {};
  }

  [[nodiscard]] std::span<const std::byte> memory() const override {
    if constexpr (RecursiveFormula<T>)
      return std::as_bytes(std::span(&formula_.memory, 1));
    else
      return {};
  }

  [[nodiscard]] std::unique_ptr<Kernel> clone() const override { return std::make_unique<KernelOf>(*this); }

  [[nodiscard]] bool same_as(const Kernel& other) const override {
    const auto* const twin = dynamic_cast<const KernelOf*>(&other);
    return twin != nullptr && twin->formula_ == formula_;
  }

  [[nodiscard]] int inputs() const override { return T::kInputs; }

  [[nodiscard]] int lookback([[maybe_unused]] int input) const override {
    if constexpr (RecursiveFormula<T>)
      return 0;
    else if constexpr (requires { formula_.lookback(input); })
      return formula_.lookback(input);
    else
      return formula_.lookback();
  }

  [[nodiscard]] int delay() const override {
    if constexpr (RecursiveFormula<T>)
      return formula_.delay();
    else
      return 0;
  }

  [[nodiscard]] bool recursive() const override { return RecursiveFormula<T>; }

  [[nodiscard]] int settle() const override {
    if constexpr (RecursiveFormula<T>)
      return formula_.settle();
    else
      return 0;
  }

 private:
  using Inputs = std::make_integer_sequence<int, T::kInputs>;

  template <int... I>
  [[gnu::always_inline]] static double value(auto& formula, const Wires& wires, std::ptrdiff_t t,
                                             std::integer_sequence<int, I...>) {
    if constexpr (RecursiveFormula<T>)
      return formula.step(wires.in[I][t]...);
    else
      return formula.at((wires.in[I] + t)...);
  }

  [[gnu::always_inline]] static void loop(T& shared, const Wires& wires, std::ptrdiff_t begin, std::ptrdiff_t end) {
    T formula = shared;  // locals stay in registers
    const Wires local = wires;
    for (std::ptrdiff_t t = begin; t < end; ++t) local.out[t] = value(formula, local, t, Inputs());
    if constexpr (RecursiveFormula<T>) shared.memory = formula.memory;
  }

#ifdef __x86_64__
  /// The same operations on wider vectors: each is exactly rounded, so the bits are the same.
  [[gnu::target("avx2")]] static void loop_with_avx2(T& formula, const Wires& wires, std::ptrdiff_t begin,
                                                     std::ptrdiff_t end) {
    loop(formula, wires, begin, end);
  }
#endif

  T formula_;
};

}  // namespace sentio

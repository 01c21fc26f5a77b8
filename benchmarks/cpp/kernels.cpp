// Nanoseconds of the evaluator's arithmetic, by every set of kernels that this processor can run: what an MLP
// 55-128-128-1 needs of it for one row and for a block of 64, and a transformer of width 96 for one window of 32 rows.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <functional>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "inference/kernels.hpp"

namespace {

using namespace sentio;

constexpr std::size_t kAlignment = 64;  // what kernels.hpp asks of its data
constexpr std::size_t kBlock = 64;
constexpr std::size_t kFeatures = 55;
constexpr std::size_t kHidden = 128;
constexpr std::size_t kTokens = 32;
constexpr std::size_t kWidth = 96;
constexpr std::size_t kInner = 192;
constexpr std::size_t kHeads = 4;

template <class T>
struct Aligned {
  using value_type = T;
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(kAlignment))); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t(kAlignment)); }
  bool operator==(const Aligned&) const { return true; }
};
using Floats = std::vector<float, Aligned<float>>;

/// Rows of standard normal numbers, padded with zeros.
Floats rows_of(std::size_t rows, std::size_t width) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  Floats cells(rows * padded(width));
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t k = 0; k < width; ++k) cells[r * padded(width) + k] = normal(random);
  return cells;
}

void add(const std::string& name, std::function<void()> work) {
  benchmark::RegisterBenchmark(name.c_str(), [work = std::move(work)](benchmark::State& state) {
    for (auto _ : state) {
      work();
      benchmark::ClobberMemory();
    }
  });
}

void add_linear(const Kernels& kernels, std::size_t rows, std::size_t inputs, std::size_t outputs) {
  const std::string name = std::string(kernels.name) + "/linear " + std::to_string(inputs) + " to " +
                           std::to_string(outputs) + "/" + std::to_string(rows);
  add(name, [&kernels, rows, inputs, outputs, x = rows_of(rows, inputs), weights = rows_of(inputs, outputs),
             bias = rows_of(1, outputs), y = rows_of(rows, outputs)]() mutable {
    kernels.linear(x.data(), rows, inputs, weights.data(), bias.data(), outputs, y.data());
  });
}

/// In place; begins from the same values each time, as values that settle would take another path.
void add_activation(const Kernels& kernels, const char* name, void (*activation)(float*, std::size_t),
                    std::size_t rows) {
  add(std::string(kernels.name) + "/" + name + " 128/" + std::to_string(rows),
      [activation, x = rows_of(rows, kHidden), y = rows_of(rows, kHidden)]() mutable {
        std::copy(x.begin(), x.end(), y.begin());
        activation(y.data(), y.size());
      });
}

void add_mlp(const Kernels& kernels, std::size_t rows) {
  const Floats mean = rows_of(1, kFeatures), std = Floats(padded(kFeatures), 1.0F);
  constexpr float kClip = 8.0F;
  add(std::string(kernels.name) + "/normalise 55/" + std::to_string(rows),
      [&kernels, rows, mean, std, x = rows_of(rows, kFeatures), y = rows_of(rows, kFeatures)]() mutable {
        kernels.normalise(x.data(), rows, kFeatures, mean.data(), std.data(), kClip, y.data());
      });
  add_linear(kernels, rows, kFeatures, kHidden);
  add_linear(kernels, rows, kHidden, kHidden);
  add_linear(kernels, rows, kHidden, 1);
  add_activation(kernels, "gelu", kernels.gelu, rows);
  add_activation(kernels, "relu", kernels.relu, rows);
  add_activation(kernels, "silu", kernels.silu, rows);
  add_activation(kernels, "tanh", kernels.tanh, rows);
}

void add_transformer(const Kernels& kernels) {
  constexpr float kEpsilon = 1e-5F;
  add_linear(kernels, kTokens, kFeatures, kWidth);
  add_linear(kernels, kTokens, kWidth, kWidth);
  add_linear(kernels, kTokens, kWidth, kInner);
  add_linear(kernels, kTokens, kInner, kWidth);
  const std::string set(kernels.name);
  add(set + "/layer_norm 96/" + std::to_string(kTokens),
      [&kernels, x = rows_of(kTokens, kWidth), gain = rows_of(1, kWidth), bias = rows_of(1, kWidth),
       y = rows_of(kTokens, kWidth)]() mutable {
        kernels.layer_norm(x.data(), kTokens, kWidth, gain.data(), bias.data(), kEpsilon, y.data());
      });
  for (const std::size_t queries : {kTokens, std::size_t{1}})
    add(set + "/attention 96, 4 heads, 32 keys/" + std::to_string(queries),
        [&kernels, queries, q = rows_of(queries, kWidth), k = rows_of(kTokens, kWidth), v = rows_of(kTokens, kWidth),
         scratch = Floats(attention_scratch(kTokens, kWidth / kHeads)), y = rows_of(queries, kWidth)]() mutable {
          kernels.attention(q.data(), padded(kWidth), k.data(), padded(kWidth), v.data(), padded(kWidth), queries,
                            kTokens, kHeads, kWidth / kHeads, false, scratch.data(), y.data());
        });
}

}  // namespace

int main(int count, char** arguments) {
  for (const Kernels& kernels : available_kernels()) {
    add_mlp(kernels, 1);
    add_mlp(kernels, kBlock);
    add_transformer(kernels);
  }
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

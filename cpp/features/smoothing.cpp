#include "features/smoothing.hpp"

#include <array>
#include <cmath>
#include <utility>

namespace sentio {
namespace {

/// `N` seeded means at once. N is known to the compiler, so that their values stay in registers.
template <std::size_t N>
void run_seeded(RecursiveMean* const* means, const double* const* in, double* const* out, std::ptrdiff_t begin,
                std::ptrdiff_t end) {
  std::array<double, N> alpha, value;
  std::array<const double*, N> from;
  std::array<double*, N> to;
  for (std::size_t k = 0; k < N; ++k) {
    alpha[k] = means[k]->alpha;
    value[k] = means[k]->memory.value;
    from[k] = in[k];
    to[k] = out[k];
  }
  for (std::ptrdiff_t t = begin; t < end; ++t)
    for (std::size_t k = 0; k < N; ++k) to[k][t] = value[k] += alpha[k] * (from[k][t] - value[k]);
  for (std::size_t k = 0; k < N; ++k) means[k]->memory.value = value[k];
}

constexpr std::size_t kMostLanes = 12;

template <std::size_t... I>
constexpr auto run_seeded_of(std::index_sequence<I...>) {
  return std::array{&run_seeded<I + 1>...};
}

/// By the number of means, from 1 on.
constexpr auto kRunSeeded = run_seeded_of(std::make_index_sequence<kMostLanes>());

}  // namespace

void RecursiveMean::run_lanes(std::span<RecursiveMean* const> means, const double* const* in, double* const* out,
                              std::ptrdiff_t begin, std::ptrdiff_t end) {
  // Until the last of them has its seed, each goes for itself.
  std::ptrdiff_t seeded = begin;
  for (const RecursiveMean* const mean : means) {
    const double left = std::ceil(mean->skip + mean->seed - mean->memory.seen);
    if (left > static_cast<double>(seeded - begin))
      seeded = left < static_cast<double>(end - begin) ? begin + static_cast<std::ptrdiff_t>(left) : end;
  }
  for (std::size_t k = 0; k < means.size(); ++k)
    for (std::ptrdiff_t t = begin; t < seeded; ++t) out[k][t] = means[k]->step(in[k][t]);

  // As few loops as the registers allow, of about one size: each takes as long as one mean alone.
  const std::size_t loops = (means.size() + kMostLanes - 1) / kMostLanes;
  for (std::size_t first = 0, loop = 0; loop < loops; ++loop) {
    const std::size_t count = (means.size() - first) / (loops - loop);
    kRunSeeded[count - 1](&means[first], in + first, out + first, seeded, end);
    first += count;
  }
}

}  // namespace sentio

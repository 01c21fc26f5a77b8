#include "features/smoothing.hpp"

#include <array>

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
    value[k] = means[k]->value;
    from[k] = in[k];
    to[k] = out[k];
  }
  for (std::ptrdiff_t t = begin; t < end; ++t)
    for (std::size_t k = 0; k < N; ++k) to[k][t] = value[k] += alpha[k] * (from[k][t] - value[k]);
  for (std::size_t k = 0; k < N; ++k) means[k]->value = value[k];
}

}  // namespace

void RecursiveMean::run_lanes(std::span<RecursiveMean* const> means, const double* const* in, double* const* out,
                              std::ptrdiff_t begin, std::ptrdiff_t end) {
  // Until the last of them has its seed, each goes for itself.
  std::ptrdiff_t seeded = begin;
  for (const RecursiveMean* const mean : means) {
    const double left = mean->skip + mean->seed - mean->seen;
    if (left > static_cast<double>(seeded - begin))
      seeded = left < static_cast<double>(end - begin) ? begin + static_cast<std::ptrdiff_t>(left) : end;
  }
  for (std::size_t k = 0; k < means.size(); ++k)
    for (std::ptrdiff_t t = begin; t < seeded; ++t) out[k][t] = means[k]->step(in[k][t]);

  std::size_t k = 0;
  for (; k + 8 <= means.size(); k += 8) run_seeded<8>(&means[k], in + k, out + k, seeded, end);
  for (; k + 4 <= means.size(); k += 4) run_seeded<4>(&means[k], in + k, out + k, seeded, end);
  for (; k + 2 <= means.size(); k += 2) run_seeded<2>(&means[k], in + k, out + k, seeded, end);
  for (; k < means.size(); ++k) run_seeded<1>(&means[k], in + k, out + k, seeded, end);
}

}  // namespace sentio

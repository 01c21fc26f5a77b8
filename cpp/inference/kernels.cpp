#include "inference/kernels.hpp"

#include <algorithm>
#include <vector>

#include "inference/kernel_sets.hpp"

namespace sentio {

std::size_t attention_scratch(std::size_t keys, std::size_t head_width) {
  const std::size_t row = padded(keys), head_row = padded(head_width);
  return head_width * row + keys * head_row + kQueryBlock * (row + head_row) + std::max(row, head_row);
}

std::span<const Kernels> available_kernels() {
  static const std::vector<Kernels> available = [] {
    std::vector<Kernels> sets;
#if defined(__x86_64__)
    // The builtin asks the operating system as well: it must save the wide registers.
    if (__builtin_cpu_supports("avx512f")) sets.push_back(kAvx512Kernels);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back(kAvx2Kernels);
#elif defined(__aarch64__)
    sets.push_back(kNeonKernels);
#endif
    sets.push_back(kPortableKernels);
    return sets;
  }();
  return available;
}

}  // namespace sentio

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace sentio {

/// reserve(count) for a column of a long run. On Linux the memory is asked for in huge pages, as NumPy does: a million
/// bars touch some ten thousand pages of 4 KiB for the first time, which takes longer than simulating them.
template <class T>
void reserve_column(std::vector<T>& column, std::size_t count) {
  column.reserve(count);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t kPage = 4096, kWorthIt = 4U << 20U;
  const std::size_t bytes = column.capacity() * sizeof(T);
  if (bytes < kWorthIt) return;
  const auto begin = (reinterpret_cast<std::uintptr_t>(column.data()) + kPage - 1) / kPage * kPage;
  const auto end = (reinterpret_cast<std::uintptr_t>(column.data()) + bytes) / kPage * kPage;
  // Only advice: the values are the same whether the system takes it or not.
  static_cast<void>(madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE));
#endif
}

}  // namespace sentio

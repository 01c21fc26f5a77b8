#pragma once

#include <cstddef>

namespace sentio::test {

/// Calls of operator new so far. A program that links allocations.cpp has every one of them counted.
[[nodiscard]] std::size_t allocations();

}  // namespace sentio::test

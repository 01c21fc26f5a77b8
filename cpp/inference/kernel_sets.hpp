#pragma once

#include "inference/kernels.hpp"

namespace sentio {

// Each is defined where its instructions exist, and may be called where the processor has them.
extern const Kernels kPortableKernels, kAvx2Kernels, kAvx512Kernels, kNeonKernels;

}  // namespace sentio

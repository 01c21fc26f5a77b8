#pragma once

#include <string>

#ifndef SENTIO_VERSION
#error "the build defines SENTIO_VERSION, the version of the package"
#endif

namespace sentio::cli {

inline std::string program_version() { return SENTIO_VERSION; }

}  // namespace sentio::cli

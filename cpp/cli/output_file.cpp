#include "cli/output_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>

namespace sentio::cli {
namespace {

std::filesystem::path beside(std::filesystem::path path) {
  path += ".part" + std::to_string(getpid());
  return path;
}

}  // namespace

OutputFile::OutputFile(std::filesystem::path path)
    : path_(std::move(path)), aside_(beside(path_)), stream_(aside_, std::ios::binary | std::ios::trunc) {
  if (!stream_) throw std::runtime_error(path_.string() + ": cannot be written, " + std::strerror(errno));
}

OutputFile::~OutputFile() {
  std::error_code ignored;  // already gone after commit()
  std::filesystem::remove(aside_, ignored);
}

void OutputFile::commit() {
  stream_.close();
  if (!stream_) throw std::runtime_error(path_.string() + ": cannot be written to its end");
  std::filesystem::rename(aside_, path_);
}

}  // namespace sentio::cli

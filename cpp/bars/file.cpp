#include "bars/file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "bars/error.hpp"

namespace sentio {

std::string read_file(const std::filesystem::path& path) {
  std::error_code ignored;  // what cannot be looked at cannot be opened either, and that says why
  if (std::filesystem::is_directory(path, ignored)) throw InputError(path.string() + ": is a directory, not a file");
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw InputError(path.string() + ": " + std::strerror(errno));
  std::string content(static_cast<std::size_t>(file.tellg()), '\0');
  file.seekg(0);
  if (!file.read(content.data(), static_cast<std::streamsize>(content.size())))
    throw InputError(path.string() + ": cannot be read to its end");
  return content;
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  auto aside = path;
  aside += ".part" + std::to_string(getpid());
  try {
    std::ofstream file(aside, std::ios::binary | std::ios::trunc);
    if (!file) throw std::runtime_error(path.string() + ": cannot be written, " + std::strerror(errno));
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    if (!file) throw std::runtime_error(path.string() + ": cannot be written to its end");
    std::filesystem::rename(aside, path);
  } catch (...) {
    std::error_code second;  // the first error is the one to report
    std::filesystem::remove(aside, second);
    throw;
  }
}

}  // namespace sentio

#include "bars/file.hpp"

#include <fcntl.h>
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

namespace {

/// A file that is closed when it goes.
class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags) : path_(path), number_(open(path.c_str(), flags, 0666)) {
    if (number_ < 0) fail();
  }
  ~Descriptor() { close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void write_all(std::span<const std::byte> content) const {
    while (!content.empty()) {
      const ssize_t count = write(number_, content.data(), content.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail();
      content = content.subspan(static_cast<std::size_t>(count));
    }
  }

  void sync() const {
    if (fsync(number_) != 0) fail();
  }

 private:
  [[noreturn]] void fail() const {
    throw std::runtime_error(path_.string() + ": cannot be written, " + std::strerror(errno));
  }

  std::filesystem::path path_;
  int number_;
};

}  // namespace

void write_file_durably(const std::filesystem::path& path, std::span<const std::byte> content) {
  auto aside = path;
  aside += ".part";  // one name, so that what a killed process has left is written over
  {
    const Descriptor file(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
    file.write_all(content);
    file.sync();
  }
  std::filesystem::rename(aside, path);
  const std::filesystem::path folder = path.parent_path();
  Descriptor(folder.empty() ? "." : folder, O_RDONLY | O_CLOEXEC).sync();  // the new name too
}

}  // namespace sentio

#include "bars/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "bars/error.hpp"

namespace sentio {

InputFile::InputFile(const std::filesystem::path& path)
    // Without O_NONBLOCK the opening of a pipe waits for somebody who writes to it.
    : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
  if (descriptor_ < 0) throw InputError(path_.string() + ": " + std::strerror(errno));
  struct stat facts {};
  const bool known = fstat(descriptor_, &facts) == 0;
  if (known && S_ISREG(facts.st_mode)) {
    size_ = static_cast<std::uintmax_t>(facts.st_size);
    return;
  }
  const std::string what = !known                   ? std::strerror(errno)
                           : S_ISDIR(facts.st_mode) ? "is a directory, not a file"
                                                    : "is a pipe or a device, not a file";
  close(descriptor_);
  throw InputError(path_.string() + ": " + what);
}

InputFile::~InputFile() { close(descriptor_); }

std::size_t InputFile::read(std::span<char> room) {
  std::size_t filled = 0;
  while (filled < room.size()) {
    const ssize_t count = ::read(descriptor_, room.data() + filled, room.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw InputError(path_.string() + ": " + std::strerror(errno));
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  return filled;
}

std::string read_file(const std::filesystem::path& path, std::uintmax_t most) {
  InputFile file(path);
  if (file.size() > most)
    throw InputError(path.string() + ": must have at most " + std::to_string(most) + " bytes, found " +
                     std::to_string(file.size()));
  std::string content(static_cast<std::size_t>(file.size()), '\0');
  if (file.read(content) != content.size()) throw InputError(path.string() + ": was cut while it was read");
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

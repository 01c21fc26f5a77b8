#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace sentio {

/// A regular file, opened to be read. Pipes and devices, which may block or never end, are refused.
class InputFile {
 public:
  /// @throws InputError "path: what is wrong".
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// Bytes when it was opened.
  [[nodiscard]] std::uintmax_t size() const { return size_; }

  /// The bytes that come next, fewer than there is room for only at the end.
  [[nodiscard]] std::size_t read(std::span<char> room);

 private:
  std::filesystem::path path_;
  int descriptor_;
  std::uintmax_t size_ = 0;
};

inline constexpr std::uintmax_t kAnySize = UINTMAX_MAX;

/// The whole content of a file of at most `most` bytes. @throws InputError "path: what is wrong".
[[nodiscard]] std::string read_file(const std::filesystem::path& path, std::uintmax_t most = kAnySize);

/// Writes a file beside its final place and renames it, so that it is never half there.
/// @throws std::runtime_error "path: what is wrong".
void write_file(const std::filesystem::path& path, std::string_view content);

/// The same, and on disk before it returns: what is there after a power cut is the old content or the new.
void write_file_durably(const std::filesystem::path& path, std::span<const std::byte> content);

}  // namespace sentio

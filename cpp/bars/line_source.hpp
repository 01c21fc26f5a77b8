#pragma once

#include <zlib.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace sentio {

/// The lines of a text file, plain or gzip (told apart by content), in constant memory.
class LineSource {
 public:
  /// @throws InputError if the file cannot be opened.
  explicit LineSource(const std::filesystem::path& path);

  /// Moves to the next line, without its LF or CRLF; false at the end. The character behind the line is always
  /// readable and never a digit. @throws InputError if the file is cut off or not what it seems.
  [[nodiscard]] bool next(std::string_view& line);

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };

  void refill();

  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
  std::string buffer_;
  std::size_t begin_ = 0, end_ = 0;  ///< the unread part of the buffer
  bool at_end_ = false;
};

}  // namespace sentio

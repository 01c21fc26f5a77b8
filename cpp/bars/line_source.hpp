#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sentio {

/// The lines of a text file, plain or gzip (told apart by content), in constant memory.
class LineSource {
 public:
  /// @throws InputError if the file cannot be opened.
  explicit LineSource(const std::filesystem::path& path);

  /// Moves to the next line, without its LF or CRLF; false at the end. The character behind the line is always
  /// readable and never a digit. @throws InputError if the file is cut off or damaged.
  [[nodiscard]] bool next(std::string_view& line);

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct EndInflate {
    void operator()(z_stream* stream) const {
      inflateEnd(stream);
      delete stream;
    }
  };

  void refill();
  /// Both write at most `size` characters to `out` and return how many; 0 at the end of the file.
  std::size_t read_plain(char* out, std::size_t size);
  std::size_t read_gzip(char* out, std::size_t size);

  std::string path_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::unique_ptr<z_stream, EndInflate> gzip_;  ///< none for a plain file
  std::vector<unsigned char> compressed_;
  bool within_member_ = false;
  std::string buffer_;
  std::size_t begin_ = 0, end_ = 0;  ///< the unread part of the buffer
  bool at_end_ = false;
};

}  // namespace sentio

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sentio::cli {

/// The lines of standard input as they come, until it ends or the program is asked to stop by SIGINT or SIGTERM. A line
/// that was not whole by then is dropped.
class LiveLines {
 public:
  LiveLines();
  ~LiveLines();
  LiveLines(const LiveLines&) = delete;
  LiveLines& operator=(const LiveLines&) = delete;

  struct Line {
    std::string_view text;  ///< without its LF or CRLF; the character behind it is a line end
    bool too_long = false;  ///< more than 1 MiB, and not kept
    bool ended = true;      ///< false of a last line that the input ends within
  };

  /// Waits for the next line; false at the end. @throws std::runtime_error if standard input cannot be read.
  [[nodiscard]] bool next(Line& line);

  /// "end of input", "SIGINT" or "SIGTERM".
  [[nodiscard]] std::string_view why_ended() const;

 private:
  [[nodiscard]] bool refill();

  std::string buffer_;
  std::size_t begin_ = 0, searched_ = 0;
  bool at_end_ = false, discarding_ = false;
};

}  // namespace sentio::cli

#include "cli/live_lines.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

namespace sentio::cli {
namespace {

constexpr std::size_t kLongestLine = 1 << 20, kPiece = 1 << 16;

// What a signal handler may touch. A byte in the pipe wakes a wait that began before the signal came.
volatile std::sig_atomic_t asked_to_stop = 0;
int wake[2] = {-1, -1};

extern "C" void stop_reading(int signal) {
  const int error = errno;
  asked_to_stop = signal;
  [[maybe_unused]] const ssize_t written = write(wake[1], "x", 1);
  errno = error;
}

std::runtime_error failure() {
  return std::runtime_error(std::string("stdin: cannot be read, ") + std::strerror(errno));
}

}  // namespace

LiveLines::LiveLines() {
  // Else the pipe would take its number, and the stream would wait for itself.
  if (fcntl(STDIN_FILENO, F_GETFD) < 0) throw failure();
  if (pipe(wake) != 0) throw failure();
  for (const int end : wake) fcntl(end, F_SETFD, FD_CLOEXEC);
  std::signal(SIGINT, stop_reading);
  std::signal(SIGTERM, stop_reading);
}

LiveLines::~LiveLines() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  for (int& end : wake) {
    close(end);
    end = -1;
  }
}

std::string_view LiveLines::why_ended() const {
  return asked_to_stop == SIGINT ? "SIGINT" : asked_to_stop == SIGTERM ? "SIGTERM" : "end of input";
}

/// Waits for input; false where there will be none.
bool LiveLines::refill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  std::array<pollfd, 2> waiting{{{STDIN_FILENO, POLLIN, 0}, {wake[0], POLLIN, 0}}};
  while (asked_to_stop == 0) {
    if (poll(waiting.data(), waiting.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw failure();
    }
    if (waiting[0].revents == 0) continue;
    const std::size_t size = buffer_.size();
    buffer_.resize(size + kPiece);
    const ssize_t count = read(STDIN_FILENO, buffer_.data() + size, kPiece);
    const int error = errno;
    buffer_.resize(size + (count > 0 ? static_cast<std::size_t>(count) : 0));
    if (count > 0) return true;
    if (count == 0) return false;
    errno = error;
    if (errno != EINTR && errno != EAGAIN) throw failure();
  }
  return false;
}

bool LiveLines::next(Line& line) {
  line = {};
  while (asked_to_stop == 0) {
    const std::size_t end = buffer_.find('\n', begin_ + searched_);
    if (end == std::string::npos && !at_end_) {
      searched_ = buffer_.size() - begin_;
      if (searched_ > kLongestLine) {
        discarding_ = true;
        begin_ = buffer_.size();
        searched_ = 0;
      }
      at_end_ = !refill();
      if (at_end_ && asked_to_stop == 0 && (buffer_.size() > begin_ || discarding_)) buffer_ += '\n';
      continue;
    }
    if (end == std::string::npos) return false;
    std::size_t length = end - begin_;
    if (length > 0 && buffer_[end - 1] == '\r') --length;
    line.text = std::string_view(buffer_).substr(begin_, length);
    line.too_long = discarding_ || length > kLongestLine;
    line.ended = !at_end_;
    discarding_ = false;
    begin_ = end + 1;
    searched_ = 0;
    return true;
  }
  return false;
}

}  // namespace sentio::cli

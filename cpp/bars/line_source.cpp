#include "bars/line_source.hpp"

#include <cerrno>
#include <cstring>

#include "bars/error.hpp"

namespace sentio {
namespace {

constexpr std::size_t kBuffer = 1 << 20;

}  // namespace

LineSource::LineSource(const std::filesystem::path& path) : path_(path.string()) {
  if (std::filesystem::is_directory(path)) throw InputError(path_ + ": is a directory, not a file");
  errno = 0;
  file_.reset(gzopen(path_.c_str(), "rb"));
  if (!file_) throw InputError(path_ + ": " + (errno != 0 ? std::strerror(errno) : "cannot be opened"));
  gzbuffer(file_.get(), 1 << 17);
  buffer_.resize(kBuffer + 1);  // one more for the line feed behind a last line that has none
}

void LineSource::refill() {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (end_ == kBuffer) throw InputError(path_ + ": has a line longer than 1 MiB, so it is no CSV file of bars");
  const int count = gzread(file_.get(), buffer_.data() + end_, static_cast<unsigned>(kBuffer - end_));
  int code = Z_OK;
  const char* const what = gzerror(file_.get(), &code);
  if (count < 0 || (code != Z_OK && code != Z_STREAM_END)) {
    const bool cut = code == Z_BUF_ERROR;
    throw InputError(path_ + ": " + (cut ? "is cut off: the gzip stream has no end" : std::string(what)));
  }
  at_end_ = count == 0;
  end_ += static_cast<std::size_t>(count);
}

bool LineSource::next(std::string_view& line) {
  std::size_t searched = 0;
  for (;;) {
    char* const begin = buffer_.data() + begin_;
    const std::size_t size = end_ - begin_;
    const void* const found = std::memchr(begin + searched, '\n', size - searched);
    if (found == nullptr && !at_end_) {
      searched = size;
      refill();
      continue;
    }
    if (found == nullptr && size == 0) return false;
    std::size_t length = size;
    if (found != nullptr) {
      length = static_cast<std::size_t>(static_cast<const char*>(found) - begin);
      begin_ += length + 1;
    } else {
      begin[length] = '\n';
      begin_ = end_;
    }
    if (length > 0 && begin[length - 1] == '\r') --length;
    line = {begin, length};
    return true;
  }
}

}  // namespace sentio

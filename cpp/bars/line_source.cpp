#include "bars/line_source.hpp"

#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>

#include "bars/error.hpp"

namespace sentio {
namespace {

/// A small file is read into a small buffer; one that fills it, or a line that does, gets twice the room.
constexpr std::size_t kFirstBuffer = 1 << 16, kLongestLine = 1 << 20, kCompressed = 1 << 17;

}  // namespace

LineSource::LineSource(const std::filesystem::path& path) : path_(path.string()) {
  std::error_code ignored;  // what cannot be looked at cannot be opened either, and that says why
  if (std::filesystem::is_directory(path, ignored)) throw InputError(path_ + ": is a directory, not a file");
  file_.reset(std::fopen(path_.c_str(), "rb"));
  if (!file_) throw InputError(path_ + ": " + std::strerror(errno));
  buffer_.resize(kFirstBuffer + 1);  // one more for the line feed behind a last line that has none

  // RFC 1952: a gzip file begins with 1f 8b.
  end_ = read_plain(buffer_.data(), 2);
  if (end_ < 2 || buffer_[0] != '\x1f' || buffer_[1] != '\x8b') return;
  compressed_.assign(buffer_.begin(), buffer_.begin() + 2);
  compressed_.resize(kCompressed);
  end_ = 0;
  auto stream = std::make_unique<z_stream>();
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (inflateInit2(stream.get(), kGzipOnly) != Z_OK) throw std::bad_alloc();
  gzip_.reset(stream.release());
  gzip_->next_in = compressed_.data();
  gzip_->avail_in = 2;
}

std::size_t LineSource::read_plain(char* out, std::size_t size) {
  const std::size_t count = std::fread(out, 1, size, file_.get());
  if (count < size && std::ferror(file_.get()) != 0) throw InputError(path_ + ": cannot be read to its end");
  return count;
}

std::size_t LineSource::read_gzip(char* out, std::size_t size) {
  gzip_->next_out = reinterpret_cast<Bytef*>(out);
  gzip_->avail_out = static_cast<uInt>(size);
  while (gzip_->avail_out == size) {
    if (gzip_->avail_in == 0) {
      const std::size_t count = read_plain(reinterpret_cast<char*>(compressed_.data()), kCompressed);
      if (count == 0 && within_member_) throw InputError(path_ + ": is cut off: the gzip stream has no end");
      if (count == 0) return 0;
      gzip_->next_in = compressed_.data();
      gzip_->avail_in = static_cast<uInt>(count);
    }
    within_member_ = true;
    const int code = inflate(gzip_.get(), Z_NO_FLUSH);
    if (code == Z_STREAM_END) {  // another member may follow, and nothing else may
      within_member_ = false;
      inflateReset(gzip_.get());
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      throw InputError(path_ + ": is damaged: " + (gzip_->msg != nullptr ? gzip_->msg : "the gzip stream is wrong"));
    }
  }
  return size - gzip_->avail_out;
}

void LineSource::refill() {
  const bool filled = end_ == buffer_.size() - 1;
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (end_ == kLongestLine) throw InputError(path_ + ": has a line longer than 1 MiB, so it is no CSV file of bars");
  if (filled && buffer_.size() <= kLongestLine) buffer_.resize(2 * (buffer_.size() - 1) + 1);
  char* const out = buffer_.data() + end_;
  const std::size_t room = buffer_.size() - 1 - end_;
  const std::size_t count = gzip_ ? read_gzip(out, room) : read_plain(out, room);
  at_end_ = count == 0;
  end_ += count;
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

#include "cli/output_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>

namespace sentio::cli {
namespace {

/// The aside file that a signal must remove. A program writes one output at a time.
constexpr std::size_t kLongestPath = 4096;
char unfinished[kLongestPath] = "";  // plain characters: all that a signal handler may read

extern "C" void remove_unfinished(int signal) {
  if (unfinished[0] != '\0') unlink(unfinished);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void watch(const std::string& path) {
  if (path.size() >= kLongestPath) return;
  std::memcpy(unfinished, path.c_str(), path.size() + 1);
  std::signal(SIGINT, remove_unfinished);
  std::signal(SIGTERM, remove_unfinished);
}

std::filesystem::path beside(std::filesystem::path path) {
  path += ".part" + std::to_string(getpid());
  return path;
}

}  // namespace

OutputFile::OutputFile(std::filesystem::path path) : path_(std::move(path)), aside_(beside(path_)) {
  watch(aside_.string());  // before there is a file that a signal could leave behind
  stream_.open(aside_, std::ios::binary | std::ios::trunc);
  if (!stream_) throw std::runtime_error(path_.string() + ": cannot be written, " + std::strerror(errno));
}

OutputFile::~OutputFile() {
  std::error_code ignored;  // already gone after commit()
  std::filesystem::remove(aside_, ignored);
  unfinished[0] = '\0';
}

void OutputFile::commit() {
  stream_.close();
  if (!stream_) throw std::runtime_error(path_.string() + ": cannot be written to its end");
  std::filesystem::rename(aside_, path_);
}

}  // namespace sentio::cli

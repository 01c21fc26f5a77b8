#pragma once

#include <filesystem>
#include <fstream>

namespace sentio::cli {

/// A file written beside its final place, bit by bit, and renamed by commit(). Without commit() nothing stays.
class OutputFile {
 public:
  explicit OutputFile(std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  [[nodiscard]] std::ostream& stream() { return stream_; }

  /// @throws std::runtime_error if anything could not be written
  void commit();

 private:
  std::filesystem::path path_, aside_;
  std::ofstream stream_;
};

}  // namespace sentio::cli

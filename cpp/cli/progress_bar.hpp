#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace sentio::cli {

/// A bar on stderr, only where that is a terminal and the work takes longer than half a second. Gone when it is done.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(std::size_t done, std::size_t total);

  /// @param share of the work that is done, 0 to 1
  /// @param text how much that is: "1 of 3 symbols done"
  void show(double share, const std::string& text);

 private:
  [[nodiscard]] bool due();

  std::string label_;
  bool enabled_, shown_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace sentio::cli

#include "cli/progress_bar.hpp"

#include <unistd.h>

#include <iostream>

#include "backtest/text.hpp"

namespace sentio::cli {
namespace {

constexpr std::chrono::milliseconds kPatience{500}, kRefresh{100};
constexpr std::size_t kCells = 30;

}  // namespace

ProgressBar::ProgressBar(std::string label)
    : label_(std::move(label)),
      enabled_(isatty(STDERR_FILENO) != 0),
      next_(std::chrono::steady_clock::now() + kPatience) {}

ProgressBar::~ProgressBar() {
  if (shown_) std::cerr << "\r\033[K" << std::flush;
}

bool ProgressBar::due() {
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || now < next_) return false;
  next_ = now + kRefresh;
  return true;
}

void ProgressBar::show(std::size_t done, std::size_t total) {
  show(static_cast<double>(done) / static_cast<double>(total), grouped(done) + " of " + grouped(total) + " bars");
}

void ProgressBar::show(double share, const std::string& text) {
  if (!due()) return;
  shown_ = true;
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(kCells));
  std::cerr << '\r' << label_ << " [" << std::string(filled, '#') << std::string(kCells - filled, '.') << "] " << text
            << "\033[K" << std::flush;
}

}  // namespace sentio::cli

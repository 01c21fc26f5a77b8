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

void ProgressBar::show(std::size_t done, std::size_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || now < next_) return;
  next_ = now + kRefresh;
  shown_ = true;
  const std::size_t filled = kCells * done / total;
  std::cerr << '\r' << label_ << " [" << std::string(filled, '#') << std::string(kCells - filled, '.') << "] "
            << grouped(done) << " of " << grouped(total) << " bars\033[K" << std::flush;
}

}  // namespace sentio::cli

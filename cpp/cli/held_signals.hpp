#pragma once

#include <csignal>

namespace sentio::cli {

/// Holds SIGINT and SIGTERM back while it lives, for the short time in which outputs are put into place; one that came
/// is raised at its end.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  struct sigaction interrupt_ {
  }, terminate_{};
};

}  // namespace sentio::cli

#include "cli/held_signals.hpp"

namespace sentio::cli {
namespace {

volatile std::sig_atomic_t held = 0;  // all that a signal handler may write

extern "C" void hold(int signal) { held = signal; }

}  // namespace

HeldSignals::HeldSignals() {
  held = 0;
  struct sigaction action {};
  action.sa_handler = hold;
  action.sa_flags = SA_RESTART;  // a write that is under way goes on
  sigaction(SIGINT, &action, &interrupt_);
  sigaction(SIGTERM, &action, &terminate_);
}

HeldSignals::~HeldSignals() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
  if (held != 0) std::raise(held);
}

}  // namespace sentio::cli

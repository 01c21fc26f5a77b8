#pragma once

#include <cstdint>
#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace sentio {

/// While it lives, this thread rounds to nearest and keeps subnormal numbers, as IEEE-754 has it. The program around
/// the engine may want otherwise, and a library built with fast-math does so on being loaded; no feature may change for
/// it.
class ExactArithmetic {
 public:
  ExactArithmetic() : found_(control()) {
    if ((found_ & kInexact) != 0) set_control(found_ & ~kInexact);
  }
  ~ExactArithmetic() {
    if ((found_ & kInexact) != 0) set_control(found_);
  }
  ExactArithmetic(const ExactArithmetic&) = delete;
  ExactArithmetic& operator=(const ExactArithmetic&) = delete;

 private:
  // The register that controls floating-point arithmetic, and its bits that round in another direction or flush
  // subnormal numbers to zero.
#if defined(__SSE2__)
  using Control = unsigned;
  static constexpr Control kInexact = 0x8000 | 0x6000 | 0x0040;  // FTZ, RC, DAZ
  static Control control() { return _mm_getcsr(); }
  static void set_control(Control value) { _mm_setcsr(value); }
#elif defined(__aarch64__)
  using Control = std::uint64_t;
  static constexpr Control kInexact = Control{0b111} << 22 | 0b11;  // RMode, FZ; AH, FIZ
  static Control control() {
    Control value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set_control(Control value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
  using Control = unsigned;
  static constexpr Control kInexact = 0;
  static Control control() { return 0; }
  static void set_control(Control) {}
#endif

  const Control found_;
};

}  // namespace sentio

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

/// What a fuzzer calls with any bytes: libFuzzer where the compiler has it, the driver of standalone.cpp elsewhere.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace sentio::fuzz {

/// Inputs that came as far as a target's last promise: the rest were refused, and say nothing of what lies behind.
inline std::uint64_t& reached() {
  static std::uint64_t count = 0;
  return count;
}

/// Ends the process if a promise does not hold, so that the fuzzer keeps the input.
inline void promise(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

/// An InputError is one printable line that begins with where the fault is.
inline void promise_message(std::string_view message, std::string_view where) {
  promise(message.starts_with(where), "a message begins with where the fault is");
  promise(std::none_of(message.begin(), message.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }),
          "a message is one printable line");
}

}  // namespace sentio::fuzz

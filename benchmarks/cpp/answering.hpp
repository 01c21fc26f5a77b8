#pragma once

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "bars/file.hpp"
#include "times.hpp"

namespace sentio::bench {

/// The float32 numbers of a file that holds nothing else.
inline std::vector<float> read_floats(const std::string& path) {
  const std::string bytes = read_file(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::copy_n(bytes.data(), values.size() * sizeof(float), reinterpret_cast<char*>(values.data()));
  return values;
}

/// A contender of benchmarks/inference.py: answers each line of standard input with a line of JSON, so that contenders
/// can take turns.
///
///   logits B         all logits, from forward passes of B rows
///   time B SECONDS   passes of B rows for so long, each timed alone: nanoseconds of a pass
///
/// `forward(x, count, logits)` runs `count` rows (or windows of them) of `row_size` floats.
int answer(std::span<const float> values, std::size_t row_size, auto&& forward) {
  const std::size_t rows = values.size() / row_size;
  std::vector<float> logits(rows);
  const auto pass = [&](std::size_t first, std::size_t count) {
    forward(values.subspan(first * row_size, count * row_size), std::span(logits).subspan(first, count));
  };
  std::cout << "{}" << std::endl;
  std::string what;
  for (std::size_t batch = 0; std::cin >> what >> batch;) {
    nlohmann::json found;
    if (what == "logits") {
      for (std::size_t first = 0; first < rows; first += batch) pass(first, std::min(batch, rows - first));
      found = {{"logits", logits}};
    } else {
      double seconds = 0.0;
      std::cin >> seconds;
      // The first passes of a shape may plan, compile or allocate.
      constexpr int kWarmUp = 5;
      for (int i = 0; i < kWarmUp; ++i) pass(0, batch);
      std::vector<std::uint32_t> times;
      const auto end = Clock::now() + std::chrono::duration<double>(seconds);
      for (std::size_t first = 0; times.empty() || Clock::now() < end;) {
        const auto began = Clock::now();
        pass(first, batch);
        times.push_back(nanoseconds_since(began));
        first = first + 2 * batch <= rows ? first + batch : 0;
      }
      found = distribution(times);
      found["passes"] = times.size();
    }
    std::cout << found.dump() << std::endl;
  }
  return 0;
}

}  // namespace sentio::bench

// Prints what must be the same everywhere, a line each like sha256sum: the generated bars, the engine's logarithm, the
// evaluator's arithmetic, logits and probabilities, and the features of each spec that the command line names.
#include <algorithm>
#include <bit>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "bars/file.hpp"
#include "bars/json.hpp"
#include "bars/sha256.hpp"
#include "evaluator.hpp"
#include "features/builder.hpp"
#include "features/log.hpp"
#include "generated.hpp"
#include "inference/sigmoid.hpp"
#include "networks.hpp"

using namespace sentio;

namespace {

static_assert(std::endian::native == std::endian::little, "the hashes are over little-endian bytes");

constexpr std::int64_t kBars = 200'000;
constexpr std::size_t kBarsInDouble = 20'000;
constexpr std::size_t kLogPoints = 1'000'000;

template <class T>
void print(const std::vector<T>& numbers, const std::string& name) {
  std::printf("%s  %s\n", sha256_hex(std::as_bytes(std::span(numbers))).c_str(), name.c_str());
}

template <class T>
void append(std::vector<std::byte>& bytes, const std::vector<T>& numbers) {
  const auto more = std::as_bytes(std::span(numbers));
  bytes.insert(bytes.end(), more.begin(), more.end());
}

/// Shape [bars, width]: three quarters of the bars in blocks of very different lengths, the rest one by one.
std::vector<float> built(const FeatureSpec& spec, BarsView bars) {
  const auto width = static_cast<std::size_t>(spec.width());
  std::vector<float> rows(bars.size() * width);
  FeatureBuilder builder(spec);
  std::size_t done = 0;
  const auto next_rows = [&](std::size_t count) { return std::span(rows).subspan(done * width, count * width); };
  // The powers of 3 modulo a prime: 1, 3, 9 ... 2187, 2468, 3311 ...
  for (std::size_t count = 1; done + count <= bars.size() / 4 * 3; count = count * 3 % 4093) {
    builder.build(bars.subview(done, count), next_rows(count));
    done += count;
  }
  for (; done < bars.size(); ++done) builder.push(bars[done], next_rows(1));
  return rows;
}

/// The features of a spec to the last bit of their doubles, which float32 hides: each as three float32 that add up to
/// it. With C = 2^29 + 1, C x - (C x - x) is x rounded to 24 bits, and what is left of x is exact (Veltkamp 1968).
FeatureSpec in_double(const std::filesystem::path& path) {
  nlohmann::json spec = parse_json(read_file(path), path.string());
  constexpr double kSplitter = 0x1p29 + 1.0;
  nlohmann::json parts = nlohmann::json::array({{{"name", "splitter"},
                                                 {"op", "CLIP"},
                                                 {"source", "close"},
                                                 {"low", kSplitter},
                                                 {"high", kSplitter},
                                                 {"emit", false}}});
  const auto add = [&](const std::string& name, const char* op, const std::string& a, const std::string& b, bool emit) {
    parts.push_back({{"name", name}, {"op", op}, {"sources", {a, b}}, {"emit", emit}});
    return name;
  };
  const auto split = [&](const std::string& x, bool last) {
    const std::string scaled = add(x + ".scaled", "MUL", x, "splitter", false);
    const std::string excess = add(x + ".excess", "SUB", scaled, x, false);
    const std::string high = add(x + ".high", "SUB", scaled, excess, true);
    return add(x + ".low", "SUB", x, high, last);
  };
  for (nlohmann::json& feature : spec.at("features")) {
    feature["emit"] = false;
    parts.push_back(feature);
    split(split(feature.at("name").get<std::string>(), false), true);
  }
  spec["features"] = parts;
  spec.erase("content_hash");
  return FeatureSpec::from_json(spec.dump(), path.string() + ", in double");
}

/// What the fastest set of kernels of this processor gives.
/// @throws std::runtime_error if another set gives anything else.
std::vector<float> evaluated_alike() {
  const std::span<const Kernels> sets = available_kernels();
  std::vector<float> results = evaluated(sets.front());
  for (const Kernels& other : sets.subspan(1))
    if (!std::ranges::equal(std::as_bytes(std::span<const float>(evaluated(other))),
                            std::as_bytes(std::span<const float>(results))))
      throw std::runtime_error("the kernels '" + std::string(other.name) + "' must give the bits of '" +
                               std::string(sets.front().name) + "'");
  return results;
}

void run(std::span<const char* const> specs) {
  const Bars bars = generated_bars(kBars);
  std::vector<std::byte> bytes;
  append(bytes, bars.time_ns);
  for (const auto* column : {&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume}) append(bytes, *column);
  print(bytes, "bars");

  std::vector<double> logarithms = generated_log_points(kLogPoints);
  for (double& x : logarithms) x = log_of(x);
  print(logarithms, "log");

  print(evaluated_alike(), "evaluator");
  print(generated_logits(), "networks");
  std::vector<double> probabilities;
  for (const float logit : generated_floats()) probabilities.push_back(sigmoid(logit));
  print(probabilities, "sigmoid");

  for (const std::filesystem::path path : specs) {
    const std::string name = path.stem().string();
    print(built(FeatureSpec::load(path), bars.view()), name);
    print(built(in_double(path), bars.view().subview(0, kBarsInDouble)), name + ".double");
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}

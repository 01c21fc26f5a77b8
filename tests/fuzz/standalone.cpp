// Runs a fuzz target without libFuzzer: inputs as they are, then mutations of them, the same ones for the same seed.
//
//   fuzz_csv [-runs=N] [-seed=N] [-max_total_time=SECONDS] [-min_reached=PERCENT] [-artifact_prefix=PATH]
//            file-or-folder...

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "target.hpp"

// A sanitizer that finds something ends by the signal that keeps the input.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "abort_on_error=1"; }
extern "C" const char* __ubsan_default_options();
extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1"; }

namespace {

constexpr std::size_t kLargest = 1 << 14;

struct Settings {
  std::uint64_t runs = 10'000, seed = 1, seconds = 0, min_reached = 0;
  std::string artifact_prefix;
  std::vector<std::string> inputs;
};

// A signal handler gets no argument.
std::string current;
std::string crash_path;

extern "C" void keep_input(int) {
  const int file = open(crash_path.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644);
  const char told[] = "the input is kept in ";
  if (file < 0 || write(file, current.data(), current.size()) < 0 || write(2, told, sizeof told - 1) < 0 ||
      write(2, crash_path.c_str(), crash_path.size()) < 0 || write(2, "\n", 1) < 0)
    _exit(2);
}

Settings settings_of(std::span<char* const> arguments) {
  Settings settings;
  for (const std::string argument : arguments.subspan(1)) {
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
    if (name == "-runs")
      settings.runs = std::stoull(value);
    else if (name == "-seed")
      settings.seed = std::stoull(value);
    else if (name == "-max_total_time")
      settings.seconds = std::stoull(value);
    else if (name == "-min_reached")
      settings.min_reached = std::stoull(value);
    else if (name == "-artifact_prefix")
      settings.artifact_prefix = value;
    else
      settings.inputs.push_back(argument);
  }
  return settings;
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> corpus_of(const std::vector<std::string>& inputs) {
  std::vector<std::filesystem::path> paths;
  for (const std::string& input : inputs) {
    if (!std::filesystem::is_directory(input)) {
      paths.emplace_back(input);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(input)) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> corpus = {""};
  for (const auto& path : paths) corpus.push_back(content(path));
  return corpus;
}

/// Words at which readers stumble.
constexpr std::array<std::string_view, 24> kWords = {",",
                                                     "\n",
                                                     "\r\n",
                                                     "\"",
                                                     std::string_view("\0", 1),
                                                     " ",
                                                     "-",
                                                     ".",
                                                     "nan",
                                                     "inf",
                                                     "1e999",
                                                     "1e-320",
                                                     "9223372036854775807",
                                                     "-9223372036854775808",
                                                     "1678-01-01",
                                                     "2261-12-31T23:59:59Z",
                                                     "\xEF\xBB\xBF",
                                                     "\x1f\x8b",
                                                     "{",
                                                     "[",
                                                     "null",
                                                     "10000",
                                                     "\xff\xff\xff\xff\xff\xff\xff\x7f",
                                                     "\xff\xff\xff\xff\xff\xff\xf8\x7f"};

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  std::string next(const std::vector<std::string>& corpus) {
    std::string text = corpus[below(corpus.size())];
    for (std::size_t i = 1 + below(6); i > 0; --i) alter(text, corpus[below(corpus.size())]);
    if (text.size() > kLargest) text.resize(kLargest);
    return text;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void alter(std::string& text, const std::string& other) {
    const std::size_t at = below(text.size() + 1), count = std::min(below(16) + 1, text.size() - at);
    switch (below(8)) {
      case 0:
        if (count > 0) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 1: text.insert(at, 1, static_cast<char>(random_())); break;
      case 2: text.erase(at, count); break;
      case 3: text.insert(at, text.substr(below(text.size() + 1), 64)); break;
      case 4: text.insert(at, other.substr(below(other.size() + 1), 64)); break;
      case 5:
        for (std::size_t i = below(64); i > 0; --i) text.insert(at, 1, static_cast<char>(random_()));
        break;
      case 6: text.replace(at, count, kWords[below(kWords.size())]); break;
      default: text.insert(at, kWords[below(kWords.size())]); break;
    }
  }

  std::mt19937_64 random_;
};

void run(std::string input) {
  current = std::move(input);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(current.data()), current.size());
}

}  // namespace

int main(int count, char** arguments) {
  const Settings settings = settings_of({arguments, static_cast<std::size_t>(count)});
  crash_path = settings.artifact_prefix + "crash-input";
  std::signal(SIGABRT, keep_input);
  const auto corpus = corpus_of(settings.inputs);
  for (const std::string& input : corpus) run(input);

  Mutator mutator(settings.seed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(settings.seconds);
  std::uint64_t runs = 0;
  for (; settings.seconds > 0 ? std::chrono::steady_clock::now() < end : runs < settings.runs; ++runs)
    run(mutator.next(corpus));
  const std::uint64_t reached = sentio::fuzz::reached(), all = corpus.size() + runs;
  std::cout << corpus.size() << " inputs and " << runs << " mutations of them, of which " << reached
            << " reached the last promise: no promise was broken\n";
  if (100 * reached >= settings.min_reached * all) return 0;
  std::cerr << "the last promise must be reached by " << settings.min_reached << " % of the inputs, found "
            << 100 * reached / all << " %: a promise that is not reached cannot be broken\n";
  return 1;
}

#include "inference/model.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>

#include "bars/suggest.hpp"

namespace sentio {
namespace {

constexpr int kMostThreads = 1024;  ///< far above any use; LibTorch ends the process when it cannot start them
constexpr std::string_view kCuda = "cuda:";
constexpr std::size_t kMostDigits = 2;  ///< of a CUDA device: LibTorch numbers them in a signed byte

bool is_device(std::string_view name) {
  if (name == "cpu" || name == "cuda") return true;
  if (!name.starts_with(kCuda)) return false;
  const std::string_view number = name.substr(kCuda.size());
  const bool canonical = number.size() == 1 || (number.size() > 1 && number.front() != '0');
  return canonical && number.size() <= kMostDigits &&
         std::ranges::all_of(number, [](unsigned char c) { return std::isdigit(c) != 0; });
}

}  // namespace

Backend parse_backend(const std::string& name) {
  if (name == "auto") return Backend::automatic;
  if (name == "native") return Backend::native;
  if (name == "torch") return Backend::torch;
  throw std::invalid_argument("unknown backend '" + name + "'" +
                              did_you_mean(name, std::array<std::string, 3>{"auto", "native", "torch"}));
}

void require_valid(const ModelOptions& options) {
  if (!is_device(options.device))
    throw std::invalid_argument("unknown device '" + options.device + "'; known: cpu, cuda, cuda:0, cuda:1, ...");
  if (options.backend == Backend::native && options.device != "cpu")
    throw std::invalid_argument("the native backend runs on the cpu; device '" + options.device +
                                "' needs backend torch");
  if (options.threads < 1 || options.threads > kMostThreads)
    throw std::invalid_argument("threads must be a whole number in [1, " + std::to_string(kMostThreads) + "], found " +
                                std::to_string(options.threads));
}

}  // namespace sentio

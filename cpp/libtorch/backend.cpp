// The library sentio_torch: the only file that includes LibTorch.

#include <ATen/Parallel.h>
#include <caffe2/serialize/file_adapter.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/cuda.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "inference/torch_api.hpp"

namespace sentio {
namespace {

struct LoadedModule {
  // Running a module is logically const, and LibTorch does not say so.
  mutable torch::jit::Module module;
  at::Device device;
  int threads;
};

/// Limits the threads of forward passes while it lives, and leaves the process as it was: a small network loses more by
/// waking threads than it gains, and a Python that trains beside it must not lose its own.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) {
    if (count != before_) at::set_num_threads(count);
  }
  ~Threads() {
    if (at::get_num_threads() != before_) at::set_num_threads(before_);
  }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

/// The sentence of LibTorch's message that says what is wrong: it stands below a module's stack, behind the place in
/// LibTorch's own source, and before advice that fits no user of ours.
std::string reason(const std::exception& error) {
  const auto* const torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  constexpr std::string_view kStackEnds = "<--- HERE\n", kPlace = "[enforce fail at", kPlaceEnds = "] . ";
  if (const std::size_t stack = text.rfind(kStackEnds); stack != std::string::npos)
    text.erase(0, stack + kStackEnds.size());
  if (const std::size_t place = text.find(kPlaceEnds); text.starts_with(kPlace) && place != std::string::npos)
    text.erase(0, place + kPlaceEnds.size());
  text = text.substr(0, text.find('\n'));
  return text.substr(0, text.find(". "));
}

/// What to do about a module that was saved with a device written into its code, where no loading can change it.
std::string device_advice(const LoadedModule& loaded, const std::string& fault) {
  const bool asks_for_cuda = fault.find("CUDA") != std::string::npos || fault.find("cuda") != std::string::npos;
  if (!loaded.device.is_cpu() || !asks_for_cuda) return "";
  return "; its code asks for CUDA: run it with device cuda, or save one that takes the device of its input";
}

std::string shape_text(at::IntArrayRef sizes) {
  std::string text = "[";
  for (const std::int64_t size : sizes) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

void put(const std::string& message, char* error, std::size_t size) {
  const std::size_t count = std::min(message.size(), size - 1);
  std::copy_n(message.data(), count, error);
  error[count] = '\0';
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// Whether LibTorch writes a member of this name: code, tensors, constants, what a trace saw, and the files that the
/// caller of torch.jit.save adds, which nothing here reads.
bool is_torchscript_member(std::string_view name) {
  static const std::set<std::string_view> known = {"data.pkl",  "constants.pkl", "traced_inputs.pkl",     "version",
                                                   "byteorder", ".data/version", ".data/serialization_id"};
  if (known.contains(name)) return true;
  for (const std::string_view tensors : {"data/", "constants/", "traced_inputs/"})
    if (name.starts_with(tensors)) return is_number(name.substr(tensors.size()));
  if (name.find("..") != std::string_view::npos) return false;
  return name.starts_with("extra/") ||
         (name.starts_with("code/") && (name.ends_with(".py") || name.ends_with(".py.debug_pkl")));
}

/// @throws std::runtime_error that names a member of the archive that TorchScript does not write.
void require_known_members(const std::shared_ptr<caffe2::serialize::FileAdapter>& file) {
  caffe2::serialize::PyTorchStreamReader archive(file);
  std::set<std::string> seen;
  for (const std::string& name : archive.getAllRecords()) {
    if (!is_torchscript_member(name)) throw std::runtime_error("it holds '" + name + "', which is no part of one");
    if (!seen.insert(name).second) throw std::runtime_error("it holds '" + name + "' twice");
  }
}

void require_version() {
  if (const std::uint64_t found = aoti_torch_abi_version(); found != TORCH_ABI_VERSION) {
    const auto part = [&](int shift) { return std::to_string((found >> shift) & 0xff); };
    throw std::runtime_error("LibTorch must be " TORCH_VERSION ", found " + part(56) + "." + part(48) + "." + part(40));
  }
}

bool find_device(const char* device, char* error, std::size_t error_size) {
  const at::Device wanted(device);
  if (wanted.is_cpu()) return true;
  const int count = torch::cuda::device_count();
  if (wanted.is_cuda() && count > std::max<int>(wanted.index(), 0)) return true;
  const std::string found =
      count == 0   ? "no CUDA device; it needs a torch package with CUDA, and a driver that fits"
      : count == 1 ? "one CUDA device, cuda:0"
                   : std::to_string(count) + " CUDA devices, the last is cuda:" + std::to_string(count - 1);
  put("device '" + std::string(device) + "' is not there, LibTorch finds " + found + "; device cpu is always there",
      error, error_size);
  return false;
}

void* load(const char* path, const char* device, int threads, char* error, std::size_t error_size) {
  try {
    require_version();
    const auto file = std::make_shared<caffe2::serialize::FileAdapter>(path);
    require_known_members(file);
    const at::Device target(device);
    // A model that was saved on another device comes onto this one.
    auto loaded = std::make_unique<LoadedModule>(LoadedModule{torch::jit::load(file, target), target, threads});
    loaded->module.eval();
    return loaded.release();
  } catch (const std::exception& fault) {
    put("is not a TorchScript archive that can be loaded: " + reason(fault), error, error_size);
    return nullptr;
  }
}

void release(void* model) { delete static_cast<LoadedModule*>(model); }

at::Tensor run(const LoadedModule& loaded, const at::Tensor& input) {
  const Threads threads(loaded.threads);
  const c10::InferenceMode inference;
  // Optimised graphs may round differently from the third call on; plain ones give the same bits from the first.
  const torch::jit::GraphOptimizerEnabledGuard plain(false);
  const c10::IValue value = loaded.module.forward({input.to(loaded.device)});
  if (!value.isTensor()) throw std::runtime_error("must give a tensor, found " + value.tagKind());
  return value.toTensor();
}

bool forward(const void* model, const float* windows, std::int64_t step, const std::int64_t* sizes, int dimensions,
             float* logits, char* error, std::size_t error_size) {
  const std::vector<std::int64_t> shape(sizes, sizes + dimensions);
  std::vector<std::int64_t> strides{step};
  if (dimensions == 3) strides.push_back(shape.back());
  strides.push_back(1);
  const auto& loaded = *static_cast<const LoadedModule*>(model);
  try {
    // from_blob takes no const pointer; forward passes do not write their input.
    const at::Tensor input = torch::from_blob(const_cast<float*>(windows), shape, strides, at::kFloat).contiguous();
    const at::Tensor output = run(loaded, input);
    if (output.dim() != 2 || output.size(0) != shape.front() || output.size(1) != 1) {
      put("must give logits of shape [" + std::to_string(shape.front()) + ", 1], found " + shape_text(output.sizes()),
          error, error_size);
      return false;
    }
    // CUDA may tell of a fault in a forward pass only here, where its results are waited for.
    const at::Tensor flat = output.to(at::kCPU, at::kFloat).contiguous();
    std::copy_n(flat.data_ptr<float>(), shape.front(), logits);
    return true;
  } catch (const std::exception& fault) {
    const std::string why = reason(fault);
    put("fails on an input of shape " + shape_text(shape) + ": " + why + device_advice(loaded, why), error, error_size);
    return false;
  }
}

constexpr TorchApi kApi{
    .version = kTorchApiVersion, .find_device = find_device, .load = load, .release = release, .forward = forward};

}  // namespace
}  // namespace sentio

extern "C" __attribute__((visibility("default"))) const sentio::TorchApi* sentio_torch_api() { return &sentio::kApi; }

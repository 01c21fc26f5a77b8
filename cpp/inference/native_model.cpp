#include "inference/native_model.hpp"

#include "bars/error.hpp"

namespace sentio {

struct NativeModel::Impl {};

NativeModel::NativeModel(const std::filesystem::path& folder, const ModelOptions&) {
  throw InputError((folder / "model.json").string() + ": the built-in evaluator is not written yet");
}

NativeModel::~NativeModel() = default;

void NativeModel::forward(const Windows&, const InputShape&, std::span<float>) const {
  throw ModelError("the built-in evaluator is not written yet");
}

}  // namespace sentio

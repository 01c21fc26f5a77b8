#include "inference/artifact_folder.hpp"

#include <algorithm>
#include <array>
#include <system_error>

#include "bars/file.hpp"
#include "bars/sha256.hpp"
#include "inference/artifact_error.hpp"
#include "inference/graph.hpp"

namespace sentio {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMiB = std::uintmax_t{1} << 20;
constexpr const char* kTorchScript = "model.pt";  ///< LibTorch opens it itself

struct Limit {
  std::string_view name;
  std::uintmax_t bytes;
};

/// Documents are read whole, so they take memory; the rest is read piece by piece, or by who knows its true size.
constexpr std::array<Limit, 7> kLimits = {{{"metadata.json", 4 * kMiB},
                                           {"model.meta.json", 4 * kMiB},
                                           {"feature_spec.json", kMiB},
                                           {"model.json", GraphLimits::kDocumentBytes},
                                           {"probe.json", 64 * kMiB},
                                           {"model.pt", 4096 * kMiB},
                                           {"weights.bin", GraphLimits::kWeights * sizeof(float)}}};
constexpr std::uintmax_t kMostElsewhere = 4096 * kMiB;

std::uintmax_t limit_of(std::string_view name) {
  const auto found = std::ranges::find(kLimits, name, &Limit::name);
  return found == kLimits.end() ? kMostElsewhere : found->bytes;
}

}  // namespace

ArtifactFolder::ArtifactFolder(fs::path folder) : folder_(std::move(folder)) {
  std::error_code ignored;  // what cannot be looked at is no folder of ours
  if (!fs::is_directory(folder_, ignored)) throw ArtifactError(folder_.string() + ": no such artifact folder");
}

bool ArtifactFolder::has(std::string_view name) const { return fs::exists(fs::symlink_status(folder_ / name)); }

fs::path ArtifactFolder::checked(std::string_view name) const {
  fs::path path = folder_ / name;
  if (!has(name)) throw ArtifactError(path.string() + ": the file is missing");
  if (fs::is_symlink(path) && fs::weakly_canonical(path).parent_path() != fs::canonical(folder_))
    throw ArtifactError(path.string() + ": is a link that leaves the folder, to " + fs::read_symlink(path).string());
  if (const std::uintmax_t size = InputFile(path).size(); size > limit_of(name))
    throw ArtifactError(path.string() + ": must have at most " + std::to_string(limit_of(name)) + " bytes, found " +
                        std::to_string(size));
  return path;
}

const std::string& ArtifactFolder::document(const std::string& name) {
  const auto found = documents_.find(name);
  if (found != documents_.end()) return found->second;
  return documents_.emplace(name, read_file(checked(name), limit_of(name))).first->second;
}

std::string ArtifactFolder::hash(const std::string& name) {
  const std::vector<std::string>& ours = read_by_us();
  const bool parsed = name != kTorchScript && std::ranges::find(ours, name) != ours.end();
  return "sha256:" + (parsed || documents_.contains(name) ? sha256_hex(std::string_view(document(name)))
                                                          : sha256_of_file(checked(name)));
}

const std::vector<std::string>& ArtifactFolder::read_by_us() {
  static const std::vector<std::string> names = {kTorchScript, "model.json", "weights.bin", "feature_spec.json",
                                                 "probe.json"};
  return names;
}

}  // namespace sentio

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

bool leads_through_link(const fs::path& folder) {
  fs::path part;
  return std::ranges::any_of(folder, [&](const fs::path& name) { return fs::is_symlink(part /= name); });
}

/// A deployment may turn a link to another folder while we read: it is followed once, so that all files are of one.
fs::path followed(fs::path folder) {
  std::error_code ignored;  // what cannot be looked at is no folder of ours
  if (!fs::is_directory(folder, ignored)) throw ArtifactError(folder.string() + ": no such artifact folder");
  if (!leads_through_link(folder)) return folder;
  return folder.is_relative() ? fs::proximate(fs::canonical(folder)) : fs::canonical(folder);
}

}  // namespace

ArtifactFolder::ArtifactFolder(fs::path folder) : folder_(followed(std::move(folder))) {}

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

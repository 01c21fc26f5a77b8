#include "inference/fingerprint.hpp"

#include <filesystem>
#include <string>

#include "bars/sha256.hpp"

namespace sentio {

nlohmann::ordered_json fingerprint_of(const Artifact& artifact) {
  // The hashes that metadata.json states were compared with the files on load; a folder that states none has them made.
  const nlohmann::json stated = artifact.metadata().value("files", nlohmann::json::object());
  auto files = nlohmann::ordered_json::object();
  for (const char* const name : {"model.pt", "model.json", "weights.bin"}) {
    const std::filesystem::path path = artifact.folder() / name;
    if (stated.contains(name))
      files[name] = stated[name];
    else if (std::filesystem::exists(path))
      files[name] = "sha256:" + sha256_of_file(path);
  }
  return {{"name", "tfa"},
          {"backend", artifact.backend()},
          {"spec_hash", artifact.spec().hash()},
          {"decision", artifact.decision().to_json()},
          {"files", std::move(files)}};
}

}  // namespace sentio

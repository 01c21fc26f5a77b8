#pragma once

#include <nlohmann/json.hpp>

#include "inference/artifact.hpp"

namespace sentio {

/// What decides every bit of a model's decisions: {"name": "tfa", "backend": ..., "spec_hash": ..., "decision": ...,
/// "files": {"model.pt": "sha256:..."}}. Two models with the same fingerprint decide the same, wherever they lie.
[[nodiscard]] nlohmann::ordered_json fingerprint_of(const Artifact& artifact);

}  // namespace sentio

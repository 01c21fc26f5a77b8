#pragma once

#include <exception>
#include <filesystem>

#include "cli/strategy_source.hpp"

namespace sentio::cli {

// Models need LibTorch; a build without it has these functions too, and they say so. Nothing else in this room knows.

/// Whether this build can load models.
[[nodiscard]] bool has_models();

/// Loads and verifies the model of `arguments`. @throws ArtifactError, and std::runtime_error in a build without
/// LibTorch
[[nodiscard]] ReadyStrategy load_model(const StrategyArguments& arguments);

/// Loads and verifies an artifact folder; what it says of itself, for people. @throws as load_model
[[nodiscard]] std::string describe_artifact(const std::filesystem::path& folder);

[[nodiscard]] bool is_artifact_error(const std::exception& error);

}  // namespace sentio::cli

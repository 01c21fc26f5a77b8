#pragma once

#include <exception>
#include <filesystem>

#include "cli/strategy_source.hpp"

namespace sentio::cli {

/// Loads and verifies the model of `arguments`. @throws ArtifactError
[[nodiscard]] ReadyStrategy load_model(const StrategyArguments& arguments);

/// Loads and verifies an artifact folder; what it says of itself, for people. @throws as load_model
[[nodiscard]] std::string describe_artifact(const std::filesystem::path& folder);

[[nodiscard]] bool is_artifact_error(const std::exception& error);

}  // namespace sentio::cli

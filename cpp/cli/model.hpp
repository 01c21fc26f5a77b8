#pragma once

#include <exception>
#include <filesystem>

#include "cli/strategy_source.hpp"

namespace sentio::cli {

/// Loads and verifies the model of `arguments`. @throws as Artifact::load
[[nodiscard]] ReadyStrategy load_model(const StrategyArguments& arguments);

/// Loads and verifies an artifact folder; what it says of itself, for people. @throws as Artifact::load
[[nodiscard]] std::string describe_artifact(const std::filesystem::path& folder, const ModelOptions& options = {});

[[nodiscard]] bool is_artifact_error(const std::exception& error);

}  // namespace sentio::cli

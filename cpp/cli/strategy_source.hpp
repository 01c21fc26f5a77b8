#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "backtest/evidence.hpp"
#include "backtest/sample.hpp"
#include "backtest/strategy.hpp"
#include "inference/model.hpp"

namespace sentio::cli {

/// What runs a model, as the command line says.
struct ModelArguments {
  std::string backend = "auto", device = "cpu";
  int threads = 1;

  bool operator==(const ModelArguments&) const = default;

  /// @throws std::invalid_argument that names the option that is wrong
  [[nodiscard]] ModelOptions options() const;
};

void add_model_options(CLI::App& verb, ModelArguments& arguments);

/// Which strategy to run, as the command line says.
struct StrategyArguments {
  std::string strategy;
  std::string params;
  std::string artifacts = "artifacts", model = "TFA", version = "v1";
  ModelArguments run_by;
};

void add_strategy_options(CLI::App& verb, StrategyArguments& arguments);

/// A strategy, and what a report says about it.
struct ReadyStrategy {
  std::unique_ptr<Strategy> strategy;
  std::function<std::unique_ptr<Strategy>()> another;  ///< the same, at its start; may be asked by several threads
  std::function<std::optional<Trials>()> ledger;       ///< asks the one beside a model; empty for a rule
  std::string label;                                   ///< "sma_cross (fast=10, slow=30, allow_short=0)"
  nlohmann::ordered_json identity;                     ///< name and params, or name and model
  nlohmann::ordered_json fingerprint;                  ///< what decides every bit of its decisions
  std::optional<int> settle_bars;        ///< after which the start of the bars no longer shows, where that is known
  std::optional<DataSpans> spans;        ///< of a model's data; none for a rule
  std::string session = "us_equity";     ///< of a model's data, where it says so
  std::vector<std::string> symbols;      ///< that a model was trained on, where it says so
  std::optional<double> bar_interval_s;  ///< of a model's data, where it says so
  bool trained_on_synthetic = false;     ///< whether a model was trained on generated bars
  std::vector<std::string> warnings;     ///< what could not be verified of a model
  std::string backend_note;              ///< why an automatic choice runs a model by LibTorch; else empty
};

/// Builds a rule strategy of the registry, or loads a model.
/// @throws std::invalid_argument for an unknown strategy or wrong params; ArtifactError for a wrong model
[[nodiscard]] ReadyStrategy make_strategy(const StrategyArguments& arguments);

/// Rule strategies, then models, one line each.
struct StrategyListing {
  std::string name, params, description;
};
[[nodiscard]] std::vector<StrategyListing> list_strategies();

}  // namespace sentio::cli

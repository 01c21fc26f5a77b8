#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backtest/decision_rule.hpp"
#include "backtest/sample.hpp"
#include "features/spec.hpp"
#include "inference/artifact_error.hpp"
#include "inference/model.hpp"

namespace sentio {

/// What runs the model of an artifact.
struct BackendChoice {
  Backend backend;   ///< native or torch
  std::string note;  ///< why an automatic choice is torch; else empty
};

/// The backend that Artifact::load takes for the options. @throws std::invalid_argument as require_valid.
[[nodiscard]] BackendChoice choose_backend(const std::filesystem::path& folder, const ModelOptions& options);

/// A trained model with all that it needs, loaded from its folder and verified.
class Artifact {
 public:
  /// Loads `artifacts/<MODEL_ID>/<version>/` and checks it: schema, seal, dimension, feature names, spec hash, padding,
  /// file hashes, decision rule, the model's shape, and the probe to within 1e-5 of the logit's scale.
  ///
  /// Folders of earlier schemas load too (`model.meta.json`, no seal, no probe, no decision, no layout); what could not
  /// be verified then is in `warnings()`. A folder is untrusted input: whatever it holds, its documents take at most
  /// 512 MiB while they are read.
  ///
  /// @throws ArtifactError naming the file, what was found and what would be right. std::invalid_argument if the
  ///         options are wrong or ask for a device that is not there.
  [[nodiscard]] static Artifact load(const std::filesystem::path& folder, const ModelOptions& options = {});

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] const nlohmann::json& metadata() const { return metadata_; }
  [[nodiscard]] const FeatureSpec& spec() const { return spec_; }
  [[nodiscard]] const DecisionRule& decision() const { return decision_; }
  [[nodiscard]] const DataSpans& spans() const { return spans_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

  /// What the metadata says the model was trained in, "us_equity"; empty if it does not.
  [[nodiscard]] std::string session() const;

  /// Seconds from bar to bar in training, where the metadata says so.
  [[nodiscard]] std::optional<double> bar_interval_s() const;

  /// Whether the metadata says that the model was trained on generated bars.
  [[nodiscard]] bool trained_on_synthetic() const;

  /// What runs the model: "native" or "torch".
  [[nodiscard]] std::string_view backend() const { return model_->backend(); }

  /// What it runs on: "cpu", "cuda", "cuda:1".
  [[nodiscard]] const std::string& device() const { return device_; }

  /// Why an automatic choice of the backend is torch; else empty.
  [[nodiscard]] const std::string& backend_note() const { return backend_note_; }

  /// Rows of features that one logit needs, 1 for layout BF.
  [[nodiscard]] int sequence_length() const { return shape_.sequence_length; }

  /// The first bar that can have a logit.
  [[nodiscard]] int warmup() const;

  /// The first bar at which the start of the bars no longer shows in a logit; nothing if it always does.
  [[nodiscard]] std::optional<int> settle() const;

  /// Logits of as many windows as `logits` has room for, each of shape [sequence_length, width].
  /// @throws ArtifactError if the model fails or gives a logit that is not finite.
  void logits(const Windows& windows, std::span<float> logits) const;

 private:
  friend class ArtifactReader;
  explicit Artifact(FeatureSpec spec) : spec_(std::move(spec)) {}
  /// The file that the model was loaded from.
  [[nodiscard]] std::filesystem::path model_path() const;

  std::filesystem::path folder_;
  nlohmann::json metadata_;
  FeatureSpec spec_;
  DecisionRule decision_;
  DataSpans spans_;
  InputShape shape_{};
  std::shared_ptr<const Model> model_;
  std::string device_, backend_note_;
  std::vector<std::string> warnings_;
};

}  // namespace sentio

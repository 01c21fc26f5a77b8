#include "cli/model.hpp"

#include <cmath>

#include "backtest/table.hpp"
#include "backtest/text.hpp"
#include "bars/error.hpp"
#include "bars/number.hpp"
#include "bars/time.hpp"
#include "inference/fingerprint.hpp"
#include "inference/ledger.hpp"
#include "inference/tfa_strategy.hpp"

namespace sentio::cli {
namespace {

using nlohmann::json;

/// The value at "a.b" of an object; null where there is none.
json at(const json& object, std::string_view path) {
  const std::size_t dot = path.find('.');
  const auto found = object.is_object() ? object.find(path.substr(0, dot)) : object.end();
  if (!object.is_object() || found == object.end()) return nullptr;
  return dot == std::string_view::npos ? *found : at(*found, path.substr(dot + 1));
}

std::string text_at(const json& object, std::string_view path) {
  const json value = at(object, path);
  if (value.is_null()) return "not stated";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string file_name(const std::filesystem::path& folder) {
  return (folder.has_filename() ? folder : folder.parent_path()).filename().string();
}

nlohmann::ordered_json identity_of(const Artifact& artifact, const StrategyArguments& arguments) {
  const json& metadata = artifact.metadata();
  return {{"name", "tfa"},
          {"model", arguments.model},
          {"version", arguments.version},
          {"spec_hash", artifact.spec().hash()},
          {"model_hash", at(metadata, "files").is_object() ? at(metadata, "files").value("model.pt", json()) : json()},
          {"label", at(metadata, "label")},
          {"decision", artifact.decision().to_json()},
          {"backend", artifact.backend()},
          {"device", artifact.device()}};
}

std::string run_by_text(const Artifact& artifact) {
  return std::string(artifact.backend()) + " on " + artifact.device();
}

std::string span_text(const std::optional<TimeSpan>& span) {
  return span ? format_time(span->begin_ns) + " to " + format_time(span->end_ns) : "not stated";
}

std::string settle_text(std::optional<int> settle) {
  if (!settle) return "never: a feature depends on all bars since the start";
  return counted(static_cast<std::size_t>(*settle), "bar") + ", after which a start no longer shows";
}

std::string saved_text(const json& saved_at) {
  constexpr double kMostSeconds = 9e9;  // as nanoseconds an int64 holds them
  if (!saved_at.is_number_integer() || std::abs(saved_at.get<double>()) > kMostSeconds) return "not stated";
  return format_time(saved_at.get<std::int64_t>() * kSecondNs);
}

}  // namespace

ReadyStrategy load_model(const StrategyArguments& arguments) {
  auto strategy = std::make_unique<TFAStrategy>(TFACfg{.artifacts_dir = arguments.artifacts,
                                                       .model_id = arguments.model,
                                                       .version = arguments.version,
                                                       .model = arguments.run_by.options()});
  const Artifact& artifact = strategy->artifact();
  const json data = at(artifact.metadata(), "data");
  ReadyStrategy ready;
  ready.label = "tfa (" + arguments.model + " " + arguments.version + ", " + run_by_text(artifact) + ")";
  ready.identity = identity_of(artifact, arguments);
  ready.fingerprint = fingerprint_of(artifact);
  ready.settle_bars = artifact.settle();
  ready.spans = artifact.spans();
  if (!artifact.session().empty()) ready.session = artifact.session();
  for (const json& symbol : at(data, "symbols")) {
    if (symbol.is_string()) ready.symbols.push_back(symbol.get<std::string>());
  }
  ready.bar_interval_s = artifact.bar_interval_s();
  ready.trained_on_synthetic = artifact.trained_on_synthetic();
  ready.warnings = artifact.warnings();
  ready.backend_note = artifact.backend_note();
  ready.another = [artifact] { return std::make_unique<TFAStrategy>(artifact); };
  ready.ledger = [artifact] { return trials_of(artifact); };
  ready.strategy = std::move(strategy);
  return ready;
}

std::string describe_artifact(const std::filesystem::path& folder, const ModelOptions& options) {
  const Artifact artifact = Artifact::load(folder, options);
  const json& metadata = artifact.metadata();
  const json model_id = at(metadata, "model_id");
  std::string text = printable((model_id.is_string() ? model_id.get<std::string>() : "artifact") + " " +
                               (at(metadata, "version").is_null() ? file_name(folder) : text_at(metadata, "version"))) +
                     ": verified\n";
  const auto fact = [&](std::string_view name, const std::string& value) {
    text += wrapped("  " + std::string(name), printable(value), 16);
  };
  fact("saved", saved_text(at(metadata, "saved_at")));
  fact("model", text_at(metadata, "framework") + ", " +
                    counted(static_cast<std::size_t>(artifact.spec().width()), "feature") + ", " +
                    counted(static_cast<std::size_t>(artifact.sequence_length()), "row") + " to a logit");
  fact("backend", run_by_text(artifact));
  if (!artifact.backend_note().empty()) fact("", artifact.backend_note());
  fact("features", artifact.spec().hash());
  fact("warm-up", counted(static_cast<std::size_t>(artifact.warmup()), "bar"));
  fact("settle", settle_text(artifact.spec().settle()));
  fact("decision", artifact.decision().to_json().dump());
  fact("label", text_at(metadata, "label"));
  fact("symbols", text_at(metadata, "data.symbols"));
  fact("train", span_text(artifact.spans().train));
  fact("validation", span_text(artifact.spans().validation));
  fact("test", span_text(artifact.spans().test));
  fact("metrics", text_at(metadata, "training.metrics"));
  fact("versions", text_at(metadata, "versions"));
  for (const std::string& warning : artifact.warnings()) fact("warning", warning);
  return text;
}

bool is_artifact_error(const std::exception& error) { return dynamic_cast<const ArtifactError*>(&error) != nullptr; }

}  // namespace sentio::cli

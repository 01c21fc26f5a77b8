#include "inference/artifact.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <system_error>
#include <utility>

#include "backtest/stream.hpp"
#include "bars/json.hpp"
#include "bars/number.hpp"
#include "bars/session.hpp"
#include "bars/sha256.hpp"
#include "bars/suggest.hpp"
#include "bars/time.hpp"
#include "inference/artifact_folder.hpp"
#include "inference/native_model.hpp"
#include "inference/torch_model.hpp"

namespace sentio {
namespace {

using json = nlohmann::json;
namespace fs = std::filesystem;

constexpr int kSchemaMajor = 1;
constexpr int kSealedSince = 1;  ///< minor version of the schema from which on the seal and all hashes must be there
constexpr double kProbeTolerance = 1e-5;    ///< of max(1, |logit|): kernels of other processors round differently
constexpr int kDefaultSequenceLength = 64;  ///< of artifacts that state no length
constexpr int kLongestSequence = 100'000;
constexpr std::int64_t kLargestWindow = 1 << 20;  ///< numbers

/// The seal is the SHA-256 of the file's bytes with zeros for its own digits, so that every byte counts.
constexpr std::string_view kSealPrefix = "sha256:";
constexpr std::size_t kSealDigits = 64;

constexpr const char* kTorchScript = "model.pt";
constexpr const char* kGraph = "model.json";
constexpr const char* kWeights = "weights.bin";

}  // namespace

BackendChoice choose_backend(const fs::path& folder, const ModelOptions& options) {
  require_valid(options);
  if (options.backend != Backend::automatic) return {options.backend, ""};
  std::error_code ignored;  // what cannot be looked at, loading refuses by name
  if (!fs::exists(folder / kGraph, ignored))
    return {Backend::torch, std::string("The artifact has no ") + kGraph + ", so LibTorch runs it."};
  if (options.device != "cpu")
    return {Backend::torch, "The built-in evaluator runs on the CPU only, so LibTorch runs the model."};
  return {Backend::native, ""};
}

/// Reads one folder; every message begins with the file that is at fault.
///
/// The order of the checks makes messages specific: first whether metadata.json is a document of a schema that we read,
/// then its seal, so that nothing else of an altered one is believed; then the spec, whose own reader says what is
/// wrong in which line; then hashes of all files, so that the model and the probe are only read if they are those that
/// were saved.
class ArtifactReader {
 public:
  ArtifactReader(const fs::path& folder, const ModelOptions& options) : folder_(folder), options_(options) {}

  Artifact read() {
    metadata_name_ = folder_.has("metadata.json") ? "metadata.json" : "model.meta.json";
    if (!folder_.has(metadata_name_))
      throw ArtifactError(folder_.path().string() +
                          ": has neither metadata.json nor model.meta.json, so it is no artifact");
    metadata_ = parsed(metadata_name_);
    check_schema();
    check_seal();
    check_framework();

    Artifact artifact(
        FeatureSpec::from_json(folder_.document("feature_spec.json"), folder_.place("feature_spec.json")));
    for (const std::string& warning : artifact.spec_.warnings()) warn(warning);
    check_expectations(artifact.spec_);
    check_files();
    artifact.decision_ = read_decision();
    artifact.spans_ = read_spans();

    artifact.folder_ = folder_.path();
    load_model(artifact);
    artifact.metadata_ = metadata_;
    replay_probe(artifact);
    artifact.warnings_ = std::move(warnings_);
    return artifact;
  }

 private:
  void load_model(Artifact& artifact) {
    const BackendChoice choice = choose_backend(folder_.path(), options_);
    const bool native = choice.backend == Backend::native;
    if (native && !folder_.has(kGraph))
      throw ArtifactError(folder_.place(kGraph) + ": the file is missing, which the native backend runs; backend " +
                          "torch runs " + kTorchScript);
    const fs::path file = native ? fs::path(folder_.place(kGraph)) : folder_.checked(kTorchScript);
    artifact.device_ = options_.device;
    artifact.backend_note_ = choice.note;
    try {
      if (native)
        artifact.model_ = std::make_shared<const NativeModel>(
            GraphFiles{folder_.path(), folder_.document(kGraph), folder_.document(kWeights)}, options_);
      else
        artifact.model_ = std::make_shared<const TorchModel>(file, options_);
      artifact.shape_ = find_shape(*artifact.model_, artifact.spec_.width());
    } catch (const ModelError& error) {
      throw ArtifactError(file.string() + ": " + error.what());
    }
  }

  json parsed(const std::string& name) { return parse_json(folder_.document(name), folder_.place(name)); }

  [[nodiscard]] std::string metadata_place() const { return folder_.place(metadata_name_); }

  [[noreturn]] void fail(const std::string& path, const std::string& what) const {
    throw ArtifactError(metadata_place() + ": " + path + ": " + what);
  }

  void warn(std::string warning) { warnings_.push_back(std::move(warning)); }

  const json& expected(const char* key) const {
    const json& expects = metadata_["expects"];
    const auto found = expects.find(key);
    if (found == expects.end()) fail("expects", std::string("key '") + key + "' is missing");
    return *found;
  }

  int whole_number(const std::string& path, const json& value, int min, int max) const {
    if (!value.is_number_integer() || value.get<double>() < min || value.get<double>() > max)
      fail(path, "must be a whole number in [" + std::to_string(min) + ", " + std::to_string(max) + "], found " +
                     shown(value));
    return value.get<int>();
  }

  void check_schema() {
    if (!metadata_.is_object())
      throw ArtifactError(metadata_place() + ": must hold an object, found " + shown(metadata_));
    const auto found = metadata_.find("schema_version");
    if (found == metadata_.end()) fail("schema_version", "is missing; this program reads version 1");
    const auto refuse = [&] { fail("schema_version", "must be a text like \"1.0\", found " + shown(*found)); };
    if (!found->is_string()) refuse();
    const std::string version = found->get<std::string>();
    const std::size_t dot = version.find('.');
    const auto whole = [](std::string_view text) { return text.find_first_not_of("0123456789") == text.npos; };
    const auto major = parse_number(version.substr(0, dot));
    const auto minor = dot == version.npos ? 0.0 : parse_number(version.substr(dot + 1));
    if (!major || !minor || !whole(version.substr(0, dot)) || (dot != version.npos && !whole(version.substr(dot + 1))))
      refuse();
    if (*major != kSchemaMajor)
      fail("schema_version", "this program reads version " + std::to_string(kSchemaMajor) + ", found " + shown(*found) +
                                 (*major > kSchemaMajor ? "; a newer program wrote it" : ""));
    must_be_sealed_ = *minor >= kSealedSince;
  }

  void check_seal() {
    const auto found = metadata_.find("seal");
    if (found == metadata_.end()) {
      if (must_be_sealed_) fail("seal", "is missing, which files of schema 1.1 have" + how_to_seal());
      warn(metadata_place() + ": has no seal, so an altered threshold cannot be told");
      return;
    }
    const std::string& text = folder_.document(metadata_name_);
    const std::string stated = found->is_string() ? found->get<std::string>() : "";
    const std::size_t at = text.rfind(stated);
    if (stated.size() != kSealPrefix.size() + kSealDigits || !stated.starts_with(kSealPrefix) || at == text.npos)
      fail("seal", "must be \"sha256:\" and 64 hexadecimal digits, found " + shown(*found) + how_to_seal());
    const std::size_t digits = at + kSealPrefix.size();
    const std::string blank =
        text.substr(0, digits) + std::string(kSealDigits, '0') + text.substr(digits + kSealDigits);
    if (const std::string computed = std::string(kSealPrefix) + sha256_hex(blank); stated != computed)
      fail("seal", "the file was altered after it was saved: the seal of its bytes is \"" + computed + "\", found " +
                       shown(*found) + how_to_seal());
  }

  [[nodiscard]] std::string how_to_seal() const {
    return "; if the change is meant, accept it with: sentio seal " + folder_.path().string();
  }

  void check_framework() const {
    const json framework = metadata_.value("framework", json());
    if (framework != "torchscript") fail("framework", "must be \"torchscript\", found " + shown(framework));
    const auto expects = metadata_.find("expects");
    if (expects == metadata_.end() || !expects->is_object())
      fail("expects", "must be an object, found " + (expects == metadata_.end() ? "nothing" : shown(*expects)));
  }

  void check_expectations(const FeatureSpec& spec) const {
    const json& dimension = expected("input_dim");
    if (dimension != spec.width())
      fail("expects.input_dim", "must be the number of features that feature_spec.json emits, " +
                                    std::to_string(spec.width()) + ", found " + shown(dimension));
    check_names(spec);
    const auto require = [&](const char* key, const json& value) {
      if (const json& found = expected(key); found != value)
        fail(std::string("expects.") + key, "must be " + value.dump() + ", found " + shown(found));
    };
    if (const json& hash = expected("spec_hash"); hash != spec.hash())
      fail("expects.spec_hash",
           "does not fit feature_spec.json: found " + shown(hash) + ", computed \"" + spec.hash() + "\"");
    require("emit_from", spec.emit_from());
    require("pad_value", spec.pad_value());
    require("dtype", "float32");
    require("output", "logit");
  }

  void check_names(const FeatureSpec& spec) const {
    const json& names = expected("feature_names");
    const std::vector<std::string> emitted = spec.names();
    if (!names.is_array()) fail("expects.feature_names", "must be a list, found " + shown(names));
    for (std::size_t i = 0; i < std::min(names.size(), emitted.size()); ++i)
      if (names[i] != emitted[i])
        fail("expects.feature_names[" + std::to_string(i) + "]",
             "must be '" + emitted[i] + "' as in feature_spec.json, found " + shown(names[i]));
    if (names.size() != emitted.size())
      fail("expects.feature_names",
           "must hold " + std::to_string(emitted.size()) + " names, found " + std::to_string(names.size()));
  }

  void check_files() {
    const auto files = metadata_.find("files");
    if (files == metadata_.end()) {
      if (must_be_sealed_) fail("files", "is missing, which schema 1.1 has" + how_to_seal());
      warn(metadata_place() + ": states no file hashes, so altered files cannot be told");
      return;
    }
    if (!files->is_object()) fail("files", "must be an object, found " + shown(*files));
    for (const auto& [name, hash] : files->items()) {
      if (name.empty() || name != fs::path(name).filename().string() || name == "." || name == ".." ||
          name.find('\0') != name.npos)
        fail("files", "must name files in this folder, found '" + name + "'");
      if (const std::string computed = folder_.hash(name); hash != computed)
        throw ArtifactError(folder_.place(name) + ": is not the file that was saved: its hash is " + computed + ", " +
                            metadata_name_ + " states " + shown(hash));
    }
    for (const std::string& name : ArtifactFolder::read_by_us()) {
      if (files->contains(name) || !folder_.has(name)) continue;
      const std::string what = metadata_name_ + " states no hash of it";
      if (must_be_sealed_) throw ArtifactError(folder_.place(name) + ": " + what + how_to_seal());
      warn(metadata_place() + ": states no hash of " + name + ", so it cannot be verified");
    }
  }

  DecisionRule read_decision() {
    const auto decision = metadata_.find("decision");
    if (decision != metadata_.end()) {
      require_decision_keys(*decision);
      return DecisionRule::from_json(*decision, metadata_place() + ": decision.");
    }
    warn(metadata_place() + ": states no decision rule; the default thresholds apply");
    return {};
  }

  /// A rule that is stated states what it decides by: a default must not stand in for a threshold that was lost.
  void require_decision_keys(const json& decision) const {
    if (!decision.is_object()) fail("decision", "must be an object, found " + shown(decision));
    std::vector<std::string> required = {"rule"};
    if (decision.value("rule", json()) == "threshold") required = {"rule", "long_above", "short_below"};
    for (const std::string& key : required)
      if (!decision.contains(key)) fail("decision", "key '" + key + "' is missing");
  }

  DataSpans read_spans() {
    const auto data = metadata_.find("data");
    if (data == metadata_.end()) {
      warn(metadata_place() + ": does not say which bars the model was trained on");
      return {};
    }
    if (!data->is_object()) fail("data", "must be an object, found " + shown(*data));
    if (const json synthetic = data->value("synthetic", json(false)); !synthetic.is_boolean())
      fail("data.synthetic", "must be true or false, found " + shown(synthetic));
    if (data->contains("session")) require_calendar((*data)["session"]);
    if (data->contains("bar_interval_s")) require_interval((*data)["bar_interval_s"]);
    return {.train = read_span(*data, "train"),
            .validation = read_span(*data, "validation"),
            .test = read_span(*data, "test")};
  }

  void require_calendar(const json& name) const {
    std::vector<std::string> known;
    for (const SessionCalendar& calendar : session_calendars()) known.push_back(calendar.name);
    if (name.is_string() && std::ranges::find(known, name.get<std::string>()) != known.end()) return;
    fail("data.session",
         "unknown calendar " + shown(name) + did_you_mean(name.is_string() ? name.get<std::string>() : "", known));
  }

  void require_interval(const json& stated) const {
    const double seconds = stated.is_number() ? stated.get<double>() : 0.0;
    if (!(seconds > 0.0 && seconds <= kLongestInterval))
      fail("data.bar_interval_s", "must be a number of seconds above 0 and at most " + format_number(kLongestInterval) +
                                      ", found " + shown(stated));
  }

  std::optional<TimeSpan> read_span(const json& data, const std::string& part) {
    const auto found = data.find(part);
    if (found == data.end()) {
      warn(metadata_place() + ": data." + part + " is not stated, so bars of it cannot be told");
      return std::nullopt;
    }
    const json& span = *found;
    if (span.is_null() && part == "test") return std::nullopt;  // of a model that is tested elsewhere
    const auto refuse = [&] {
      fail("data." + part, "must be two ISO-8601 times, the earlier first, found " + shown(span));
    };
    const auto time = [&](const json& value) {
      const auto parsed = value.is_string() ? parse_iso_time(value.get<std::string>()) : std::nullopt;
      if (!parsed) refuse();
      return *parsed;
    };
    if (!span.is_array() || span.size() != 2) refuse();
    const TimeSpan times{time(span[0]), time(span[1])};
    if (times.begin_ns > times.end_ns) refuse();
    return times;
  }

  InputShape find_shape(const Model& model, int width) {
    const json& expects = metadata_["expects"];
    int length = 0;
    for (const char* const key : {"sequence_length", "seq_len"}) {
      if (!expects.contains(key)) continue;
      const std::string path = std::string("expects.") + key;
      const int stated = whole_number(path, expects[key], 1, kLongestSequence);
      if (length != 0 && stated != length)
        fail(path, "must be expects.sequence_length, " + std::to_string(length) + ", found " + std::to_string(stated));
      length = stated;
    }
    if (std::int64_t{width} * std::max(length, 1) > kLargestWindow)
      fail("expects", "a window must hold at most " + std::to_string(kLargestWindow) + " numbers, found " +
                          std::to_string(length) + " rows of " + std::to_string(width));
    const InputShape flat{.sequence = false, .sequence_length = 1, .width = width};
    const InputShape sequence{
        .sequence = true, .sequence_length = length > 0 ? length : kDefaultSequenceLength, .width = width};
    if (!expects.contains("layout")) {
      warn(metadata_place() + ": states no layout; it was found by trying");
      // A stated length speaks for sequences: layers that take [B, T, F] may take [B, F] for one sequence of B rows.
      const InputShape shape = length > 1 ? one_of(model, sequence, flat) : one_of(model, flat, sequence);
      if (shape.sequence && length == 0)
        warn(metadata_place() + ": states no sequence_length; " + std::to_string(kDefaultSequenceLength) +
             " rows were tried, and the model takes them");
      if (!shape.sequence && length > 1)
        warn(metadata_place() + ": states " + std::to_string(length) + " rows to a logit, and the model takes one");
      return shape;
    }
    const json& layout = expects["layout"];
    if (layout != "BF" && layout != "BTF") fail("expects.layout", "must be \"BF\" or \"BTF\", found " + shown(layout));
    if (layout == "BF" && length > 1)
      fail("expects.sequence_length", "must be 1 for layout BF, found " + std::to_string(length));
    if (layout == "BTF" && length == 0) fail("expects", "key 'sequence_length' is missing, which layout BTF needs");
    const InputShape shape = layout == "BF" ? flat : sequence;
    try_shape(model, shape);
    return shape;
  }

  /// The first shape that the model takes. @throws ModelError if it takes neither, with what is wrong with each.
  static InputShape one_of(const Model& model, const InputShape& first, const InputShape& second) {
    try {
      try_shape(model, first);
      return first;
    } catch (const ModelError& refused) {
      try {
        try_shape(model, second);
        return second;
      } catch (const ModelError& refused_too) {
        throw ModelError(std::string(refused.what()) + "; " + refused_too.what());
      }
    }
  }

  /// @throws ModelError if the model does not take the shape, or gives another number of logits than windows.
  static void try_shape(const Model& model, const InputShape& shape) {
    constexpr std::size_t kBatch = 2;
    const std::vector<float> zeros(kBatch * static_cast<std::size_t>(shape.sequence_length * shape.width));
    std::vector<float> logits(kBatch);
    model.forward({zeros, zeros.size() / kBatch}, shape, logits);
  }

  void replay_probe(const Artifact& artifact) {
    if (!folder_.has("probe.json")) {
      warn(folder_.path().string() +
           ": has no probe.json, so the model's logits cannot be compared with those of its training");
      return;
    }
    const std::string place = folder_.place("probe.json");
    const json probe = parsed("probe.json");
    const auto refuse = [&](const std::string& what) { return ArtifactError(place + ": " + what); };
    if (!probe.is_object() || !probe.contains("inputs") || !probe.contains("logits"))
      throw refuse("must hold the keys inputs and logits");
    const auto rows = static_cast<std::size_t>(artifact.shape_.sequence_length);
    const auto width = static_cast<std::size_t>(artifact.shape_.width);
    const std::size_t count = probe["logits"].is_array() ? probe["logits"].size() : 0;
    if (count == 0) throw refuse("logits: must be a list of numbers, found " + shown(probe["logits"]));
    std::vector<std::size_t> shape = {count, width};
    if (artifact.shape_.sequence) shape = {count, rows, width};
    std::vector<float> inputs, expected_logits;
    flatten(probe["inputs"], shape, place + ": inputs", inputs);
    flatten(probe["logits"], std::vector{count}, place + ": logits", expected_logits);
    std::vector<float> found(expected_logits.size());
    artifact.logits({inputs, rows * width}, found);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double wanted = expected_logits[i], difference = std::abs(found[i] - wanted);
      if (!(difference <= kProbeTolerance * std::max(1.0, std::abs(wanted))))
        throw refuse("logits[" + std::to_string(i) + "]: the model gives " + format_number(found[i]) +
                     " here, it gave " + format_number(expected_logits[i]) + " when it was saved");
    }
  }

  /// Appends the numbers of nested lists of the given shape.
  static void flatten(const json& value, std::span<const std::size_t> shape, const std::string& where,
                      std::vector<float>& out) {
    if (shape.empty()) {
      if (!value.is_number() || !std::isfinite(value.get<float>()))
        throw ArtifactError(where + ": must be a number that float32 can hold, found " + shown(value));
      out.push_back(value.get<float>());
      return;
    }
    if (!value.is_array() || value.size() != shape.front())
      throw ArtifactError(where + ": must be a list of " + std::to_string(shape.front()) + ", found " + shown(value));
    for (std::size_t i = 0; i < value.size(); ++i)
      flatten(value[i], shape.subspan(1), where + "[" + std::to_string(i) + "]", out);
  }

  ArtifactFolder folder_;
  std::string metadata_name_;
  ModelOptions options_;
  bool must_be_sealed_ = false;
  json metadata_;
  std::vector<std::string> warnings_;
};

Artifact Artifact::load(const fs::path& folder, const ModelOptions& options) {
  try {
    return ArtifactReader(folder, options).read();
  } catch (const ArtifactError&) {
    throw;
  } catch (const fs::filesystem_error& error) {
    throw ArtifactError(error.path1().string() + ": " + error.code().message());
  } catch (const InputError& error) {  // of a file in the folder: it makes the artifact a bad one
    throw ArtifactError(error.what());
  }
}

// The types of these were checked on load.
std::string Artifact::session() const { return metadata_.value("data", json::object()).value("session", ""); }

std::optional<double> Artifact::bar_interval_s() const {
  const json data = metadata_.value("data", json::object());
  const auto stated = data.find("bar_interval_s");
  return stated != data.end() ? std::optional(stated->get<double>()) : std::nullopt;
}

bool Artifact::trained_on_synthetic() const {
  return metadata_.value("data", json::object()).value("synthetic", false);
}

int Artifact::warmup() const { return std::max(spec_.emit_from(), spec_.warmup()) + shape_.sequence_length - 1; }

std::optional<int> Artifact::settle() const {
  const std::optional<int> settled = spec_.settle();
  if (!settled) return std::nullopt;
  return std::max(spec_.emit_from(), *settled) + shape_.sequence_length - 1;
}

void Artifact::logits(const Windows& windows, std::span<float> logits) const {
  try {
    model_->forward(windows, shape_, logits);
  } catch (const ModelError& error) {
    throw ArtifactError(model_path().string() + ": " + error.what());
  }
}

fs::path Artifact::model_path() const { return folder_ / (backend() == "native" ? "model.json" : "model.pt"); }

}  // namespace sentio

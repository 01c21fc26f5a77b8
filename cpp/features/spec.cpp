#include "features/spec.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "bars/error.hpp"
#include "bars/file.hpp"
#include "bars/json.hpp"
#include "bars/number.hpp"
#include "bars/sha256.hpp"
#include "bars/suggest.hpp"
#include "features/exact_arithmetic.hpp"
#include "features/ops/formulas.hpp"
#include "features/window.hpp"

namespace sentio {
namespace {

using json = nlohmann::json;

constexpr int kVolumeWindow = 20;  ///< of per_volume
constexpr int kLargestEmitFrom = 1'000'000;

const std::array<std::string, 4> kForms = {"level", "relative", "per_close", "per_volume"};

struct MidPrice {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* high, const double* low) const { return (*high + *low) / 2.0; }
  bool operator==(const MidPrice&) const = default;
};

struct MeanPrice {
  static constexpr int kInputs = 4;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* open, const double* high, const double* low, const double* close) const {
    return (*open + *high + *low + *close) / 4.0;
  }
  bool operator==(const MeanPrice&) const = default;
};

/// What older specs give as the source of ops that read whole bars: the columns in short, or `close`, which was the
/// default of every op. They change nothing.
constexpr std::array<std::string_view, 7> kWholeBars = {"close", "hl", "hlc", "ohlc", "hlcv", "ohlcv", "close_volume"};

/// A source that every spec has without defining it.
struct BuiltIn {
  const char* name;
  Column (*column)(Graph&);
};

constexpr std::array<BuiltIn, 9> kBuiltIns{{
    {"open", [](Graph&) { return kOpen; }},
    {"high", [](Graph&) { return kHigh; }},
    {"low", [](Graph&) { return kLow; }},
    {"close", [](Graph&) { return kClose; }},
    {"volume", [](Graph&) { return kVolume; }},
    {"hl2", [](Graph& graph) { return graph.add(MidPrice{}, {kHigh, kLow}); }},
    {"hlc3", [](Graph& graph) { return typical_price(graph); }},
    {"ohlc4", [](Graph& graph) { return graph.add(MeanPrice{}, {kOpen, kHigh, kLow, kClose}); }},
    {"logret", [](Graph& graph) { return log_return(graph, kClose); }},
}};

Column expressed(Graph& graph, Column value, Form form) {
  switch (form) {
    case Form::level: break;
    case Form::relative: return graph.add(RelativeTo{}, {value, kClose});
    case Form::per_close: return graph.add(RatioOrZero{}, {value, kClose});
    case Form::per_volume: return graph.add(RelativeTo{}, {value, window_mean(graph, kVolume, kVolumeWindow)});
  }
  return value;
}

bool valid_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
  });
}

/// The text of a document as Python's json.dumps(document, sort_keys=True) writes it; a number of 16 or more digits
/// may differ in its last.
std::string python_text(const json& value) {
  const auto quoted = [](const json& plain) { return plain.dump(-1, ' ', true); };
  if (!value.is_structured()) return quoted(value);
  std::string text;
  for (const auto& [key, item] : value.items()) {
    if (!text.empty()) text += ", ";
    if (value.is_object()) text += quoted(key) + ": ";
    text += python_text(item);
  }
  return value.is_object() ? "{" + text + "}" : "[" + text + "]";
}

std::string hash_of(const std::string& text) { return "sha256:" + sha256_hex(text); }

/// Whether `document` carries the content_hash that older writers gave it: of the text of the document without one or,
/// where it was hashed a second time, with the first.
bool has_older_hash(json document) {
  const json found = document["content_hash"];
  document.erase("content_hash");
  document["content_hash"] = hash_of(python_text(document));
  return found == document["content_hash"] || found == hash_of(python_text(document));
}

json param_json(const Param& param, double value) {
  if (!param.choices.empty()) return param.choices[static_cast<std::size_t>(value)];
  if (param.integer) return static_cast<std::int64_t>(value);
  return value;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

/// Reads one document; every message begins with where the fault is.
class SpecReader {
 public:
  SpecReader(std::string_view text, std::string where)
      : where_(std::move(where)), document_(parse_json(text, where_)) {}

  FeatureSpec read() {
    require_object(document_, "");
    require_known(document_, "", {"schema_version", "features", "alignment_policy", "dtype", "content_hash"});
    read_header();
    const json& features = member(document_, "", "features");
    if (!features.is_array() || features.empty())
      fail("features", "must be a list of at least one feature, found " + shown(features));
    for (std::size_t i = 0; i < features.size(); ++i) read_feature(features[i], "features[" + std::to_string(i) + "]");
    finish();
    return std::move(spec_);
  }

 private:
  [[noreturn]] void fail(const std::string& path, const std::string& what) const {
    throw InputError(where_ + ": " + (path.empty() ? "" : path + ": ") + what);
  }

  void require_object(const json& value, const std::string& path) const {
    if (!value.is_object()) fail(path, "must be an object, found " + shown(value));
  }

  void require_known(const json& object, const std::string& path, const std::vector<std::string>& known) const {
    for (const auto& [key, value] : object.items())
      if (std::ranges::find(known, key) == known.end())
        fail(path, "unknown key '" + key + "'" + did_you_mean(key, known));
  }

  const json& member(const json& object, const std::string& path, const char* key) const {
    const auto found = object.find(key);
    if (found == object.end()) fail(path, std::string("key '") + key + "' is missing");
    return *found;
  }

  std::string text(const json& object, const std::string& path, const char* key) const {
    const json& value = member(object, path, key);
    if (!value.is_string()) fail(path + "." + key, "must be a string, found " + shown(value));
    return value.get<std::string>();
  }

  void read_header() const {
    const json version = document_.value("schema_version", json("1.0"));
    if (version != "1.0") fail("schema_version", "must be \"1.0\", found " + shown(version));
    const json dtype = document_.value("dtype", json("float32"));
    if (dtype != "float32") fail("dtype", "must be \"float32\", found " + shown(dtype));
  }

  void read_feature(const json& object, const std::string& path) {
    require_object(object, path);
    const std::string name = text(object, path, "name");
    if (!valid_name(name)) fail(path + ".name", "must be of letters, digits, '_', '.' and '-', found '" + name + "'");
    if (std::ranges::find(spec_.features_, name, &Feature::name) != spec_.features_.end())
      fail(path + ".name", "'" + name + "' is defined twice");

    const std::string op_name = text(object, path, "op");
    const Op* const op = find_op(op_name);
    if (op == nullptr) fail(path + ".op", "unknown op '" + op_name + "'" + did_you_mean(op_name, op_names()));
    std::vector<std::string> keys = allowed_keys(*op);
    if (op->sources == 0 && object.contains("source")) {
      check_whole_bars(text(object, path, "source"), path, *op);
      keys.emplace_back("source");
    }
    require_known(object, path, keys);

    Feature feature{.name = name,
                    .op = op,
                    .params = {},
                    .sources = read_sources(object, path, *op),
                    .form = read_form(object, path),
                    .emitted = read_flag(object, path, "emit", true),
                    .column = 0};
    for (const Param& param : op->params) feature.params.push_back(read_param(object, path, param));

    if (op->fault != nullptr)
      if (const std::string fault = op->fault(feature.params); !fault.empty()) fail(path, fault);

    std::vector<Column> columns;
    for (const std::string& source : feature.sources) columns.push_back(column_of(source));
    Graph& graph = spec_.graph_;
    feature.column = expressed(graph, op->build(graph, Args(feature.params, columns)), feature.form);
    if (const int first = graph.facts(feature.column).first; first > kLargestEmitFrom)
      fail(path,
           "the warm-up must be at most " + std::to_string(kLargestEmitFrom) + " bars, found " + std::to_string(first));
    if (is_built_in(name) && feature.column != column_of(name))
      fail(path + ".name", "'" + name + "' is the name of a built-in source, and this feature is not that source");
    spec_.features_.push_back(std::move(feature));
  }

  void check_whole_bars(const std::string& source, const std::string& path, const Op& op) {
    if (std::ranges::find(kWholeBars, source) == kWholeBars.end())
      fail(path + ".source", op.name + " reads whole bars and takes no source, found '" + source + "'; leave it out");
    spec_.warnings_.push_back(where_ + ": " + path + ".source: " + op.name + " reads whole bars, '" + source +
                              "' changes nothing");
  }

  static std::vector<std::string> allowed_keys(const Op& op) {
    std::vector<std::string> keys = {"name", "op", "as", "emit"};
    if (op.sources == 1) keys.emplace_back("source");
    if (op.sources == 2) keys.emplace_back("sources");
    for (const Param& param : op.params) keys.push_back(param.name);
    return keys;
  }

  [[nodiscard]] std::vector<std::string> read_sources(const json& object, const std::string& path, const Op& op) const {
    std::vector<std::string> names;
    if (op.sources == 1) names.push_back(object.contains("source") ? text(object, path, "source") : "close");
    if (op.sources == 2) {
      const json& list = member(object, path, "sources");
      if (!list.is_array() || list.size() != 2 || !list[0].is_string() || !list[1].is_string())
        fail(path + ".sources", "must be a list of two names, found " + shown(list));
      names = list.get<std::vector<std::string>>();
    }
    for (const std::string& name : names)
      if (!is_built_in(name) && std::ranges::find(spec_.features_, name, &Feature::name) == spec_.features_.end())
        fail(path + (op.sources == 1 ? ".source" : ".sources"),
             "'" + name + "' is not defined before this feature" + did_you_mean(name, known_sources()));
    return names;
  }

  [[nodiscard]] Form read_form(const json& object, const std::string& path) const {
    if (!object.contains("as")) return Form::level;
    const std::string word = text(object, path, "as");
    const auto found = std::ranges::find(kForms, word);
    if (found == kForms.end()) fail(path + ".as", "unknown form '" + word + "'" + did_you_mean(word, kForms));
    return static_cast<Form>(found - kForms.begin());
  }

  bool read_flag(const json& object, const std::string& path, const char* key, bool fallback) const {
    if (!object.contains(key)) return fallback;
    if (!object[key].is_boolean()) fail(path + "." + key, "must be true or false, found " + shown(object[key]));
    return object[key].get<bool>();
  }

  [[nodiscard]] double read_param(const json& object, const std::string& path, const Param& param) const {
    const auto found = object.find(param.name);
    if (found == object.end()) return param.fallback;
    const json& value = *found;
    const std::string here = path + "." + param.name;
    if (!param.choices.empty()) {
      const auto choice =
          value.is_string() ? std::ranges::find(param.choices, value.get<std::string>()) : param.choices.end();
      if (choice == param.choices.end())
        fail(here, "must be one of " + joined(param.choices) + ", found " + shown(value));
      return static_cast<double>(choice - param.choices.begin());
    }
    const double number = value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
    const bool whole = !param.integer || number == std::floor(number);
    if (!(number >= param.min && number <= param.max && whole))
      fail(here, std::string("must be a ") + (param.integer ? "whole " : "") + "number in [" +
                     format_number(param.min) + ", " + format_number(param.max) + "], found " + shown(value));
    return number + 0.0;  // -0 is 0: two features that are equal but for that sign are one
  }

  static bool is_built_in(const std::string& name) {
    return std::ranges::any_of(kBuiltIns, [&](const BuiltIn& source) { return name == source.name; });
  }

  [[nodiscard]] std::vector<std::string> known_sources() const {
    std::vector<std::string> names;
    for (const BuiltIn& source : kBuiltIns) names.emplace_back(source.name);
    for (const Feature& feature : spec_.features_)
      if (!is_built_in(feature.name)) names.push_back(feature.name);
    return names;
  }

  Column column_of(const std::string& source) {
    for (const BuiltIn& built_in : kBuiltIns)
      if (source == built_in.name) return built_in.column(spec_.graph_);
    return std::ranges::find(spec_.features_, source, &Feature::name)->column;
  }

  void finish() {
    for (const Feature& feature : spec_.features_) {
      if (!feature.emitted) continue;
      const ColumnFacts& facts = spec_.graph_.facts(feature.column);
      ++spec_.width_;
      spec_.warmup_ = std::max(spec_.warmup_, facts.first);
      spec_.settle_ = std::max(spec_.settle_, facts.settle);
    }
    if (spec_.width_ == 0) fail("features", "no feature is emitted");
    read_alignment();
    warn_of_padded_cells();
    spec_.canonical_ = canonical().dump();
    spec_.hash_ = hash_of(spec_.canonical_);
    if (document_.contains("content_hash") && document_["content_hash"] != spec_.hash_ && !has_older_hash(document_))
      fail("content_hash", "does not fit the content: found " + shown(document_["content_hash"]) + ", computed \"" +
                               spec_.hash_ + "\"");
  }

  void read_alignment() {
    spec_.emit_from_ = spec_.warmup_;
    if (!document_.contains("alignment_policy")) return;
    const json& policy = document_["alignment_policy"];
    const std::string path = "alignment_policy";
    require_object(policy, path);
    require_known(policy, path, {"emit_from_index", "pad_value"});
    if (policy.contains("emit_from_index")) {
      const json& index = policy["emit_from_index"];
      if (!index.is_number_integer() || index.get<double>() < 0.0 || index.get<double>() > kLargestEmitFrom)
        fail(path + ".emit_from_index",
             "must be a whole number in [0, " + std::to_string(kLargestEmitFrom) + "], found " + shown(index));
      spec_.emit_from_ = index.get<int>();
    }
    if (policy.contains("pad_value")) {
      const json& pad = policy["pad_value"];
      if (!pad.is_number() || !std::isfinite(static_cast<float>(pad.get<double>())))
        fail(path + ".pad_value", "must be a number that float32 can hold, found " + shown(pad));
      spec_.pad_value_ = pad.get<double>();
    }
  }

  void warn_of_padded_cells() {
    std::vector<std::string> late;
    for (const Feature& feature : spec_.features_) {
      const int first = spec_.graph_.facts(feature.column).first;
      if (feature.emitted && first > spec_.emit_from_)
        late.push_back(feature.name + " (" + std::to_string(first) + ")");
    }
    if (late.empty()) return;
    spec_.warnings_.push_back(
        where_ + ": alignment_policy.emit_from_index " + std::to_string(spec_.emit_from_) +
        " comes before these features are defined, whose cells hold pad_value until then: " + joined(late));
  }

  [[nodiscard]] json canonical() const {
    json features = json::array();
    for (const Feature& feature : spec_.features_) {
      json object = {{"name", feature.name},
                     {"op", feature.op->name},
                     {"emit", feature.emitted},
                     {"as", kForms[static_cast<std::size_t>(feature.form)]}};
      if (feature.op->sources == 1) object["source"] = feature.sources[0];
      if (feature.op->sources == 2) object["sources"] = feature.sources;
      for (std::size_t i = 0; i < feature.params.size(); ++i)
        object[feature.op->params[i].name] = param_json(feature.op->params[i], feature.params[i]);
      features.push_back(std::move(object));
    }
    return {{"schema_version", "1.0"},
            {"features", std::move(features)},
            {"dtype", "float32"},
            {"alignment_policy", {{"emit_from_index", spec_.emit_from_}, {"pad_value", spec_.pad_value_}}}};
  }

  std::string where_;
  json document_;
  FeatureSpec spec_;
};

FeatureSpec FeatureSpec::load(const std::filesystem::path& path) { return from_json(read_file(path), path.string()); }

FeatureSpec FeatureSpec::from_json(std::string_view text, const std::string& where) {
  const ExactArithmetic exact;  // for the constants of the formulas
  return SpecReader(text, where).read();
}

std::vector<std::string> FeatureSpec::names() const {
  std::vector<std::string> names;
  for (const Feature& feature : features_)
    if (feature.emitted) names.push_back(feature.name);
  return names;
}

std::vector<Column> FeatureSpec::emitted_columns() const {
  std::vector<Column> columns;
  for (const Feature& feature : features_)
    if (feature.emitted) columns.push_back(feature.column);
  return columns;
}

std::optional<int> FeatureSpec::settle() const { return settle_ < kNever ? std::optional(settle_) : std::nullopt; }

std::string FeatureSpec::resolved() const {
  json document = json::parse(canonical_);
  document["content_hash"] = hash_;
  return document.dump(2) + '\n';
}

}  // namespace sentio

#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bars/sha256.hpp"
#include "features/spec.hpp"
#include "inference/artifact.hpp"
#include "scratch.hpp"

namespace sentio::test {

using Json = nlohmann::ordered_json;

/// One entry of a folder.
struct Entry {
  enum class Kind { file, folder, pipe, link };

  std::string content = {};  ///< of a link: where it leads
  Kind kind = Kind::file;

  bool operator==(const Entry&) const = default;
};

/// What lies in an artifact folder, by name.
using Entries = std::map<std::string, Entry>;

inline void write_folder(const Entries& entries, const std::filesystem::path& folder) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  for (const auto& [name, entry] : entries) {
    const std::filesystem::path path = folder / name;
    if (entry.kind == Entry::Kind::file) std::ofstream(path, std::ios::binary) << entry.content;
    if (entry.kind == Entry::Kind::folder) std::filesystem::create_directory(path);
    if (entry.kind == Entry::Kind::link) std::filesystem::create_symlink(entry.content, path);
    if (entry.kind == Entry::Kind::pipe && mkfifo(path.c_str(), 0600) != 0)
      throw std::runtime_error(path.string() + ": the pipe cannot be made");
  }
}

/// Puts the right seal into the text of metadata; a text that has no room for one stays as it is.
inline void seal(std::string& metadata) {
  constexpr std::string_view kBegin = "\"seal\": \"sha256:";
  constexpr std::size_t kDigits = 64;
  const std::size_t at = metadata.rfind(kBegin);
  if (at == metadata.npos || metadata.size() < at + kBegin.size() + kDigits) return;
  metadata.replace(at + kBegin.size(), kDigits, kDigits, '0');
  metadata.replace(at + kBegin.size(), kDigits, sha256_hex(metadata));
}

/// Fits metadata's hashes to the files and its seal to itself, so that only deeper checks can find fault.
inline void fix_hashes(Entries& entries) {
  Json metadata = Json::parse(entries.at("metadata.json").content);
  for (auto& [name, hash] : metadata["files"].items())
    if (const auto found = entries.find(name); found != entries.end())
      hash = "sha256:" + sha256_hex(found->second.content);
  metadata["seal"] = "sha256:" + std::string(64, '0');
  entries.at("metadata.json").content = metadata.dump(2) + "\n";
  seal(entries.at("metadata.json").content);
}

/// Fits what metadata expects to the spec, where that is one.
inline void fix_expectations(Entries& entries) {
  Json metadata = Json::parse(entries.at("metadata.json").content);
  Json& expects = metadata["expects"];
  try {
    const FeatureSpec spec = FeatureSpec::from_json(entries.at("feature_spec.json").content, "spec");
    expects["input_dim"] = spec.width();
    expects["feature_names"] = spec.names();
    expects["spec_hash"] = spec.hash();
    expects["emit_from"] = spec.emit_from();
    expects["pad_value"] = spec.pad_value();
  } catch (const InputError&) {
    return;  // there is nothing to fit to
  }
  entries.at("metadata.json").content = metadata.dump(2) + "\n";
}

/// A network as model.json draws it, with weights that are small and at random.
class Network {
 public:
  Network(int rows, int width) {
    document_ = {{"format", "sentio-graph"},
                 {"format_version", "1.0"},
                 {"input", {{"layout", rows == 1 ? "BF" : "BTF"}, {"sequence_length", rows}, {"width", width}}},
                 {"tensors", Json::array()},
                 {"nodes", Json::array()},
                 {"output", ""}};
  }

  std::string tensor(const std::string& name, const std::vector<int>& shape, float at_least = -0.5F) {
    std::size_t size = 1;
    for (const int length : shape) size *= static_cast<std::size_t>(length);
    std::uniform_real_distribution<float> value(at_least, at_least + 1.0F);
    for (std::size_t i = 0; i < size; ++i) {
      const float number = value(random_);
      weights_.append(reinterpret_cast<const char*>(&number), sizeof number);
    }
    document_["tensors"].push_back({{"name", name}, {"shape", shape}});
    return name;
  }

  std::string node(Json fields) {
    fields["output"] = "v" + std::to_string(document_["nodes"].size() + 1);
    document_["output"] = fields["output"];
    document_["nodes"].push_back(fields);
    return fields["output"];
  }

  std::string normalise(const std::string& x, int width) {
    return node({{"op", "normalise"},
                 {"input", x},
                 {"mean", tensor("mean", {width})},
                 {"std", tensor("std", {width}, 0.5F)},
                 {"clip", 8.0}});
  }

  std::string linear(const std::string& x, const std::string& name, int inputs, int outputs) {
    return node({{"op", "linear"},
                 {"input", x},
                 {"weight", tensor(name + ".weight", {outputs, inputs})},
                 {"bias", tensor(name + ".bias", {outputs})}});
  }

  std::string apply(const std::string& op, const std::string& x) { return node({{"op", op}, {"input", x}}); }

  void calibrate(const std::string& x) {
    node({{"op", "affine"}, {"input", x}, {"scale", tensor("slope", {})}, {"shift", tensor("intercept", {})}});
  }

  [[nodiscard]] std::string document() const { return document_.dump(2) + "\n"; }
  [[nodiscard]] const std::string& weights() const { return weights_; }

 private:
  Json document_;
  std::string weights_;
  std::mt19937 random_{1};
};

inline Network small_mlp(int width) {
  Network net(1, width);
  const std::string hidden = net.apply("gelu", net.linear(net.normalise("x", width), "body.0", width, 4));
  net.calibrate(net.linear(hidden, "body.2", 4, 1));
  return net;
}

inline Network small_transformer(int rows, int width) {
  constexpr int kInner = 4;
  Network net(rows, width);
  const auto norm = [&](const std::string& x, const std::string& name) {
    return net.node({{"op", "layer_norm"},
                     {"input", x},
                     {"weight", net.tensor(name + ".weight", {kInner})},
                     {"bias", net.tensor(name + ".bias", {kInner})},
                     {"epsilon", 1e-5}});
  };
  const std::string embedded = net.linear(net.normalise("x", width), "embed", width, kInner);
  const std::string placed =
      net.node({{"op", "add_position"}, {"input", embedded}, {"position", net.tensor("position", {rows, kInner})}});
  const std::string rested = norm(placed, "norm");
  const std::string last = net.apply("last_row", placed);
  const std::string weight = net.tensor("qkv.weight", {3 * kInner, kInner}),
                    bias = net.tensor("qkv.bias", {3 * kInner});
  const auto part = [&](const std::string& x, int i) {
    return net.node(
        {{"op", "linear"}, {"input", x}, {"weight", weight}, {"bias", bias}, {"rows", {i * kInner, (i + 1) * kInner}}});
  };
  const std::string query = part(net.apply("last_row", rested), 0), key = part(rested, 1), value = part(rested, 2);
  const std::string seen = net.node(
      {{"op", "attention"}, {"query", query}, {"key", key}, {"value", value}, {"heads", 2}, {"causal", false}});
  const std::string sum = net.node({{"op", "add"}, {"inputs", {last, net.linear(seen, "out", kInner, kInner)}}});
  const std::string inner = net.apply("silu", net.linear(norm(sum, "norm2"), "up", kInner, 2 * kInner));
  const std::string both = net.node({{"op", "add"}, {"inputs", {sum, net.linear(inner, "down", 2 * kInner, kInner)}}});
  net.calibrate(net.linear(both, "head", kInner, 1));
  return net;
}

/// Windows of numbers as normalised features have them.
inline std::vector<float> random_numbers(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(count);
  std::ranges::generate(numbers, [&] { return normal(random); });
  return numbers;
}

/// A whole artifact without a TorchScript model: an MLP of one row or a transformer of four.
inline Entries small_artifact(bool sequence) {
  constexpr std::size_t kProbes = 3;
  const int rows = sequence ? 4 : 1;
  const FeatureSpec spec = FeatureSpec::from_json(R"({"features": [
      {"name": "ret", "op": "LOGRET", "window": 1}, {"name": "mean", "op": "SMA", "window": 5, "as": "relative"},
      {"name": "noise", "op": "STD", "source": "ret", "window": 5}]})",
                                                  "spec");
  const Network net = sequence ? small_transformer(rows, spec.width()) : small_mlp(spec.width());
  Json metadata = {
      {"schema_version", "1.1"},
      {"saved_at", 1'757'243'734},
      {"framework", "torchscript"},
      {"model_id", "TFA"},
      {"version", "v1"},
      {"expects",
       {{"input_dim", 0},
        {"feature_names", Json::array()},
        {"spec_hash", ""},
        {"emit_from", 0},
        {"pad_value", 0.0},
        {"dtype", "float32"},
        {"output", "logit"},
        {"layout", sequence ? "BTF" : "BF"},
        {"sequence_length", rows}}},
      {"decision", {{"rule", "threshold"}, {"long_above", 0.53}, {"short_below", 0.47}, {"min_hold", 2}}},
      {"data",
       {{"symbols", {"QQQ"}},
        {"bar_interval_s", 60},
        {"session", "us_equity"},
        {"synthetic", true},
        {"train", {"2024-01-02T14:30:00Z", "2024-01-05T20:59:00Z"}},
        {"validation", {"2024-01-08T14:30:00Z", "2024-01-08T20:59:00Z"}},
        {"test", {"2024-01-09T14:30:00Z", "2024-01-09T20:59:00Z"}}}},
      {"training", {{"verdict", "none"}, {"metrics", {{"train_loss", 0.69}}}}},
      {"files", {{"model.json", ""}, {"weights.bin", ""}, {"feature_spec.json", ""}, {"config.yaml", ""}}}};
  Entries entries = {{"metadata.json", {metadata.dump()}},
                     {"feature_spec.json", {spec.resolved()}},
                     {"model.json", {net.document()}},
                     {"weights.bin", {net.weights()}},
                     {"config.yaml", {"model: {kind: mlp}\n"}}};
  fix_expectations(entries);
  fix_hashes(entries);

  const Scratch folder("small_artifact");
  write_folder(entries, folder.path());
  const Artifact artifact = Artifact::load(folder.path(), {.backend = Backend::native});
  const auto window = static_cast<std::size_t>(rows * spec.width());
  const std::vector<float> inputs = random_numbers(kProbes * window, 2);
  std::vector<float> logits(kProbes);
  artifact.logits({inputs, window}, logits);
  Json probe = {{"inputs", Json::array()}, {"logits", logits}};
  for (std::size_t i = 0; i < kProbes; ++i) {
    Json rows_of_window = Json::array();
    for (std::size_t row = 0; row < window; row += static_cast<std::size_t>(spec.width())) {
      const auto begin = inputs.begin() + static_cast<std::ptrdiff_t>(i * window + row);
      rows_of_window.push_back(std::vector<float>(begin, begin + spec.width()));
    }
    probe["inputs"].push_back(sequence ? rows_of_window : rows_of_window[0]);
  }
  entries["probe.json"] = {probe.dump(2) + "\n"};
  metadata = Json::parse(entries.at("metadata.json").content);
  metadata["files"]["probe.json"] = "";
  entries.at("metadata.json").content = metadata.dump();
  fix_hashes(entries);
  return entries;
}

}  // namespace sentio::test

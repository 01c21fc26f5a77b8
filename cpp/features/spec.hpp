#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "features/graph.hpp"
#include "features/registry.hpp"

namespace sentio {

/// How a feature's value is expressed.
enum class Form {
  level,       ///< as computed
  relative,    ///< value / close - 1, for prices
  per_close,   ///< value / close, for price differences
  per_volume,  ///< value / SMA20(volume) - 1, 0 where that is 0, for volumes
};

struct Feature {
  std::string name;
  const Op* op;
  std::vector<double> params;
  std::vector<std::string> sources;
  Form form;
  bool emitted;
  Column column;
};

/// A list of features, checked and ready to be computed. A feature that is another's source is read as expressed.
class FeatureSpec {
 public:
  /// @throws InputError "file: JSON path: what is wrong, what was found, what is known".
  [[nodiscard]] static FeatureSpec load(const std::filesystem::path& path);
  [[nodiscard]] static FeatureSpec from_json(std::string_view text, const std::string& where = "spec");

  [[nodiscard]] const std::vector<Feature>& features() const { return features_; }

  /// The emitted features, in column order.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] std::vector<Column> emitted_columns() const;
  [[nodiscard]] int width() const { return width_; }

  /// The first bar at which every emitted feature is defined.
  [[nodiscard]] int warmup() const { return warmup_; }

  /// The first bar at which the start of the data no longer shows in any emitted feature; nothing if it always does.
  [[nodiscard]] std::optional<int> settle() const;

  /// Rows before this bar hold `pad_value()` throughout; later cells do until their feature is defined.
  [[nodiscard]] int emit_from() const { return emit_from_; }
  [[nodiscard]] double pad_value() const { return pad_value_; }

  /// The canonical form: defaults filled in, keys sorted, no white space, no content_hash.
  [[nodiscard]] const std::string& canonical() const { return canonical_; }

  /// "sha256:" and the SHA-256 of the canonical form.
  [[nodiscard]] const std::string& hash() const { return hash_; }

  /// The canonical form for people, indented, with its content_hash.
  [[nodiscard]] std::string resolved() const;

  /// What is legal but surprising, one line each.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

  [[nodiscard]] const Graph& graph() const { return graph_; }

 private:
  friend class SpecReader;
  FeatureSpec() = default;

  std::vector<Feature> features_;
  Graph graph_;
  int width_ = 0, warmup_ = 0, settle_ = 0, emit_from_ = 0;
  double pad_value_ = 0.0;
  std::string canonical_, hash_;
  std::vector<std::string> warnings_;
};

}  // namespace sentio

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backtest/decision_rule.hpp"
#include "backtest/strategy.hpp"
#include "features/builder.hpp"
#include "inference/artifact.hpp"

namespace sentio {

/// Which trained model to trade: `<artifacts_dir>/<model_id>/<version>/`.
struct TFACfg {
  std::string artifacts_dir = "artifacts";
  std::string model_id = "TFA";
  std::string version = "v1";
  ModelOptions model = {};
};

/// A trained model as a strategy: bars to features, the last rows to a logit, the logit to a decision.
class TFAStrategy final : public Strategy {
 public:
  /// @throws ArtifactError as Artifact::load.
  explicit TFAStrategy(const TFACfg& config);
  explicit TFAStrategy(Artifact artifact);

  [[nodiscard]] std::string_view name() const override { return "tfa"; }
  [[nodiscard]] int warmup() const override { return artifact_.warmup() + 1; }
  /// @throws std::invalid_argument if the bar is not valid; nothing has changed then. ArtifactError if the model fails;
  ///         the bar has been taken then, and has no decision.
  [[nodiscard]] Decision on_bar(const Bar& bar) override;

  /// The same in blocks: features of many bars, then one forward pass over many windows. Features have the same bits as
  /// bar by bar; logits agree to 1e-6 of their scale, because LibTorch rounds by batch size.
  void on_bars(BarsView bars, std::span<Decision> out) override;

  [[nodiscard]] const Artifact& artifact() const { return artifact_; }

 private:
  void save(StateWriter& to) const override;
  void load(StateReader& from) override;
  void decide_block(BarsView bars, std::span<Decision> out);
  [[nodiscard]] Windows windows_from(std::size_t first) const;

  Artifact artifact_;
  FeatureBuilder builder_;
  DecisionRule rule_;
  std::vector<float> rows_;  ///< the rows before the block that its first window needs, then the block's
  std::vector<float> logits_;
  std::string fingerprint_;  ///< tells this model from every other
};

}  // namespace sentio

#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "backtest/evidence.hpp"
#include "inference/artifact.hpp"

namespace sentio {

/// `trials.csv` beside the versions of a model: every model that was tried, one row each, as sentio_trainer writes it.
class Ledger {
 public:
  /// A last row that a dying process left unfinished is not read.
  /// @throws ArtifactError "trials.csv:3: what is wrong" if the file is no ledger
  explicit Ledger(const std::filesystem::path& path);

  /// Distinct configurations, seeds included, whose training came to metrics: what somebody could have picked from.
  /// The number of `count` in sentio_trainer.ledger.
  /// @param data_hash counts those on these data alone
  [[nodiscard]] std::size_t count(const std::optional<std::string>& data_hash = std::nullopt) const;

  /// The data of the last training for a version that came to metrics and was no trial of a study; none without one.
  [[nodiscard]] std::optional<std::string> data_of(const std::string& version) const;

 private:
  struct Row {
    std::string version, study, config_hash, data_hash;
    bool has_metrics;
  };
  std::vector<Row> rows_;
};

/// The trials that an artifact was picked from, by the ledger beside it: those on its own data where the ledger has the
/// artifact's row, else all. At least the artifact itself. Of a deployed artifact, those that its deployment counted.
/// Nothing where there is no ledger. `from` says how many there are on any data where those are more: a model fitted
/// once more on newer bars leaves its search behind.
/// @throws ArtifactError as Ledger, or if deployment.json does not say what was deployed
[[nodiscard]] std::optional<Trials> trials_of(const Artifact& artifact);

/// What a report says where there is no ledger.
inline constexpr const char* kNoLedgerNote =
    "There is no ledger (trials.csv) beside the model: it is taken for the only one tried; see --trials.";

}  // namespace sentio

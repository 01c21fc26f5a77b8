#include "inference/ledger.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "bars/file.hpp"
#include "bars/json.hpp"
#include "bars/number.hpp"
#include "inference/artifact_error.hpp"

namespace sentio {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeader =
    "time,version,study,trial,status,changed,seed,epoch,loss,auc,ic,rank_ic,config_hash,data_hash";
constexpr std::size_t kColumns = 14;
constexpr std::size_t kVersion = 1, kStudy = 2, kChanged = 5, kEpoch = 7, kConfigHash = 12, kDataHash = 13;
constexpr std::array<std::size_t, 3> kWhole{3, 6, kEpoch};
constexpr std::array<std::size_t, 4> kReal{8, 9, 10, 11};
constexpr std::uintmax_t kMostBytes = 256 << 20;

/// The cells of one line of RFC 4180, where no cell holds an end of line; none if a quote is not closed.
std::optional<std::vector<std::string>> cells_of(std::string_view line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool quote = line[i] == '"';
    if (quoted && quote && line.substr(i + 1).starts_with('"')) {
      cells.back() += line[i++];  // two quotes are one
    } else if (quote && (quoted || cells.back().empty())) {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += line[i];
    }
  }
  if (quoted) return std::nullopt;
  return cells;
}

bool is_whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool is_real(std::string_view text) { return text == "nan" || text == "inf" || text == "-inf" || parse_number(text); }

/// What is wrong with a row; empty if nothing is.
std::string fault_of(const std::vector<std::string>& cells) {
  if (cells.size() != kColumns)
    return std::to_string(kColumns) + " cells expected, found " + std::to_string(cells.size());
  for (const std::size_t i : kWhole) {
    if (!cells[i].empty() && !is_whole(cells[i])) return "a whole number expected, found '" + cells[i] + "'";
  }
  for (const std::size_t i : kReal) {
    if (!cells[i].empty() && !is_real(cells[i])) return "a number expected, found '" + cells[i] + "'";
  }
  if (!nlohmann::json::accept(cells[kChanged])) return "JSON expected, found '" + cells[kChanged] + "'";
  return "";
}

/// What the deployment that wrote deployment.json beside an artifact counted; nothing where it found no ledger.
std::optional<Trials> trials_when_deployed(const fs::path& folder) {
  const fs::path path = folder.parent_path() / "deployment.json";
  if (!fs::exists(path)) return std::nullopt;
  const auto document = nlohmann::json::parse(read_file(path, kMostBytes), nullptr, false);
  const nlohmann::json::json_pointer place = nlohmann::json::json_pointer() / "models" / folder.filename().string();
  if (!document.is_object() || !document.contains(place) || !document[place].is_object())
    throw ArtifactError(path.string() + ": must say what was deployed as '" + folder.filename().string() + "'");
  const nlohmann::json trials = document[place].value("trials", nlohmann::json());
  if (trials.is_null()) return std::nullopt;
  if (!trials.is_number_unsigned() || trials == 0)
    throw ArtifactError(path.string() + ": the trials of '" + folder.filename().string() +
                        "' must be a whole number of at least 1, found " + trials.dump());
  return Trials{trials.get<std::size_t>(), "deployment.json, by the ledger when it was deployed", true};
}

}  // namespace

Ledger::Ledger(const fs::path& path) {
  const std::string content = read_file(path, kMostBytes);
  std::string_view rest(content);
  rest = rest.substr(0, rest.rfind('\n') + 1);  // npos + 1 is 0
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    const std::string place = path.string() + ":" + std::to_string(number) + ": ";
    if (number == 1) {
      if (line == kHeader) continue;
      throw ArtifactError(place + "must be the columns " + std::string(kHeader) + ", found '" + std::string(line) +
                          "'; move the file away to begin another");
    }
    auto cells = cells_of(line);
    if (!cells) throw ArtifactError(place + "not a row of a ledger: a quote is not closed");
    if (const std::string fault = fault_of(*cells); !fault.empty())
      throw ArtifactError(place + "not a row of a ledger: " + fault);
    auto& c = *cells;
    rows_.push_back({c[kVersion], c[kStudy], c[kConfigHash], c[kDataHash], !c[kEpoch].empty()});
  }
}

std::size_t Ledger::count(const std::optional<std::string>& data_hash) const {
  std::set<std::string_view> configurations;
  for (const Row& row : rows_) {
    if (row.has_metrics && (!data_hash || row.data_hash == *data_hash)) configurations.insert(row.config_hash);
  }
  return configurations.size();
}

std::optional<std::string> Ledger::data_of(const std::string& version) const {
  const auto own = std::find_if(rows_.rbegin(), rows_.rend(), [&](const Row& row) {
    return row.has_metrics && row.study.empty() && row.version == version;
  });
  return own == rows_.rend() ? std::nullopt : std::optional(own->data_hash);
}

std::optional<Trials> trials_of(const Artifact& artifact) {
  const fs::path& given = artifact.folder();
  const fs::path folder = given.has_filename() ? given : given.parent_path();
  const fs::path path = folder.parent_path() / "trials.csv";
  if (!fs::exists(path)) return trials_when_deployed(folder);
  const Ledger ledger(path);
  const auto version = artifact.metadata().find("version");
  std::optional<std::string> data;
  if (version != artifact.metadata().end() && version->is_string()) data = ledger.data_of(version->get<std::string>());
  const std::size_t any = ledger.count(), own = data ? ledger.count(data) : any;
  std::string from = data ? "the ledger, trials.csv, on the model's data" : "the ledger, trials.csv, on any data";
  if (any > own) from += "; " + std::to_string(any) + " on any";
  return Trials{std::max<std::size_t>(own, 1), std::move(from), true};
}

}  // namespace sentio

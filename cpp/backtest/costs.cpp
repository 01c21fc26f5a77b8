#include "backtest/costs.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "backtest/json_fields.hpp"
#include "bars/file.hpp"
#include "bars/json.hpp"
#include "bars/number.hpp"
#include "bars/suggest.hpp"

namespace sentio {
namespace {

constexpr double kBps = 1e-4;

struct Figure {
  const char* key;
  double CostModel::*member;
  double maximum;  ///< above it, a unit was mistaken (percent for bps, cents for a currency)
};

constexpr std::array<Figure, 6> kFigures{{{"commission_per_share", &CostModel::commission_per_share, 1000.0},
                                          {"commission_bps", &CostModel::commission_bps, 1000.0},
                                          {"commission_minimum", &CostModel::commission_minimum, 1000.0},
                                          {"half_spread_bps", &CostModel::half_spread_bps, 1000.0},
                                          {"slippage_bps", &CostModel::slippage_bps, 1000.0},
                                          {"borrow_rate", &CostModel::borrow_rate, 10.0}}};

}  // namespace

double CostModel::fill_price(double reference, double quantity) const {
  const double impact = (half_spread_bps + slippage_bps) * kBps;
  return quantity > 0.0 ? reference * (1.0 + impact) : reference * (1.0 - impact);
}

double CostModel::commission(double quantity, double price) const {
  if (quantity == 0.0) return 0.0;
  const double units = std::abs(quantity);
  return std::max(commission_minimum, commission_per_share * units + commission_bps * kBps * units * price);
}

double CostModel::borrow(double quantity, double price, double years) const {
  return quantity < 0.0 ? -quantity * price * borrow_rate * years : 0.0;
}

std::span<const CostModel> cost_models() {
  static const std::array<CostModel, 3> models{{
      {.name = "us_equity",
       .description =
           "US shares through a retail broker: Interactive Brokers' fixed pricing (0.005 USD a share, at least "
           "1 USD an order); half-spread and slippage of a liquid ETF at the open of a minute; an "
           "easy-to-borrow fee.",
       .commission_per_share = 0.005,
       .commission_minimum = 1.0,
       .half_spread_bps = 0.5,
       .slippage_bps = 0.5,
       .borrow_rate = 0.005},
      {.name = "crypto_spot",
       .description =
           "A large coin on a spot exchange: 10 bps taker fee, the base tier of the largest exchange; a thin "
           "book's half-spread and slippage; the rate of a margin loan for shorts.",
       .commission_bps = 10.0,
       .half_spread_bps = 1.0,
       .slippage_bps = 2.0,
       .borrow_rate = 0.1},
      {.name = "zero",
       .description = "Free trading: for tests and for telling a signal from its costs, not for results."},
  }};
  return models;
}

void require_valid(const CostModel& costs) {
  for (const Figure& figure : kFigures) {
    const double value = costs.*figure.member;
    if (!(value >= 0.0 && value <= figure.maximum)) {
      throw std::invalid_argument(figure.key + (" must be from 0 to " + format_number(figure.maximum)) + ", found " +
                                  format_number(value));
    }
  }
}

CostModel read_costs(const std::filesystem::path& path) {
  const nlohmann::json json = parse_json(read_file(path), path.string());
  const JsonFields fields(json, path.string() + ": ",
                          {"schema_version", "name", "description", "commission_per_share", "commission_bps",
                           "commission_minimum", "half_spread_bps", "slippage_bps", "borrow_rate"});
  if (const std::string version = fields.text("schema_version", "1.0"); !version.starts_with("1.")) {
    fields.refuse("schema_version", "must be 1.x, found " + version);
  }
  CostModel costs;
  costs.name = fields.text("name", path.stem().string());
  costs.description = fields.text("description", "");
  for (const Figure& figure : kFigures) costs.*figure.member = fields.number(figure.key, 0.0, 0.0, figure.maximum);
  return costs;
}

CostModel find_costs(const std::string& name_or_path) {
  const auto models = cost_models();
  const auto model = std::ranges::find(models, name_or_path, &CostModel::name);
  if (model != models.end()) return *model;
  if (std::filesystem::exists(name_or_path)) return read_costs(name_or_path);
  std::vector<std::string> names;
  for (const CostModel& known : models) names.push_back(known.name);
  throw std::invalid_argument("costs '" + name_or_path + "' are neither a file nor a shipped model" +
                              did_you_mean(name_or_path, names));
}

nlohmann::ordered_json to_json(const CostModel& costs) {
  nlohmann::ordered_json json{{"schema_version", "1.0"}, {"name", costs.name}, {"description", costs.description}};
  for (const Figure& figure : kFigures) json[figure.key] = costs.*figure.member;
  return json;
}

}  // namespace sentio

#include "backtest/costs.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "bars/error.hpp"
#include "bars/file.hpp"
#include "scratch.hpp"

using namespace sentio;

namespace {

const std::filesystem::path kShipped = std::filesystem::path(SENTIO_SOURCE_DIR) / "configs/execution";

/// A cost file with this content, gone at the end of the test.
class CostFile {
 public:
  explicit CostFile(const std::string& content) { write_file(path(), content); }

  void check_refused(const std::string& what) const {
    CHECK_THROWS_WITH_AS((void)read_costs(path()), (path().string() + what).c_str(), InputError);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return file_.path(); }

 private:
  test::Scratch file_{"costs.json"};
};

}  // namespace

TEST_CASE("the shipped cost files hold the registry's models, and no others are there") {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kShipped)) files += entry.path().extension() == ".json";
  CHECK(files == cost_models().size());
  for (const CostModel& model : cost_models()) CHECK(read_costs(kShipped / (model.name + ".json")) == model);
}

TEST_CASE("the default costs are not zero") {
  const CostModel& costs = cost_models().front();
  CHECK(costs.name == "us_equity");
  CHECK(costs.commission(1.0, 100.0) > 0.0);
  CHECK(costs.fill_price(100.0, 1.0) > 100.0);
}

TEST_CASE("buys pay more than the reference and sells get less") {
  const CostModel costs{.half_spread_bps = 3.0, .slippage_bps = 2.0};
  CHECK(costs.fill_price(200.0, 1.0) == doctest::Approx(200.1).epsilon(1e-14));
  CHECK(costs.fill_price(200.0, -1.0) == doctest::Approx(199.9).epsilon(1e-14));
}

TEST_CASE("commission is per share and in bps, at least the minimum, and nothing for nothing") {
  const CostModel costs{.commission_per_share = 0.005, .commission_bps = 2.0, .commission_minimum = 1.0};
  CHECK(costs.commission(1000.0, 50.0) == doctest::Approx(5.0 + 10.0));
  CHECK(costs.commission(-1000.0, 50.0) == doctest::Approx(15.0));
  CHECK(costs.commission(10.0, 50.0) == 1.0);
  CHECK(costs.commission(0.0, 50.0) == 0.0);
}

TEST_CASE("costs are found by name and by file") {
  CHECK(find_costs("crypto_spot").commission_bps == 10.0);
  const CostFile file(R"({"commission_bps": 3})");
  const CostModel costs = find_costs(file.path().string());
  CHECK(costs == CostModel{.name = file.path().stem().string(), .commission_bps = 3.0});
  CHECK_THROWS_WITH_AS((void)find_costs("us_equty"),
                       "costs 'us_equty' are neither a file nor a shipped model; did you mean 'us_equity'?",
                       std::invalid_argument);
}

TEST_CASE("a wrong cost file is refused with its place") {
  CostFile(R"({"half_spred_bps": 1})").check_refused(": half_spred_bps: unknown key; did you mean 'half_spread_bps'?");
  CostFile(R"({"half_spread_bps": -1})").check_refused(": half_spread_bps: must be a number from 0 to 1000, found -1");
  CostFile(R"({"half_spread_bps": "1"})")
      .check_refused(": half_spread_bps: must be a number from 0 to 1000, found \"1\"");
  CostFile(R"({"borrow_rate": 50})").check_refused(": borrow_rate: must be a number from 0 to 10, found 50");
  CostFile(R"({"name": 7})").check_refused(": name: must be a text, found 7");
  CostFile(R"({"schema_version": "2.0"})").check_refused(": schema_version: must be 1.x, found 2.0");
  CostFile("[]").check_refused(": must be a JSON object, found []");
  CostFile("{\n \"name\": }").check_refused(":2:10: is not valid JSON");
}

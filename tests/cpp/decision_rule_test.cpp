#include "backtest/decision_rule.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <vector>

#include "bars/error.hpp"

using namespace sentio;
using nlohmann::json;

namespace {

std::vector<double> exposures(DecisionRule rule, const std::vector<double>& probabilities) {
  std::vector<double> result;
  for (const double p : probabilities) result.push_back(rule(p).exposure);
  return result;
}

using Exposures = std::vector<double>;

void check_refused(const char* text, const char* message) {
  CAPTURE(text);
  CHECK_THROWS_WITH_AS((void)DecisionRule::from_json(json::parse(text), "metadata.json: decision."), message,
                       InputError);
}

}  // namespace

TEST_CASE("a long is entered at long_above and kept until p comes back to the exit") {
  const DecisionRule rule(ThresholdParams{.long_above = 0.6, .short_below = 0.4, .exit_long_below = 0.52});
  CHECK(exposures(rule, {0.59, 0.6, 0.55, 0.53, 0.52, 0.55}) == Exposures{0, 1, 1, 1, 0, 0});
}

TEST_CASE("a short is entered at short_below and kept until p comes back to the exit") {
  const DecisionRule rule(ThresholdParams{.long_above = 0.6, .short_below = 0.4, .exit_short_above = 0.48});
  CHECK(exposures(rule, {0.41, 0.4, 0.45, 0.47, 0.48, 0.45}) == Exposures{0, -1, -1, -1, 0, 0});
}

TEST_CASE("without shorts a low probability is flat") {
  const DecisionRule rule(ThresholdParams{.allow_short = false});
  CHECK(exposures(rule, {0.1, 0.9, 0.1, 0.1}) == Exposures{0, 1, 0, 0});
}

TEST_CASE("a long turns into a short at once without cooldown") {
  CHECK(exposures(DecisionRule(), {0.9, 0.1, 0.9}) == Exposures{1, -1, 1});
}

TEST_CASE("a position is kept for min_hold bars") {
  const DecisionRule rule(ThresholdParams{.min_hold = 3});
  CHECK(exposures(rule, {0.9, 0.1, 0.5, 0.1, 0.9, 0.9, 0.9}) == Exposures{1, 1, 1, -1, -1, -1, 1});
}

TEST_CASE("a left position is followed by cooldown flat bars") {
  const DecisionRule rule(ThresholdParams{.cooldown = 2});
  CHECK(exposures(rule, {0.9, 0.1, 0.1, 0.1, 0.5, 0.9, 0.9}) == Exposures{1, 0, 0, -1, 0, 0, 1});
}

TEST_CASE("an unknown probability is flat and forgets the position") {
  DecisionRule rule(ThresholdParams{.min_hold = 100});
  CHECK(rule(0.9).exposure == 1.0);
  const Decision unknown = rule(std::numeric_limits<double>::quiet_NaN());
  CHECK(unknown.exposure == 0.0);
  CHECK(std::isnan(unknown.probability));
  CHECK(rule(0.52).exposure == 0.0);
}

TEST_CASE("the decision carries the probability and a reason") {
  DecisionRule rule;
  const Decision decision = rule(0.9);
  CHECK(decision.probability == 0.9);
  CHECK(decision.reason == "enter long");
  CHECK(rule(0.52).reason == "hold");
  CHECK(rule(0.5).reason == "exit");
  CHECK(rule(0.5).reason == "flat");
}

TEST_CASE("scaled exposure is k (2p - 1), clipped") {
  CHECK(exposures(DecisionRule(ScaledParams{.k = 2.0}), {0.5, 0.6, 0.9, 0.45, 0.0}) ==
        Exposures{0.0, 2.0 * (2.0 * 0.6 - 1.0), 1.0, 2.0 * (2.0 * 0.45 - 1.0), -1.0});
  CHECK(exposures(DecisionRule(ScaledParams{.k = 1.0, .allow_short = false}), {0.25, 0.75}) == Exposures{0.0, 0.5});
}

TEST_CASE("the position mirrors when probabilities and thresholds do") {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  const ThresholdParams params{.long_above = 0.625,
                               .short_below = 0.25,
                               .exit_long_below = 0.5,
                               .exit_short_above = 0.375,
                               .min_hold = 2,
                               .cooldown = 1};
  const ThresholdParams mirrored{.long_above = 0.75,
                                 .short_below = 0.375,
                                 .exit_long_below = 0.625,
                                 .exit_short_above = 0.5,
                                 .min_hold = 2,
                                 .cooldown = 1};
  DecisionRule rule(params), mirror(mirrored);
  for (int i = 0; i < 10'000; ++i) {
    const double p = std::round(unit(random) * 64.0) / 64.0;  // so that 1 - p is exact
    CHECK(rule(p).exposure == -mirror(1.0 - p).exposure);
  }
}

TEST_CASE("a rule survives the way through JSON") {
  const DecisionRule threshold(ThresholdParams{.long_above = 0.7,
                                               .short_below = 0.2,
                                               .exit_long_below = 0.6,
                                               .exit_short_above = 0.3,
                                               .allow_short = false,
                                               .min_hold = 4,
                                               .cooldown = 2});
  const DecisionRule scaled(ScaledParams{.k = 3.0, .allow_short = false});
  for (const DecisionRule& rule : {threshold, scaled}) {
    const DecisionRule again = DecisionRule::from_json(json::parse(rule.to_json().dump()), "decision.");
    CHECK(again.params() == rule.params());
  }
}

TEST_CASE("what a rule leaves out has its default") {
  CHECK(DecisionRule::from_json(json::object(), "decision.").params() == DecisionRule().params());
  const auto rule = DecisionRule::from_json(
      json::parse(R"({"rule": "threshold", "long_above": 0.49, "short_below": 0.45})"), "decision.");
  const auto& params = std::get<ThresholdParams>(rule.params());
  CHECK(params.exit_long_below == 0.49);  // the nearest to 0.5 within the thresholds
  CHECK(params.exit_short_above == 0.49);
}

TEST_CASE("a wrong rule is refused with its place, what was found and what is right") {
  check_refused(R"([1])", "metadata.json: decision.rule: must be within a JSON object, found [1]");
  check_refused(R"({"rule": "treshold"})",
                "metadata.json: decision.rule: unknown rule \"treshold\"; did you mean 'threshold'?");
  check_refused(R"({"rule": 7})", "metadata.json: decision.rule: unknown rule 7; known: threshold, scaled");
  check_refused(R"({"long_abov": 0.6})", "metadata.json: decision.long_abov: unknown key; did you mean 'long_above'?");
  check_refused(R"({"rule": "scaled", "long_above": 0.6})",
                "metadata.json: decision.long_above: unknown key; known: rule, k, allow_short");
  check_refused(R"({"long_above": "0.6"})",
                "metadata.json: decision.long_above: must be a number from 0 to 1, found \"0.6\"");
  check_refused(R"({"long_above": 1.5})",
                "metadata.json: decision.long_above: must be a number from 0 to 1, found 1.5");
  check_refused(R"({"long_above": 0.4, "short_below": 0.6})",
                "metadata.json: decision.short_below: must be below long_above 0.4, found 0.6");
  check_refused(
      R"({"exit_long_below": 0.9})",
      "metadata.json: decision.exit_long_below: must be between short_below 0.47 and long_above 0.53, found 0.9");
  check_refused(
      R"({"exit_short_above": 0.1})",
      "metadata.json: decision.exit_short_above: must be between short_below 0.47 and long_above 0.53, found 0.1");
  check_refused(R"({"min_hold": 1.5})",
                "metadata.json: decision.min_hold: must be a whole number from 0 to 1000000, found 1.5");
  check_refused(R"({"cooldown": -1})",
                "metadata.json: decision.cooldown: must be a whole number from 0 to 1000000, found -1");
  check_refused(R"({"allow_short": 1})", "metadata.json: decision.allow_short: must be true or false, found 1");
  check_refused(R"({"rule": "scaled", "k": 0})",
                "metadata.json: decision.k: must be above 0 and at most 1000, found 0");
}

TEST_CASE("wrong parameters and probabilities are wrong calls") {
  CHECK_THROWS_AS(DecisionRule(ThresholdParams{.long_above = std::numeric_limits<double>::quiet_NaN()}),
                  std::invalid_argument);
  CHECK_THROWS_WITH_AS(DecisionRule(ScaledParams{.k = -1.0}), "k: must be above 0 and at most 1000, found -1",
                       std::invalid_argument);
  DecisionRule rule;
  CHECK_THROWS_WITH_AS((void)rule(1.5), "probability must be within [0, 1], found 1.5", std::invalid_argument);
}

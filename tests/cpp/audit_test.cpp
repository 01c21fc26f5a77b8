#include "backtest/audit.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "artifact_files.hpp"
#include "backtest/audit_report.hpp"
#include "backtest/noise.hpp"
#include "features/builder.hpp"
#include "inference/tfa_strategy.hpp"
#include "leaks.hpp"
#include "market.hpp"
#include "scratch.hpp"
#include "strategies/registry.hpp"

using namespace sentio;
using namespace sentio::test;

namespace {

std::vector<AuditColumn> closes(BarsView bars) { return feature("close", {bars.close.begin(), bars.close.end()}); }

AuditResult audited(BarsView bars, const Observe& observe, AuditOptions options = {}) {
  return audit(bars, {.observe = observe}, options);
}

/// A model's features and what it decides by them.
AuditSubject model_subject(const Artifact& artifact) {
  const AuditSubject decisions = audit_subject([artifact] { return std::make_unique<TFAStrategy>(artifact); }, {});
  const auto add_features = [artifact](BarsView bars, std::vector<AuditColumn> columns) {
    const auto width = static_cast<std::size_t>(artifact.spec().width());
    std::vector<float> rows(bars.size() * width);
    FeatureBuilder(artifact.spec()).build(bars, rows);
    for (std::size_t c = 0; c < width; ++c)
      columns.push_back({.name = artifact.spec().names()[c],
                         .values = values_of(bars, [&](std::size_t t) { return rows[t * width + c]; })});
    for (AuditColumn& column : columns)
      if (column.name == "logit" || column.name == "probability")
        column.settle = static_cast<std::size_t>(artifact.settle().value());
    return columns;
  };
  return {.observe = [=](BarsView bars) { return add_features(bars, decisions.observe(bars)); },
          .bar_by_bar = [=](BarsView bars) { return add_features(bars, decisions.bar_by_bar(bars)); }};
}

// What the leaks should have been.

std::vector<AuditColumn> known_in_time(BarsView bars) {
  constexpr std::size_t kShoulder = 3;
  const Values x = momentum(bars, 4);
  double sum = 0.0;
  std::vector<AuditColumn> columns = feature("expanding_mean", values_of(bars, [&](std::size_t t) {
                                               sum += x[t];
                                               return x[t] - sum / static_cast<double>(t + 1);
                                             }));
  columns.push_back({.name = "confirmed_swing_high", .values = values_of(bars, [&](std::size_t t) {
                                                       if (t < 2 * kShoulder) return 0.0;
                                                       const auto window =
                                                           bars.high.subspan(t - 2 * kShoulder, 2 * kShoulder + 1);
                                                       return std::ranges::max(window) == window[kShoulder] ? 1.0 : 0.0;
                                                     })});
  columns.push_back({.name = "high_of_the_day_so_far",
                     .values = values_of(bars, [&](std::size_t t) {
                       double high = bars.high[t];
                       for (std::size_t i = t; i > 0 && day_of(bars.time_ns[i - 1]) == day_of(bars.time_ns[t]); --i)
                         high = std::max(high, bars.high[i - 1]);
                       return high;
                     })});
  return columns;
}

std::vector<AuditColumn> filled_at_next_open(BarsView bars) { return executed(bars, {.delay = 1, .price = at_open}); }

/// Whether the leak's column is named, and a bar of which nothing after the cut may be known.
bool found(const Leak& leak, const AuditResult& result) {
  if (result.clean()) return false;
  const AuditDifference& first = result.differences.front();
  return first.column == leak.column && first.bar <= first.cut;
}

struct Trials {
  std::size_t trials = 0, values = 0, differences = 0;
};

/// Audits each clean subject until there were `wanted` trials, on bars of many kinds.
Trials clean_trials(std::size_t wanted) {
  const Scratch folder("audit_model");
  std::vector<AuditSubject> subjects;
  for (const StrategyRow& row : strategies())
    subjects.push_back(audit_subject([&row] { return row.make(parse_params(row, "")); }, {}));
  for (const bool sequence : {false, true}) {
    write_folder(small_artifact(sequence), folder.path());
    subjects.push_back(model_subject(Artifact::load(folder.path())));
  }
  subjects.push_back({.observe = known_in_time});
  subjects.push_back({.observe = filled_at_next_open});
  Trials all;
  for (unsigned seed = 1; all.trials < wanted; ++seed) {
    const std::int64_t interval_ns = seed % 3 == 0 ? kTradingDayNs : seed % 3 == 1 ? kQuarterNs : kMinuteNs;
    const Bars bars = random_bars(300 + 50 * (seed % 7), seed, seed % 2 == 0 ? 0.002 : 0.03, interval_ns);
    for (const AuditSubject& subject : subjects) {
      const AuditResult result = audit(bars.view(), subject, {.cuts = 5, .seed = seed, .warmup = 30});
      for (const AuditDifference& d : result.differences) FAIL_CHECK(describe(d));
      for (std::size_t kind = 0; kind < kNoises.size(); ++kind) all.trials += result.checks[kind].trials;
      for (const AuditCheck& check : result.checks) {
        all.values += check.cells;
        all.differences += check.differences;
      }
    }
  }
  return all;
}

}  // namespace

TEST_CASE("noise leaves the bars before it and makes valid bars after it") {
  const Bars bars = random_bars(200, 3);
  for (const Noise noise : kNoises) {
    CAPTURE(name_of(noise));
    for (const std::size_t kept : {std::size_t{1}, std::size_t{70}, std::size_t{199}}) {
      const Bars other = with_noise(bars.view(), kept, noise, 5);
      require_valid(other.view());
      CHECK(other.size() == (noise == Noise::none ? kept : bars.size()));
      for (std::size_t t = 0; t < kept; ++t) CHECK(other[t] == bars[t]);
      if (!keeps_open(noise)) continue;
      CHECK(other.time_ns[kept] == bars.time_ns[kept]);
      CHECK(other.open[kept] == bars.open[kept]);
      CHECK(other.close[kept] != bars.close[kept]);
    }
  }
}

TEST_CASE("noise of prices and volumes at their limits is valid") {
  Bars bars;
  for (int t = 0; t < 60; ++t) {
    const double price = t % 2 == 0 ? kMinPrice : kMaxPrice;
    bars.push_back({kMonday + t * kMinuteNs, price, price, price, price, t % 3 == 0 ? 0.0 : kMaxVolume});
  }
  for (const Noise noise : kNoises)
    for (const std::size_t kept : {std::size_t{20}, std::size_t{21}})
      require_valid(with_noise(bars.view(), kept, noise, 7).view());
}

TEST_CASE("every kind of noise differs from the future that it replaces, and of seed to seed where it is random") {
  const Bars bars = random_bars(100, 4);
  std::set<std::vector<double>> futures{bars.close};
  std::uint64_t seed = 0;
  for (const Noise noise : kNoises) CHECK(futures.insert(with_noise(bars.view(), 50, noise, ++seed).close).second);
  CHECK(with_noise(bars.view(), 50, Noise::walk, 1).close != with_noise(bars.view(), 50, Noise::walk, 2).close);
  CHECK(with_noise(bars.view(), 50, Noise::other_times, 1).time_ns != bars.time_ns);
}

TEST_CASE("25 planted leaks of six kinds are found by default, by column and by a bar that is not later than the cut") {
  REQUIRE(std::size(kLeaks) == 25);
  for (const Leak& leak : kLeaks) {
    for (const unsigned market : {1U, 2U, 3U}) {
      const AuditResult result = audited(leak_market(market).view(), leak.observe, {.seed = market, .warmup = 96});
      CAPTURE(leak.kind);
      CAPTURE(leak.name);
      CAPTURE(market);
      CHECK(found(leak, result));
      for (const AuditDifference& d : result.differences) CHECK(d.bar <= d.cut);
    }
  }
}

TEST_CASE("10,000 trials of rules, models and pipelines that do not look ahead have no difference") {
  const Trials trials = clean_trials(10'000);
  MESSAGE(trials.trials << " trials, " << trials.values << " values");
  CHECK(trials.trials >= 10'000);
  CHECK(trials.differences == 0);
}

TEST_CASE("how many cuts the planted leaks need" * doctest::skip()) {
  for (const std::size_t cuts : {1, 2, 3, 5, 10, 25}) {
    std::size_t detected = 0, tried = 0;
    std::string missed;
    for (const Leak& leak : kLeaks)
      for (unsigned market = 1; market <= 20; ++market) {
        const auto result = audited(leak_market(market).view(), leak.observe, {.cuts = cuts, .seed = market});
        ++tried;
        if (found(leak, result)) {
          ++detected;
        } else if (missed.find(leak.name) == std::string::npos) {
          missed += std::string(", ") + leak.name;
        }
      }
    MESSAGE(cuts << " cuts: " << detected << " of " << tried << " found; missed" << missed);
  }
}

TEST_CASE("a difference names the bar, the column, both values and the cut") {
  // The next close is known: at the cut it is another one.
  const Bars bars = flat_bars({1.0, 2.0, 4.0, 8.0, 16.0, 32.0});
  const AuditResult result = audited(bars.view(),
                                     [](BarsView seen) {
                                       return feature("next", values_of(seen, [&](std::size_t t) {
                                                        return t + 1 < seen.size() ? seen.close[t + 1] : 0.0;
                                                      }));
                                     },
                                     {.cuts = 1, .warmup = 4});
  REQUIRE(result.differences.size() == 1);
  const AuditDifference& d = result.differences.front();
  CHECK(d.check == "future");
  CHECK(d.column == "next");
  CHECK(d.bar == 4);
  CHECK(d.cut == 4);
  CHECK(d.time_ns == bars.time_ns[4]);
  CHECK(d.value == 32.0);
  CHECK(d.other != 32.0);
  CHECK(d.how == "walk");
  CHECK(d.trials > 1);
  CHECK(describe(d).starts_with("next at bar 4 (2024-01-08T14:34:00Z) is 32, and "));
  CHECK(describe(d).ends_with(" with another future after bar 4 (2024-01-08T14:34:00Z) (walk)"));
}

TEST_CASE("what is known at the open may depend on the open and on nothing later in its bar") {
  const Bars bars = random_bars(100, 6);
  const auto of = [](Known known, std::span<const double> BarsView::*field) {
    return [=](BarsView seen) {
      return std::vector<AuditColumn>{
          {.name = "x", .values = {(seen.*field).begin(), (seen.*field).end()}, .known = known}};
    };
  };
  CHECK(audited(bars.view(), of(Known::at_open, &BarsView::open)).clean());
  CHECK(audited(bars.view(), of(Known::at_close, &BarsView::high)).clean());
  for (const auto field : {&BarsView::high, &BarsView::low, &BarsView::close}) {
    const AuditResult result = audited(bars.view(), of(Known::at_open, field));
    REQUIRE_FALSE(result.clean());
    CHECK(result.differences.front().how == "inside the bar, walk");
    CHECK(result.differences.front().bar == result.differences.front().cut);
  }
}

TEST_CASE("fills of the simulation are known at the open, and its equity at the close") {
  const Bars bars = random_bars(300, 11);
  const Observe observe = [](BarsView seen) {
    std::vector<AuditColumn> columns;
    append_columns(run_decisions(seen, random_decisions(seen.size(), 3), RunOptions{}), columns);
    return columns;
  };
  const AuditResult result = audited(bars.view(), observe);
  CHECK(result.clean());
  std::size_t fills = 0;
  const std::vector<AuditColumn> columns = observe(bars.view());
  const auto reference = std::ranges::find(columns, "fill reference", &AuditColumn::name);
  for (const double price : reference->values) fills += std::isnan(price) ? 0 : 1;
  CHECK(fills > 20);
  CHECK(result.checks.back().name == "fill price");
  CHECK(result.checks.back().cells > fills);  // those in the noise too
}

TEST_CASE("an order that knows the next bar is found in its price or its kind, whatever its exposure") {
  const Bars bars = random_bars(300, 17);
  const auto audited_orders = [&](OrderKind last, auto order_at) {
    return audited(bars.view(), [=](BarsView seen) {
      std::vector<Decision> decisions(seen.size());
      for (std::size_t t = 0; t < seen.size(); ++t) {
        decisions[t].exposure = t % 7 < 3 ? 1.0 : 0.0;
        const bool knows = t + 1 < seen.size();
        if (knows) order_at(seen, t, decisions[t]);
        if (!knows && last != OrderKind::market) decisions[t].order = last, decisions[t].price = seen.close[t];
      }
      std::vector<AuditColumn> columns;
      append_columns(run_decisions(seen, decisions, RunOptions{}), columns);
      return columns;
    });
  };
  const auto column_found = [](const AuditResult& result) {
    REQUIRE_FALSE(result.clean());
    return result.differences.front().column;
  };
  CHECK(column_found(audited_orders(OrderKind::limit, [](BarsView seen, std::size_t t, Decision& decision) {
          decision.order = OrderKind::limit;
          decision.price = decision.exposure > 0.0 ? 1.0001 * seen.low[t + 1] : 0.9999 * seen.high[t + 1];
        })) == "order price");
  CHECK(column_found(audited_orders(OrderKind::market, [](BarsView seen, std::size_t t, Decision& decision) {
          if (seen.close[t + 1] > seen.close[t]) decision.order = OrderKind::limit, decision.price = seen.close[t];
        })) == "order kind");
  CHECK(audited_orders(OrderKind::limit, [](BarsView seen, std::size_t t, Decision& decision) {
          decision.order = OrderKind::limit;
          decision.price = seen.close[t];
        }).clean());
}

TEST_CASE("a leak in the only fill of a thousand bars is found, and one in the bar of a first value") {
  const Bars bars = leak_market(5);
  const AuditResult fill = audited(bars.view(), [](BarsView seen) {
    const Values quantity =
        values_of(seen, [&](std::size_t t) { return t == 700 ? std::floor(10'000.0 / seen.close[t]) : 0.0; });
    return std::vector<AuditColumn>{{.name = "quantity", .values = quantity, .known = Known::at_open}};
  });
  REQUIRE(fill.differences.size() == 1);
  CHECK(fill.differences.front().bar == 700);

  const AuditResult first = audited(bars.view(), [](BarsView seen) {
    return feature("score", values_of(seen, [&](std::size_t t) {
                     if (t < 700) return kNone;
                     return t == 700 && seen.size() > 701 ? seen.close[701] : seen.close[t];
                   }));
  });
  REQUIRE(first.differences.size() == 1);
  CHECK(first.differences.front().bar == 700);
}

TEST_CASE("a start that shows longer than a column says is a difference; where nothing is said it is told") {
  const Bars bars = random_bars(400, 12);
  const auto mean = [](std::optional<std::size_t> settle) {
    return [=](BarsView seen) {
      return std::vector<AuditColumn>{{.name = "mean_10",
                                       .values = values_of(seen,
                                                           [&](std::size_t t) {
                                                             const std::size_t n = std::min<std::size_t>(t + 1, 10);
                                                             return mean_of(seen.close.subspan(t + 1 - n, n));
                                                           }),
                                       .settle = settle}};
    };
  };
  CHECK(audited(bars.view(), mean(9)).clean());  // bars 0 to 8 have fewer than ten closes
  const AuditResult wrong = audited(bars.view(), mean(8));
  REQUIRE(wrong.differences.size() == 1);
  CHECK(wrong.differences.front().check == "start");
  CHECK(wrong.differences.front().bar == wrong.differences.front().cut + 8);

  const AuditResult told = audited(bars.view(), mean({}));
  CHECK(told.clean());
  REQUIRE(told.starts.size() == 1);
  CHECK(told.starts.front().longest == 9);
  CHECK(told.starts.front().to_the_end == 0);

  const AuditResult too_long = audited(bars.view(), mean(400));
  CHECK(too_long.clean());
  CHECK(too_long.not_compared == std::vector<std::string>{"mean_10"});
}

TEST_CASE("a running total depends on its start, and that is no look-ahead") {
  const Bars bars = random_bars(200, 13);
  const AuditResult result = audited(bars.view(), [](BarsView seen) {
    double total = 0.0;
    return feature("total", values_of(seen, [&](std::size_t t) { return total += seen.close[t]; }));
  });
  CHECK(result.clean());
  CHECK(result.starts.front().to_the_end == result.starts.front().starts);
  CHECK(to_text(result, false).find("total: depends on its start") != std::string::npos);
}

TEST_CASE("a strategy whose blocks differ from single bars is found, also where no future does") {
  const auto make = [] { return std::make_unique<ScalesBlock>(); };
  const AuditResult result = audit(random_bars(300, 14).view(), audit_subject(make, {}), {});
  const auto of_check = [&](const char* check) {
    return std::ranges::any_of(result.differences, [&](const auto& d) { return d.check == check; });
  };
  CHECK(of_check("bar by bar"));
  CHECK(of_check("future"));
}

TEST_CASE("windows find what all bars find, as long as the leak fits") {
  const Bars bars = random_bars(3000, 15, 0.01, kQuarterNs);
  for (const Leak& leak : kLeaks) {
    CAPTURE(leak.name);
    const AuditResult result = audited(bars.view(), leak.observe, {.warmup = 96, .window = 1000});
    CHECK(found(leak, result));
    for (const AuditDifference& d : result.differences) CHECK(d.time_ns == bars.time_ns[d.bar]);
  }
}

TEST_CASE("the same seed gives the same audit, and every cut lies after the warm-up") {
  const Bars bars = leak_market(4);
  const AuditOptions options{.seed = 9, .warmup = 500};
  const AuditResult a = audited(bars.view(), standardised, options), b = audited(bars.view(), standardised, options);
  CHECK(to_json(a) == to_json(b));
  CHECK(a.differences.front().cut >= 500);
  CHECK(to_json(audited(bars.view(), standardised, {.seed = 10, .warmup = 500})) != to_json(a));
}

TEST_CASE("an audit that can compare nothing is refused") {
  const Bars bars = random_bars(20, 16);
  const auto refused = [&](const Observe& observe, AuditOptions options, const char* message) {
    CHECK_THROWS_WITH_AS((void)audited(bars.view(), observe, options), message, std::invalid_argument);
  };
  refused(closes, {.cuts = 0}, "cuts must be at least 1, found 0");
  refused(closes, {.warmup = 19}, "a cut needs 21 bars, its warm-up among them, found 20");
  refused([](BarsView) { return std::vector<AuditColumn>{}; }, {}, "nothing to audit: no column was made of the bars");
  refused([](BarsView) { return feature("x", {1.0}); }, {}, "x must have one value a bar, 20, found 1");
  refused([](BarsView seen) { return feature(seen.size() == 20 ? "x" : "y", Values(seen.size())); }, {},
          "the columns must be the same for all bars, found others for 2 bars");
}

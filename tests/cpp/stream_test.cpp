#include "backtest/stream.hpp"

#include <doctest/doctest.h>

#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "backtest/bar_by_bar.hpp"
#include "bars/error.hpp"
#include "bars/sha256.hpp"
#include "market.hpp"
#include "strategies/registry.hpp"

using namespace sentio;
using namespace sentio::test;

namespace {

using Bytes = std::vector<std::byte>;

std::unique_ptr<Strategy> make(const StrategyRow& row, const char* params = "") {
  return row.make(parse_params(row, params));
}

Stream stream_of(const char* name, const char* identity = "rule", std::optional<double> interval_s = 60.0) {
  return {make(*find_strategy(name)), identity, session_calendar("us_equity"), interval_s};
}

bool same(const Decision& a, const Decision& b) {
  const auto equal = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  return equal(a.exposure, b.exposure) && equal(a.probability, b.probability) && equal(a.logit, b.logit) &&
         a.reason == b.reason;
}

/// The bytes with another seal, as somebody who knows the format would write them.
Bytes sealed(Bytes state) {
  state.resize(state.size() - 64);
  const std::string hash = sha256_hex(state);
  const auto bytes = std::as_bytes(std::span(hash));
  state.insert(state.end(), bytes.begin(), bytes.end());
  return state;
}

std::string refusal(auto& target, const Bytes& state) {
  try {
    target.restore(state);
  } catch (const InputError& error) {
    return error.what();
  }
  return "taken";
}

Bar at(std::int64_t minutes, double price = 10.0) {
  return {kMonday + minutes * kMinuteNs, price, price, price, price, 1.0};
}

}  // namespace

TEST_CASE("every strategy goes on from its state with the same decisions") {
  const Bars bars = random_bars(400, 21);
  std::mt19937 random(5);
  for (const StrategyRow& row : strategies()) {
    CAPTURE(row.name);
    for (int trial = 0; trial < 20; ++trial) {
      const std::size_t cut = random() % bars.size();
      CAPTURE(cut);
      const auto whole = make(row), resumed = make(row);
      for (std::size_t i = 0; i < cut; ++i) (void)whole->on_bar(bars[i]);
      const Bytes state = whole->state();
      resumed->restore(state);
      CHECK(resumed->state() == state);
      for (std::size_t i = cut; i < bars.size(); ++i) CHECK(same(resumed->on_bar(bars[i]), whole->on_bar(bars[i])));
    }
  }
}

TEST_CASE("a state that is cut off, altered or another strategy's is refused and changes nothing") {
  const Bars bars = random_bars(100, 22);
  for (const StrategyRow& row : strategies()) {
    CAPTURE(row.name);
    const auto strategy = make(row);
    for (std::size_t i = 0; i < bars.size(); ++i) (void)strategy->on_bar(bars[i]);
    const Bytes state = strategy->state();
    const auto target = make(row);
    const Bytes untouched = target->state();
    for (std::size_t size = 0; size < state.size(); ++size)
      CHECK(refusal(*target, {state.begin(), state.begin() + static_cast<std::ptrdiff_t>(size)}) != "taken");
    for (std::size_t i = 0; i < state.size(); ++i) {
      Bytes other = state;
      other[i] ^= std::byte{0x41};
      CHECK(refusal(*target, other) != "taken");
    }
    Bytes longer = state;
    longer.insert(longer.end() - 64, std::byte{});
    CHECK(refusal(*target, sealed(longer)) == "strategy state: is longer than this strategy's");
    CHECK(target->state() == untouched);
  }
  const auto rule = make(*find_strategy("buy_and_hold"));
  CHECK(refusal(*rule, make(*find_strategy("sma_cross"))->state()) ==
        "strategy state: belongs to strategy 'sma_cross', this is 'buy_and_hold'");
}

TEST_CASE("a state with impossible values is refused even where its seal fits") {
  const auto strategy = make(*find_strategy("sma_cross"));
  const Bytes untouched = strategy->state();
  for (std::size_t i = 1; i <= 16; ++i) {  // the place of the next close, and the closes seen
    Bytes other = untouched;
    other[other.size() - 64 - i] = std::byte{0x7F};
    CHECK(refusal(*strategy, sealed(other)).find(" must be from 0 to ") != std::string::npos);
  }
  CHECK(strategy->state() == untouched);
  CHECK(refusal(*strategy, make(*find_strategy("sma_cross"), "slow=31")->state()) ==
        "strategy state: must hold 30 values, found 31");
}

TEST_CASE("bar by bar, a strategy's state is whole as well") {
  const Bars bars = random_bars(60, 23);
  BarByBar one(make(*find_strategy("sma_cross"))), other(make(*find_strategy("sma_cross")));
  for (std::size_t i = 0; i < 40; ++i) (void)one.on_bar(bars[i]);
  other.restore(one.state());
  for (std::size_t i = 40; i < 60; ++i) CHECK(same(other.on_bar(bars[i]), one.on_bar(bars[i])));
}

TEST_CASE("a stream decides as its strategy does, also after it was warmed up or restored") {
  const Bars bars = random_bars(300, 24);
  const auto strategy = make(*find_strategy("sma_cross"));
  Stream cold = stream_of("sma_cross"), warm = stream_of("sma_cross");
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const Decision expected = strategy->on_bar(bars[i]);
    CHECK(same(cold.push(bars[i]).decision, expected));
    if (i == 150) CHECK(warm.warm(bars.view().subview(0, 151)) == 151);
    if (i > 150) CHECK(same(warm.push(bars[i]).decision, expected));
    if (i % 50 == 0) {
      Stream resumed = stream_of("sma_cross");
      resumed.restore(cold.state());
      cold = std::move(resumed);
    }
  }
  CHECK(cold.bars_seen() == 300);
  CHECK(cold.counts().decisions == 300);
  CHECK(cold.warm(bars.view()) == 0);
}

TEST_CASE("a bar that came before is refused by name and changes nothing") {
  Stream stream = stream_of("sma_cross");
  for (int i = 0; i < 5; ++i) (void)stream.push(at(i));
  const auto refused = [&](const Bar& bar) {
    const auto kind = stream.push(bar).refused;
    REQUIRE(kind);
    return std::string(name_of(*kind)) + ": " + stream.describe(*kind, bar);
  };
  CHECK(refused(at(4)) == "duplicate: bar of 2024-01-08T14:34:00Z was taken already, with the same values");
  CHECK(refused({at(4).time_ns, 10, 11, 10, 10, 1}) ==
        "conflict: bar of 2024-01-08T14:34:00Z was taken already, with other values: high 10, found 11");
  CHECK(refused(at(2)) == "late: bar of 2024-01-08T14:32:00Z is older than the last bar taken, 2024-01-08T14:34:00Z");
  CHECK(refused({at(5).time_ns, 10, 9, 8, 10, 1}) == "bad_bar: high 9 is below max(open, close) 10");
  CHECK(stream.bars_seen() == 5);
  CHECK(stream.counts().refused == std::array<std::int64_t, 5>{0, 1, 1, 1, 1});
  CHECK_FALSE(stream.push(at(5)).refused);
}

TEST_CASE("a stream whose strategy failed goes on from a state, and in no other way") {
  /// Takes bars below 100 and counts them.
  class Fragile final : public Strategy {
   public:
    [[nodiscard]] std::string_view name() const override { return "fragile"; }
    [[nodiscard]] int warmup() const override { return 0; }
    [[nodiscard]] Decision on_bar(const Bar& bar) override {
      ++taken_;
      if (bar.close >= 100.0) throw std::runtime_error("too much");
      return {.exposure = taken_ % 2 == 0 ? 1.0 : 0.0, .reason = "even"};
    }

   private:
    void save(StateWriter& to) const override { to.number(taken_); }
    void load(StateReader& from) override { taken_ = from.number<std::int64_t>(); }
    std::int64_t taken_ = 0;
  };
  Stream stream(std::make_unique<Fragile>(), "fragile", session_calendar("us_equity"), 60.0);
  (void)stream.push(at(0));
  const Bytes state = stream.state();
  Bars dear;
  dear.push_back(at(1, 100.0));
  for (const bool warms : {false, true}) {
    CAPTURE(warms);
    if (warms)
      CHECK_THROWS_WITH(stream.warm(dear.view()), "too much");
    else
      CHECK_THROWS_WITH((void)stream.push(dear[0]), "too much");
    const char* const refused = "the stream cannot go on after its strategy failed: restore a state, or begin anew";
    CHECK_THROWS_WITH_AS((void)stream.push(at(2)), refused, std::logic_error);
    CHECK_THROWS_WITH_AS(stream.warm(dear.view()), refused, std::logic_error);
    CHECK_THROWS_WITH_AS((void)stream.state(), refused, std::logic_error);
    CHECK(stream.bars_seen() == 1);
    stream.restore(state);
    CHECK(stream.state() == state);
  }
  CHECK(stream.push(at(1)).decision.exposure == 1.0);
}

TEST_CASE("a stream's state is refused by another identity, cut off or altered") {
  Stream stream = stream_of("sma_cross", "one");
  for (int i = 0; i < 40; ++i) (void)stream.push(at(i));
  const Bytes state = stream.state();
  Stream other = stream_of("sma_cross", "two");
  CHECK(refusal(other, state) == "stream state: belongs to another strategy or model, found one, expected two");
  Stream fresh = stream_of("sma_cross", "one");
  const Bytes untouched = fresh.state();
  for (std::size_t size = 0; size < state.size(); size += 7)
    CHECK(refusal(fresh, {state.begin(), state.begin() + static_cast<std::ptrdiff_t>(size)}) != "taken");
  for (std::size_t i = 0; i < state.size(); i += 3) {
    Bytes changed = state;
    changed[i] ^= std::byte{0x10};
    CHECK(refusal(fresh, changed) != "taken");
  }
  CHECK(fresh.state() == untouched);
  fresh.restore(state);
  CHECK(fresh.state() == state);
}

TEST_CASE("bars that are missing in a session are a gap, a night and a holiday are none") {
  const auto missing = [](std::int64_t from_ns, std::int64_t to_ns, double interval_s = 60.0,
                          const char* calendar = "us_equity") {
    Stream stream(make(*find_strategy("buy_and_hold")), "rule", session_calendar(calendar), interval_s);
    (void)stream.push({from_ns, 1, 1, 1, 1, 1});
    return stream.push({to_ns, 1, 1, 1, 1, 1}).missing;
  };
  constexpr std::int64_t minute = kMinuteNs, day = kDayNs;
  const std::int64_t open = kMonday, last = open + 389 * minute;
  CHECK(missing(open, open + minute) == 0);
  CHECK(missing(open, open + 4 * minute) == 3);
  CHECK(missing(last, open + day) == 0);
  CHECK(missing(last - 2 * minute, open + day) == 2);
  CHECK(missing(last, open + day + 2 * minute) == 2);
  CHECK(missing(last, open + 2 * day) == 390);
  CHECK(missing(last + 4 * day, open + 7 * day + minute) == 0);  // Friday to Monday, Martin Luther King Day
  CHECK(missing(last + 4 * day, open + 8 * day) == 0);           // and to Tuesday
  CHECK(missing(last, open + day - 30 * minute) == 0);           // before the market opens
  CHECK(missing(open + 330 * minute, open + 390 * minute + day - 360 * minute, 3600.0) == 0);  // 15:00 to 10:00
  CHECK(missing(open, open + 5 * minute, 60.0, "utc_day") == 4);
  CHECK(missing(0, 3 * day, 86'400.0, "utc_day") == 2);
  CHECK(missing(kMonday - kMonday % day, kMonday - kMonday % day + 7 * day, 86'400.0) == 4);
  CHECK(missing(0, 21 * day, 7 * 86'400.0) == 2);
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  CHECK(missing(-kLargest, kLargest) == 0);
}

TEST_CASE("the usual interval is learned from the bars") {
  Stream stream = stream_of("buy_and_hold", "rule", std::nullopt);
  for (const int minute : {0, 5, 10, 20}) CHECK(stream.push(at(minute)).missing == 0);
  CHECK(stream.interval_ns() == 5 * kMinuteNs);
  Stream resumed = stream_of("buy_and_hold", "rule", std::nullopt);
  resumed.restore(stream.state());
  CHECK(resumed.interval_ns() == 5 * kMinuteNs);
  CHECK(stream.push(at(35)).missing == 2);
  CHECK(stream.counts().gaps == 1);
  CHECK(stream.counts().missing_bars == 2);
}

TEST_CASE("an interval must be a time") {
  for (const double interval_s : {0.0, -1.0, 1e10, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_AS((void)stream_of("buy_and_hold", "rule", interval_s), std::invalid_argument);
}

// The laws of the broker over random paths: bars with gaps, touched prices and bars without volume; market, limit and
// stop orders; costs, protective exits, volume caps, whole and fractional units.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "backtest/simulation.hpp"
#include "market.hpp"

using namespace sentio;
using namespace sentio::test;

namespace {

#ifdef NDEBUG
constexpr int kPaths = 100'000;
#else
constexpr int kPaths = 4'000;  // a debug build, and one under sanitizers, takes some 25 times as long
#endif
constexpr std::size_t kBars = 16;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(random_() >> 11) * 0x1.0p-53;
  }
  bool one_in(unsigned n) { return random_() % n == 0; }
  int below(unsigned n) { return static_cast<int>(random_() % n); }

 private:
  std::mt19937_64 random_;
};

/// A price on a grid of quarters now and then, so that orders are touched exactly.
double price_near(Chance& chance, double price, double reach, bool on_grid) {
  const double near = price * (1.0 + chance.uniform(-reach, reach));
  return on_grid ? std::max(0.25, std::round(4.0 * near) / 4.0) : near;
}

Bars random_path(Chance& chance, bool on_grid) {
  Bars bars;
  double price = chance.uniform(20.0, 200.0);
  const double reach = chance.one_in(10) ? chance.one_in(4) ? 0.8 : 0.3 : 0.02;
  for (std::size_t i = 0; i < kBars; ++i) {
    const double open = chance.one_in(4) ? price : price_near(chance, price, reach, on_grid);
    const double close = price_near(chance, open, reach, on_grid), other = price_near(chance, open, reach, on_grid);
    const double high = std::max({open, close, other}), low = std::min({open, close, other});
    const double volume = chance.one_in(8) ? 0.0 : std::floor(chance.uniform(0.0, 2000.0));
    const auto gap = static_cast<std::int64_t>(i) * (chance.one_in(2) ? kMinuteNs : 90 * kMinuteNs);
    const std::int64_t after = i == 0 ? kMonday : bars.time_ns.back() + kMinuteNs;
    bars.push_back({after + gap, open, high, low, close, volume});
    price = close;
  }
  return bars;
}

std::vector<Decision> random_orders(Chance& chance, const Bars& bars, bool on_grid) {
  std::vector<Decision> decisions(kBars);
  double exposure = 0.0;
  for (std::size_t t = 0; t < kBars; ++t) {
    if (chance.one_in(3)) exposure = chance.one_in(4) ? 0.0 : chance.one_in(3) ? 1.0 : chance.uniform(-1.0, 1.0);
    decisions[t] = {.exposure = exposure, .reason = "random"};
    if (chance.one_in(2)) continue;
    decisions[t].order = chance.one_in(2) ? OrderKind::limit : OrderKind::stop;
    decisions[t].price = price_near(chance, bars.close[t], 0.02, on_grid);
  }
  return decisions;
}

RunOptions random_options(Chance& chance) {
  RunOptions options;
  BrokerOptions& broker = options.broker;
  broker.costs = {.name = "random"};
  if (!chance.one_in(4)) {
    broker.costs.commission_per_share = chance.one_in(2) ? 0.005 : 0.0;
    broker.costs.commission_bps = chance.one_in(2) ? chance.uniform(0.0, 10.0) : 0.0;
    broker.costs.commission_minimum = chance.one_in(2) ? 1.0 : 0.0;
    broker.costs.half_spread_bps = chance.one_in(2) ? chance.uniform(0.0, 20.0) : 0.0;
    broker.costs.slippage_bps = chance.one_in(2) ? chance.uniform(0.0, 20.0) : 0.0;
    broker.costs.borrow_rate = chance.one_in(2) ? 0.5 : 0.0;
  }
  broker.capital = chance.one_in(4) ? 1000.0 : 100'000.0;
  broker.max_exposure = chance.one_in(2) ? 1.0 : chance.uniform(0.1, 1.0);
  broker.fractional = chance.one_in(2);
  if (chance.one_in(2)) broker.max_volume_share = chance.uniform(0.01, 1.0);
  if (chance.one_in(2)) options.protection.stop_loss = chance.uniform(0.001, 0.05);
  if (chance.one_in(2)) options.protection.take_profit = chance.uniform(0.001, 0.05);
  options.flat_at_close = chance.one_in(3);
  return options;
}

struct Path {
  bool on_grid;
  Bars bars;
  std::vector<Decision> decisions;
  RunOptions options;
};

Path random_case(Chance& chance) {
  const bool on_grid = chance.one_in(2);
  Bars bars = random_path(chance, on_grid);
  auto decisions = random_orders(chance, bars, on_grid);
  return {on_grid, std::move(bars), std::move(decisions), random_options(chance)};
}

bool near(double a, double b, double scale) { return std::abs(a - b) <= 1e-9 * scale; }

/// What one fill must obey, given the account before it. Empty if it does.
std::string_view fault_of(const Fill& fill, const Path& path, double cash, double position, double average) {
  const CostModel& costs = path.options.broker.costs;
  const double units = std::abs(fill.quantity), reference = fill.reference;
  const double scale = path.options.broker.capital + units * reference;
  if (units == 0.0) return "nothing was traded";
  if (!(reference >= path.bars.low[fill.bar] && reference <= path.bars.high[fill.bar])) return "outside the bar";
  if (fill.at == FillAt::open && reference != path.bars.open[fill.bar]) return "not at the open";
  if (fill.at == FillAt::close && reference != path.bars.close[fill.bar]) return "not at the close";
  const double market = costs.fill_price(reference, fill.quantity);
  if (fill.at != FillAt::limit && fill.price != market) return "a market price without spread and slippage";
  const double against = fill.quantity > 0.0 ? fill.price - reference : reference - fill.price;
  if (against < -1e-12 * reference || against > std::abs(market - reference) * (1.0 + 1e-12)) return "a better price";
  if (!near(fill.spread_cost + fill.slippage_cost, units * against, scale)) return "spread and slippage";
  if (fill.commission != costs.commission(fill.quantity, fill.price)) return "commission";
  if (!near(fill.position, position + fill.quantity, scale)) return "position";
  if (!near(fill.cash, cash - fill.quantity * fill.price - fill.commission - fill.borrow, scale)) return "cash";
  const double before = cash - fill.borrow + position * reference, after = fill.cash + fill.position * reference;
  const double paid = fill.commission + fill.spread_cost + fill.slippage_cost;
  if (!near(after, before - paid, scale)) return "cash + position x price = equity";
  const bool grows = std::abs(fill.position) > std::abs(position) || fill.position * position < 0.0;
  const double most = path.options.broker.max_exposure * after;
  if (grows && std::abs(fill.position * reference) > most + 1e-9 * scale) return "above max exposure";
  if (!path.options.broker.fractional && fill.quantity != std::trunc(fill.quantity)) return "a part of a unit";
  if (fill.at == FillAt::limit || fill.at == FillAt::stop) {
    const Decision& decision = path.decisions[fill.bar - 1];
    const double side = position > 0.0 ? 1.0 : -1.0;
    double price = decision.price;
    if (fill.reason == "stop loss") price = average * (1.0 - side * *path.options.protection.stop_loss);
    if (fill.reason == "take profit") price = average * (1.0 + side * *path.options.protection.take_profit);
    const double beyond = fill.quantity > 0.0 ? fill.price - price : price - fill.price;
    if (fill.at == FillAt::limit && beyond > 0.0) return "worse than its limit";
    const double met = fill.quantity > 0.0 ? reference - price : price - reference;
    if (fill.at == FillAt::stop && fill.reason != "stop loss" && met < 0.0) return "better than its stop";
    if (fill.reason == "stop loss" && met < 0.0) return "better than the stop loss";
  }
  return {};
}

/// The fills of the bars before `bar`.
std::vector<Fill> fills_before(const Run& run, std::size_t bar) {
  std::vector<Fill> fills;
  std::ranges::copy_if(run.fills, std::back_inserter(fills), [&](const Fill& fill) { return fill.bar < bar; });
  return fills;
}

}  // namespace

TEST_CASE("every account of random paths adds up, and every fill obeys its order, its bar and its volume") {
  Chance chance(2024);
  std::size_t fills = 0, limits = 0, stops = 0, exits = 0, cut = 0, ruined = 0;
  for (int i = 0; i < kPaths; ++i) {
    const Path path = random_case(chance);
    const Run run = run_decisions(path.bars.view(), path.decisions, path.options);
    double cash = run.capital, position = 0.0, average = 0.0, spent = 0.0, costs = 0.0;
    std::vector<double> taken(kBars, 0.0);
    for (const Fill& fill : run.fills) {
      const std::string_view fault = fault_of(fill, path, cash, position, average);
      if (!fault.empty()) FAIL("path " << i << ", bar " << fill.bar << ": " << fault);
      cash = fill.cash;
      position = fill.position;
      average = fill.average_price;
      taken[fill.bar] += std::abs(fill.quantity);
      spent += fill.quantity * fill.price + fill.commission + fill.borrow;
      costs += fill.commission + fill.spread_cost + fill.slippage_cost;
      limits += fill.at == FillAt::limit;
      stops += fill.at == FillAt::stop;
      exits += fill.reason == "stop loss" || fill.reason == "take profit";
    }
    if (const auto share = path.options.broker.max_volume_share) {
      for (std::size_t t = 0; t < kBars; ++t) {
        if (taken[t] > *share * path.bars.volume[t] * (1.0 + 1e-12)) FAIL("path " << i << ", bar " << t << ": volume");
      }
    }
    if (!near(cash, run.capital - spent, 10.0 * run.capital)) FAIL("path " << i << ": cash");
    double borrow = 0.0, gains = 0.0;
    for (const double paid : run.borrow) borrow += paid;
    for (const Fill& fill : run.fills) gains -= fill.quantity * fill.reference;
    const double end = run.capital + gains + position * path.bars.close.back() - costs - borrow;
    if (!(std::abs(end - run.equity.back()) < 0.01)) FAIL("path " << i << ": final equity");
    fills += run.fills.size();
    cut += run.orders_cut;
    ruined += run.ruined_at.has_value();
  }
  // The paths tried what they are meant to try.
  CHECK(fills > 2u * kPaths);
  CHECK(limits > kPaths / 4u);
  CHECK(stops > kPaths / 4u);
  CHECK(exits > kPaths / 4u);
  CHECK(cut > kPaths / 4u);
  CHECK(ruined > 0);
}

TEST_CASE("no fill of random paths depends on its own bar's decision or on a later bar") {
  Chance chance(7);
  for (int i = 0; i < kPaths / 2; ++i) {
    Path path = random_case(chance);
    path.options.flat_at_close = false;  // the last bar of a session is known by the next one's time
    const Run run = run_decisions(path.bars.view(), path.decisions, path.options);
    const auto from = static_cast<std::size_t>(1 + chance.below(kBars - 1));
    const Path other = random_case(chance);
    Bars bars = other.bars;
    std::vector<Decision> decisions = other.decisions;
    for (std::size_t t = 0; t < kBars; ++t) bars.time_ns[t] = path.bars.time_ns[t];
    for (std::size_t t = 0; t < from; ++t) {
      bars.open[t] = path.bars.open[t];
      bars.high[t] = path.bars.high[t];
      bars.low[t] = path.bars.low[t];
      bars.close[t] = path.bars.close[t];
      bars.volume[t] = path.bars.volume[t];
      if (t + 1 < from) decisions[t] = path.decisions[t];
    }
    // Bars from `from` on and decisions from `from` - 1 on are others; fills of bars before `from` are the same.
    const Run changed = run_decisions(bars.view(), decisions, path.options);
    if (fills_before(run, from) != fills_before(changed, from)) FAIL("path " << i << ", from bar " << from);
  }
}

namespace {

/// The broker along one path of prices, from point to point without a gap: what is met first comes first.
class Walk {
 public:
  Walk(const Broker& broker, const Decision& decision, const Protection& protection, bool pending)
      : broker_(broker), decision_(decision), protection_(protection), pending_(pending) {}

  void go(double to) {
    while (const auto next = first_met(to)) act(*next);
    at_ = to;
  }
  void start(double open) { at_ = open; }
  [[nodiscard]] double equity(double price) const { return broker_.equity(price); }

 private:
  struct Event {
    double price, side, limit;
    bool exit;
  };

  [[nodiscard]] std::optional<Event> first_met(double to) const {
    if (done_) return std::nullopt;
    std::optional<Event> first;
    const auto offer = [&](OrderKind kind, double side, double price, bool exit) {
      const auto met = price_met(kind, side, price, {at_, std::max(at_, to), std::min(at_, to)});
      if (met && (!first || std::abs(*met - at_) < std::abs(first->price - at_)))
        first = Event{*met, side, kind == OrderKind::limit ? price : kNaN, exit};
    };
    const double position = broker_.position(), side = position > 0.0 ? 1.0 : -1.0, average = broker_.average_price();
    if (position != 0.0) {
      if (protection_.stop_loss) offer(OrderKind::stop, -side, average * (1.0 - side * *protection_.stop_loss), true);
      if (protection_.take_profit && !ordered_)
        offer(OrderKind::limit, -side, average * (1.0 + side * *protection_.take_profit), true);
    }
    if (pending_) {
      const double wanted = broker_.wanted_position(decision_.exposure, decision_.price, limit());
      if (wanted != position) offer(decision_.order, wanted > position ? 1.0 : -1.0, decision_.price, false);
    }
    return first;
  }

  void act(const Event& event) {
    at_ = event.price;
    Broker::Order order{0, 0, FillAt::stop, event.price, "walk"};
    order.limit = event.limit;
    order.side = event.side;
    const bool filled = broker_.trade(event.exit ? 0.0 : decision_.exposure, order).has_value();
    if (event.exit) done_ = true;
    if (!event.exit) pending_ = false;
    ordered_ = ordered_ || (!event.exit && filled);
  }

  [[nodiscard]] double limit() const { return decision_.order == OrderKind::limit ? decision_.price : kNaN; }

  Broker broker_;
  const Decision& decision_;
  const Protection& protection_;
  bool pending_, ordered_ = false, done_ = false;
  double at_ = 0.0;
};

}  // namespace

TEST_CASE("no bar leaves more than either order of its high and low would, a profit after an order in the bar aside") {
  Chance chance(99);
  std::size_t bars_with_both = 0;
  for (int i = 0; i < kPaths; ++i) {
    RunOptions options;
    options.broker = {.costs = {.name = "free"}, .capital = 100'000.0, .fractional = chance.one_in(2)};
    if (chance.one_in(2)) options.broker.costs.half_spread_bps = 1.0;
    if (chance.one_in(2)) options.protection.stop_loss = chance.uniform(0.005, 0.03);
    if (chance.one_in(2)) options.protection.take_profit = chance.uniform(0.005, 0.03);
    const double held = chance.one_in(3) ? 0.0 : chance.uniform(-1.0, 1.0);
    const double open = 100.0 * (1.0 + (chance.one_in(3) ? chance.uniform(-0.04, 0.04) : 0.0));
    const double close = open * (1.0 + chance.uniform(-0.04, 0.04)), other = open * (1.0 + chance.uniform(-0.05, 0.05));
    const double high = std::max({open, close, other}), low = std::min({open, close, other});
    const Bars bars = [&] {
      Bars made = flat_bars({100.0, 100.0, 100.0});
      made.open[2] = open;
      made.high[2] = high;
      made.low[2] = low;
      made.close[2] = close;
      return made;
    }();
    Decision last{.exposure = chance.one_in(3) ? held : chance.uniform(-1.0, 1.0), .reason = "order"};
    last.order = chance.one_in(2) ? OrderKind::limit : OrderKind::stop;
    last.price = 100.0 * (1.0 + chance.uniform(-0.04, 0.04));
    const Run run = run_decisions(bars.view(), {{.exposure = held, .reason = "held"}, last, {}}, options);

    Broker broker(options.broker);
    broker.trade(held, {1, 0, FillAt::open, 100.0, "held"});
    if (run.position[1] != broker.position()) continue;  // its own costs stopped it out in bar 1
    if (std::abs(100.0 * broker.position()) > 1.1 * broker.equity(100.0)) continue;
    for (const bool high_first : {true, false}) {
      Walk walk(broker, last, options.protection, last.exposure != held);
      walk.start(open);
      for (const double to : {high_first ? high : low, high_first ? low : high, close}) walk.go(to);
      if (run.equity[2] > walk.equity(close) + 1e-6) FAIL("path " << i << ", high first " << high_first);
    }
    bars_with_both += run.fills.size() == 3;
  }
  CHECK(bars_with_both > kPaths / 50u);
}

TEST_CASE("fractional units end near whole ones of the same path where a unit is small") {
  Chance chance(5);
  for (int i = 0; i < kPaths / 10; ++i) {
    Path path = random_case(chance);
    path.options.broker.capital = 1e9;
    path.options.broker.max_volume_share.reset();
    path.options.protection = {};  // a price that is only just met by one of them would part them
    path.options.broker.fractional = true;
    const Run parts = run_decisions(path.bars.view(), path.decisions, path.options);
    path.options.broker.fractional = false;
    const Run wholes = run_decisions(path.bars.view(), path.decisions, path.options);
    constexpr double kNearlyGone = 1e7;  // a unit is not small any more
    if (parts.fills.size() != wholes.fills.size() || parts.equity.back() < kNearlyGone) continue;
    CHECK(wholes.equity.back() == doctest::Approx(parts.equity.back()).epsilon(1e-4));
  }
}

#include <array>
#include <cstddef>

#include "bars/session.hpp"
#include "features/op.hpp"
#include "features/ops/formulas.hpp"
#include "features/sine.hpp"

namespace sentio {
namespace {

[[nodiscard]] bool regular(double minute, double length) { return minute >= 0.0 && minute < length; }

/// 1 for bars that open in regular hours, else 0.
struct InRegularHours {
  static constexpr int kInputs = 2;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* minute, const double* length) const {
    return regular(*minute, *length) ? 1.0 : 0.0;
  }
  bool operator==(const InRegularHours&) const = default;
};

/// sin or cos of 2 pi k / n; the cosine is the sine a quarter of a turn ahead.
double wave(int k, int n, bool cosine) {
  return cosine ? sine_of_turn((4 * k + n) % (4 * n), 4 * n) : sine_of_turn(k, n);
}

/// The same for a session of kMinutes, from a table.
template <int kMinutes>
double tabled_wave(int k, bool cosine) {
  using Table = std::array<double, kMinutes>;
  static const std::array<Table, 2> tables = [] {
    std::array<Table, 2> filled;
    for (int i = 0; i < kMinutes; ++i) {
      filled[0][static_cast<std::size_t>(i)] = wave(i, kMinutes, false);
      filled[1][static_cast<std::size_t>(i)] = wave(i, kMinutes, true);
    }
    return filled;
  }();
  return tables[cosine ? 1 : 0][static_cast<std::size_t>(k)];
}

struct DayWave {
  static constexpr int kInputs = 2;
  bool cosine;
  [[nodiscard]] int lookback() const { return 0; }
  [[nodiscard]] double at(const double* minute, const double* length) const {
    if (!regular(*minute, *length)) return cosine ? 1.0 : 0.0;  // no turn, or a whole one
    const int k = static_cast<int>(*minute), n = static_cast<int>(*length);
    switch (n) {
      case 210: return tabled_wave<210>(k, cosine);
      case 390: return tabled_wave<390>(k, cosine);
      case 1440: return tabled_wave<1440>(k, cosine);
      default: return wave(k, n, cosine);
    }
  }
  bool operator==(const DayWave&) const = default;
};

/// Mean price of the session so far, weighted by volume.
struct SessionVwap {
  static constexpr int kInputs = 4;
  [[nodiscard]] int delay() const { return 0; }
  /// A session forgets the one before, but no number of bars tells when the next one begins.
  [[nodiscard]] int settle() const { return kNever; }

  double step(double price, double traded, double in_hours, double date) {
    auto& [started, day, volume, turnover, value] = memory;
    if (in_hours == 0.0) return started == 0.0 ? price : value;
    if (started == 0.0 || date != day) volume = turnover = 0.0;
    started = 1.0;
    day = date;
    volume += traded;
    turnover += price * traded;
    return value = volume > 0.0 ? turnover / volume : price;
  }

  bool operator==(const SessionVwap&) const = default;

  struct Memory {
    double started = 0.0, day = 0.0, volume = 0.0, turnover = 0.0, value = 0.0;
    bool operator==(const Memory&) const = default;
  } memory = {};
};

const SessionCalendar& calendar_of(const Args& args) {
  return session_calendars()[static_cast<std::size_t>(args.integer(0))];
}

template <bool kCosine>
Column day_wave(Graph& graph, const Args& args) {
  const SessionCalendar& calendar = calendar_of(args);
  return graph.add(DayWave{kCosine}, {graph.add_session(calendar, SessionValue::minute),
                                      graph.add_session(calendar, SessionValue::length)});
}

Column vwap(Graph& graph, const Args& args) {
  const SessionCalendar& calendar = calendar_of(args);
  const Column regular = graph.add(InRegularHours{}, {graph.add_session(calendar, SessionValue::minute),
                                                      graph.add_session(calendar, SessionValue::length)});
  return graph.add(SessionVwap{},
                   {typical_price(graph), kVolume, regular, graph.add_session(calendar, SessionValue::day)});
}

}  // namespace

std::vector<Op> session_ops() {
  Param calendar{.name = "calendar", .fallback = 0.0};
  for (const SessionCalendar& known : session_calendars()) calendar.choices.push_back(known.name);
  return {
      {.name = "MINUTE_OF_SESSION",
       .formula =
           "minutes from the session's opening time to the bar's open, with fractions; negative before it, going "
           "on beyond the close",
       .reference = "docs/session_ops.md",
       .params = {calendar},
       .build = [](Graph& graph,
                   const Args& args) { return graph.add_session(calendar_of(args), SessionValue::minute); }},
      {.name = "DAY_SIN",
       .formula = "sin(2 pi m/L), m whole minutes since the session's open, L its length; 0 outside regular hours",
       .reference = "docs/session_ops.md",
       .params = {calendar},
       .build = day_wave<false>},
      {.name = "DAY_COS",
       .formula = "cos(2 pi m/L), m whole minutes since the session's open, L its length; 1 outside regular hours",
       .reference = "docs/session_ops.md",
       .params = {calendar},
       .build = day_wave<true>},
      {.name = "SESSION_VWAP",
       .formula = "sum of (h + l + c)/3 v / sum of v over the session's regular hours so far; (h + l + c)/3 where that "
                  "is 0; outside regular hours the last value, or (h + l + c)/3 before the first",
       .reference = "docs/session_ops.md",
       .params = {calendar},
       .degree = 1,
       .build = vwap},
  };
}

}  // namespace sentio

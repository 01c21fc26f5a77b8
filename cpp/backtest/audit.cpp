#include "backtest/audit.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <utility>

#include "backtest/noise.hpp"
#include "bars/number.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kFuture = "future";
constexpr const char* kStart = "start";
constexpr const char* kBarByBar = "bar by bar";
constexpr const char* kFillPrice = "fill price";

using Columns = std::vector<AuditColumn>;

bool same(double a, double b, double tolerance, double scale = 1.0) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (tolerance == 0.0) return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
  return std::abs(a - b) <= tolerance * std::max({scale, std::abs(a), std::abs(b)});
}

/// Bars begin to end, and the bar in them after which the future is replaced.
struct Place {
  std::size_t begin, end, cut;
};

class Auditor {
 public:
  Auditor(BarsView bars, const AuditSubject& subject, const AuditOptions& options, const Progress& progress)
      : bars_(bars), subject_(subject), options_(options), progress_(progress), random_(options.seed) {
    constexpr std::size_t kFewest = 4;
    if (options.cuts == 0) throw std::invalid_argument("cuts must be at least 1, found 0");
    if (bars.size() < kFewest || first_cut() + 1 >= bars.size())
      throw std::invalid_argument("a cut needs " + std::to_string(std::max(kFewest, first_cut() + 2)) +
                                  " bars, its warm-up among them, found " + std::to_string(bars.size()));
    for (const Noise noise : kNoises) result_.checks.push_back({std::string(name_of(noise))});
    result_.checks.push_back({kStart});
    if (subject.bar_by_bar) result_.checks.push_back({kBarByBar});
    result_.checks.push_back({kFillPrice});
    total_ = options.cuts * (kNoises.size() + 1) * (whole() ? bars.size() : options.window);
  }

  AuditResult run() {
    for (std::size_t i = 0; i < options_.cuts; ++i) {
      Place place = place_of(i);
      if (i == 0 || !whole()) {
        base_ = observed(subject_.observe, bars_.subview(place.begin, place.end - place.begin));
        compare_ways(place);
        check_prices(base_, bars_.subview(place.begin, place.end - place.begin), place, 0, "with the bars as they are");
      }
      place.cut = telling_cut(i, place);
      for (std::size_t kind = 0; kind < kNoises.size(); ++kind) replace_future(place, kind);
      move_start(place);
    }
    sort_differences();
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool whole() const { return options_.window == 0 || options_.window >= bars_.size(); }
  [[nodiscard]] std::size_t first_cut() const { return std::max<std::size_t>(options_.warmup, 1); }

  double uniform() { return static_cast<double>(random_() >> 11U) * 0x1.0p-53; }
  /// One of low, ..., high.
  std::size_t one_of(std::size_t low, std::size_t high) {
    return low + static_cast<std::size_t>(uniform() * static_cast<double>(high - low + 1));
  }

  /// Cut i lies in the i-th of equal stretches: some futures are long, some short.
  Place place_of(std::size_t i) {
    const std::size_t first = first_cut(), choices = bars_.size() - 1 - first;
    const double at = (static_cast<double>(i) + uniform()) / static_cast<double>(options_.cuts);
    const std::size_t cut = first + std::min(static_cast<std::size_t>(at * static_cast<double>(choices)), choices - 1);
    if (whole()) return {0, bars_.size(), cut};
    // The window holds the warm-up before the cut, and the rest of it lies on both sides at random.
    const std::size_t before = one_of(std::min(first, options_.window - 2), options_.window - 2);
    const std::size_t begin = std::min(cut - std::min(cut, before), bars_.size() - options_.window);
    return {begin, begin + options_.window, cut};
  }

  /// Where leaks show that show nowhere else. Every second cut lies before a fill: what a fill looks ahead at, it shows
  /// in its own bar. Of the others, every second is the bar of a first value, such as a model's where its training
  /// ends.
  std::size_t telling_cut(std::size_t i, const Place& place) {
    constexpr std::size_t kFirstValues = 2;
    const auto is_fill = [](const AuditColumn& column, std::size_t t) {
      const double value = column.values[t];  // no fill is 0 or NaN
      return column.known == Known::at_open && value != 0.0 && !std::isnan(value) &&
             !same(column.values[t - 1], value, 0.0);
    };
    const auto is_first_value = [](const AuditColumn& column, std::size_t t) {
      return std::isnan(column.values[t - 1]) && !std::isnan(column.values[t]);
    };
    if (i % 2 == 1) return cut_at(place, 1, is_fill);
    return i % 4 == kFirstValues ? cut_at(place, 0, is_first_value) : place.cut;
  }

  /// A cut that lies `bars_before` one for which `is_event` of a column is true; the place's own if there is none.
  template <class IsEvent>
  std::size_t cut_at(const Place& place, std::size_t bars_before, const IsEvent& is_event) {
    std::vector<std::size_t> cuts;
    for (std::size_t cut = std::max(place.begin + 1, first_cut()); cut + 1 < place.end; ++cut) {
      const std::size_t t = cut + bars_before - place.begin;
      if (std::ranges::any_of(base_, [&](const AuditColumn& column) { return is_event(column, t); }))
        cuts.push_back(cut);
    }
    return cuts.empty() ? place.cut : cuts[one_of(0, cuts.size() - 1)];
  }

  Columns observed(const Observe& observe, BarsView bars) {
    Columns columns = observe(bars);
    if (result_.columns.empty()) {
      if (columns.empty()) throw std::invalid_argument("nothing to audit: no column was made of the bars");
      for (const AuditColumn& column : columns) result_.columns.push_back(column.name);
    }
    if (!std::ranges::equal(columns, result_.columns, {}, &AuditColumn::name))
      throw std::invalid_argument("the columns must be the same for all bars, found others for " +
                                  std::to_string(bars.size()) + " bars");
    for (const AuditColumn& column : columns) {
      if (column.values.size() != bars.size())
        throw std::invalid_argument(column.name + " must have one value a bar, " + std::to_string(bars.size()) +
                                    ", found " + std::to_string(column.values.size()));
    }
    return columns;
  }

  void replace_future(const Place& place, std::size_t kind) {
    const Noise noise = kNoises[kind];
    const BarsView bars = bars_.subview(place.begin, place.end - place.begin);
    const std::size_t kept = place.cut - place.begin + 1;
    const Bars other = with_noise(bars, kept, noise, random_());
    const Columns columns = observed(subject_.observe, other.view());
    AuditCheck& check = result_.checks[kind];
    ++check.trials;
    const std::size_t known_bar = keeps_open(noise) ? place.cut + 1 : place.cut;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const std::size_t end = keeps_open(noise) && columns[c].known == Known::at_open ? kept + 1 : kept;
      check.cells += end;
      const std::size_t at = first_difference(base_[c], 0, columns[c], 0, end);
      if (at == end) continue;
      ++check.differences;
      add({.check = kFuture,
           .column = columns[c].name,
           .bar = place.begin + at,
           .time_ns = bars.time_ns[at],
           .value = base_[c].values[at],
           .other = columns[c].values[at],
           .cut = known_bar,
           .cut_time_ns = bars_.time_ns[known_bar],
           .how = std::string(name_of(noise))});
    }
    check_prices(columns, other.view(), place, kept, std::string(name_of(noise)));
    report(other.size());
  }

  void move_start(const Place& place) {
    const std::size_t size = place.end - place.begin;
    const std::size_t late = one_of(1, std::max<std::size_t>(1, size / 4));
    const BarsView bars = bars_.subview(place.begin + late, size - late);
    const Columns columns = observed(subject_.observe, bars);
    AuditCheck& check = result_.checks[kNoises.size()];
    ++check.trials;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (!columns[c].settle) {
        remember_start(c, columns[c], late);
        continue;
      }
      const std::size_t settle = *columns[c].settle;
      if (settle >= bars.size()) {
        if (std::ranges::find(result_.not_compared, columns[c].name) == result_.not_compared.end())
          result_.not_compared.push_back(columns[c].name);
        continue;
      }
      check.cells += bars.size() - settle;
      const std::size_t at = first_difference(columns[c], settle, base_[c], settle + late, bars.size() - settle);
      if (at == bars.size() - settle) continue;
      ++check.differences;
      const std::size_t bar = settle + at;
      add({.check = kStart,
           .column = columns[c].name,
           .bar = place.begin + late + bar,
           .time_ns = bars.time_ns[bar],
           .value = base_[c].values[late + bar],
           .other = columns[c].values[bar],
           .cut = place.begin + late,
           .cut_time_ns = bars.time_ns[0],
           .how = "settle " + std::to_string(settle)});
    }
    report(bars.size());
  }

  /// Tells how long the start shows in a column that promises nothing.
  void remember_start(std::size_t c, const AuditColumn& column, std::size_t late) {
    auto found = std::ranges::find(result_.starts, column.name, &AuditStart::column);
    if (found == result_.starts.end()) found = result_.starts.insert(found, {column.name});
    ++found->starts;
    const std::vector<double>&before = base_[c].values, &after = column.values;
    std::size_t bars = after.size();
    while (bars > 0 && same(before[late + bars - 1], after[bars - 1], column.tolerance, column.scale)) --bars;
    found->longest = std::max(found->longest, bars);
    if (bars == after.size()) ++found->to_the_end;
  }

  void compare_ways(const Place& place) {
    if (!subject_.bar_by_bar) return;
    const BarsView bars = bars_.subview(place.begin, place.end - place.begin);
    const Columns columns = observed(subject_.bar_by_bar, bars);
    AuditCheck& check = result_.checks[kNoises.size() + 1];
    ++check.trials;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      check.cells += bars.size();
      const std::size_t at = first_difference(base_[c], 0, columns[c], 0, bars.size());
      if (at == bars.size()) continue;
      ++check.differences;
      add({.check = kBarByBar,
           .column = columns[c].name,
           .bar = place.begin + at,
           .time_ns = bars.time_ns[at],
           .value = base_[c].values[at],
           .other = columns[c].values[at],
           .cut = place.begin + at,
           .cut_time_ns = bars.time_ns[at],
           .how = "in blocks and bar by bar"});
    }
  }

  /// @param first the first of `bars` whose fills were not checked before
  void check_prices(const Columns& columns, BarsView bars, const Place& place, std::size_t first,
                    const std::string& how) {
    constexpr double kRounding = 1e-9;
    AuditCheck& check = result_.checks.back();
    ++check.trials;
    for (const AuditColumn& column : columns) {
      if (!column.is_fill_price) continue;
      for (std::size_t t = first; t < bars.size(); ++t) {
        const double price = column.values[t];
        if (std::isnan(price)) continue;
        ++check.cells;
        if (price >= bars.low[t] * (1.0 - kRounding) && price <= bars.high[t] * (1.0 + kRounding)) continue;
        ++check.differences;
        add({.check = kFillPrice,
             .column = column.name,
             .bar = place.begin + t,
             .time_ns = bars.time_ns[t],
             .value = price,
             .other = std::clamp(price, bars.low[t], bars.high[t]),
             .cut = place.begin + t,
             .cut_time_ns = bars.time_ns[t],
             .how = how});
        break;
      }
    }
  }

  /// The first i below `count` at which a's value a_begin + i differs from b's value b_begin + i, or `count`.
  static std::size_t first_difference(const AuditColumn& a, std::size_t a_begin, const AuditColumn& b,
                                      std::size_t b_begin, std::size_t count) {
    std::size_t i = 0;
    while (i < count && same(a.values[a_begin + i], b.values[b_begin + i], a.tolerance, a.scale)) ++i;
    return i;
  }

  void add(AuditDifference difference) {
    const auto known = std::ranges::find_if(result_.differences, [&](const AuditDifference& d) {
      return d.check == difference.check && d.column == difference.column;
    });
    if (known == result_.differences.end()) {
      result_.differences.push_back(std::move(difference));
    } else {
      ++known->trials;
    }
  }

  /// Columns come in the subject's order: features before the decisions that follow from them.
  void sort_differences() {
    const auto order = [&](const AuditDifference& d) {
      return std::ranges::find(result_.columns, d.column) - result_.columns.begin();
    };
    std::ranges::stable_sort(result_.differences, {}, order);
  }

  void report(std::size_t bars) {
    done_ = std::min(done_ + bars, total_);
    if (progress_) progress_(done_, total_);
  }

  BarsView bars_;
  const AuditSubject& subject_;
  const AuditOptions& options_;
  const Progress& progress_;
  std::mt19937_64 random_;
  Columns base_;
  AuditResult result_;
  std::size_t done_ = 0, total_ = 0;
};

template <class Number>
std::vector<double> column_of(const Run& run, Number Decision::*member) {
  std::vector<double> values(run.size());
  std::ranges::transform(run.decisions, values.begin(), [&](const Decision& d) { return double{d.*member}; });
  return values;
}

/// The place in kOrderKinds of each decision's order.
std::vector<double> order_kinds(const Run& run) {
  std::vector<double> values(run.size());
  std::ranges::transform(run.decisions, values.begin(), [](const Decision& d) { return double(d.order); });
  return values;
}

/// Values of the fills at the open, by bar; NaN where there is none.
std::vector<double> column_of(const Run& run, double Fill::*member) {
  std::vector<double> values(run.size(), kNaN);
  for (const Fill& fill : run.fills)
    if (fill.at == FillAt::open) values[fill.bar] = fill.*member;
  return values;
}

}  // namespace

void append_columns(const Run& run, std::vector<AuditColumn>& columns) {
  columns.push_back({.name = "logit", .values = column_of(run, &Decision::logit)});
  columns.push_back({.name = "probability", .values = column_of(run, &Decision::probability)});
  columns.push_back({.name = "exposure", .values = column_of(run, &Decision::exposure)});
  columns.push_back({.name = "order kind", .values = order_kinds(run)});
  columns.push_back({.name = "order price", .values = column_of(run, &Decision::price)});
  columns.push_back({.name = "fill quantity", .values = column_of(run, &Fill::quantity), .known = Known::at_open});
  columns.push_back({.name = "fill reference",
                     .values = column_of(run, &Fill::reference),
                     .known = Known::at_open,
                     .is_fill_price = true});
  columns.push_back({.name = "fill price", .values = column_of(run, &Fill::price), .known = Known::at_open});
  columns.push_back({.name = "position", .values = run.position});
  columns.push_back({.name = "equity", .values = run.equity});
}

AuditSubject audit_subject(std::function<std::unique_ptr<Strategy>()> make, RunOptions options) {
  options.begin = 0;
  options.end = {};
  const auto columns_of = [options](BarsView bars, std::vector<Decision> decisions) {
    std::vector<AuditColumn> columns;
    append_columns(run_decisions(bars, std::move(decisions), options), columns);
    return columns;
  };
  return {.observe = [=](BarsView bars) { return columns_of(bars, decide(bars, *make())); },
          .bar_by_bar =
              [=](BarsView bars) {
                const auto strategy = make();
                std::vector<Decision> decisions;
                for (std::size_t t = 0; t < bars.size(); ++t) decisions.push_back(strategy->on_bar(bars[t]));
                return columns_of(bars, std::move(decisions));
              }};
}

AuditResult audit(BarsView bars, const AuditSubject& subject, const AuditOptions& options, const Progress& progress) {
  return Auditor(bars, subject, options, progress).run();
}

std::string describe(const AuditDifference& d) {
  const auto bar = [](std::size_t number, std::int64_t time_ns) {
    return "bar " + std::to_string(number) + " (" + format_time(time_ns) + ")";
  };
  const std::string is = d.column + " at " + bar(d.bar, d.time_ns) + " is " + format_number(d.value);
  const std::string other = format_number(d.other);
  if (d.check == kFuture) {
    const bool inside = d.how.starts_with("inside");
    return is + ", and " + other + " with another future after " + (inside ? "the open of " : "") +
           bar(d.cut, d.cut_time_ns) + " (" + d.how + ")";
  }
  if (d.check == kStart)
    return is + ", and " + other + " with bars from " + bar(d.cut, d.cut_time_ns) +
           " on, which should no longer show (" + d.how + ")";
  if (d.check == kBarByBar) return is + " in blocks, and " + other + " bar by bar";
  return is + ", which the bar did not trade at; the nearest price is " + other + " (" + d.how + ")";
}

}  // namespace sentio

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backtest/simulation.hpp"
#include "backtest/strategy.hpp"
#include "bars/bars.hpp"

namespace sentio {

/// What the value of bar t may depend on.
enum class Known {
  at_close,  ///< bars 0 to t
  at_open,   ///< bars 0 to t - 1, and the time and the open of bar t
};

/// Something that is known of every bar: a feature, a decision, a fill. Two values are the same if they have the same
/// bits; NaN is NaN.
struct AuditColumn {
  std::string name;
  std::vector<double> values;  ///< one per bar
  Known known = Known::at_close;
  bool is_fill_price = false;  ///< NaN, or a price that the bar traded at: from its low to its high
  double tolerance = 0.0;      ///< relative to the value, or to `scale` if that is more; 0 to compare bits
  double scale = 1.0;
  std::optional<std::size_t> settle = {};  ///< the first bar after a start at which the start no longer shows, if said
};

/// Makes the columns of bars: always the same names in the same order.
using Observe = std::function<std::vector<AuditColumn>(BarsView)>;

/// What is audited.
struct AuditSubject {
  Observe observe;
  Observe bar_by_bar = {};  ///< the same columns, made one bar after the other; empty if there is no such way
};

/// The columns of a run from the first bar on: logit, probability, exposure, order kind and order price of its
/// decisions, the fills at the open, position and equity. Other fills show in the position and the equity.
void append_columns(const Run& run, std::vector<AuditColumn>& columns);

/// A strategy, traded. @param make gives a new one of its kind, before its first bar
[[nodiscard]] AuditSubject audit_subject(std::function<std::unique_ptr<Strategy>()> make, RunOptions options);

struct AuditOptions {
  std::size_t cuts = 40;  ///< bars at which the future is replaced, and starts that are tried
  std::uint64_t seed = 1;
  std::size_t warmup = 0;  ///< no cut lies before this bar
  std::size_t window = 0;  ///< bars that the subject sees around each cut; 0 for all. All that it remembers must fit.
};

/// A value that is not what it was.
struct AuditDifference {
  std::string check;  ///< "future", "start", "bar by bar", "fill price"
  std::string column;
  std::size_t bar;
  std::int64_t time_ns;
  double value;     ///< with the bars as they are
  double other;     ///< with the other future, start or way; of a fill price: the nearest that the bar traded at
  std::size_t cut;  ///< the last bar of which anything is known; for "start", the first bar
  std::int64_t cut_time_ns;
  std::string how;         ///< the noise (fills in it are checked too), or what else was done
  std::size_t trials = 1;  ///< in which the column differed by this check
};

/// How much was compared, by kind.
struct AuditCheck {
  std::string name;
  std::size_t trials = 0, cells = 0, differences = 0;
};

/// How long a start shows in a column that does not say when it settles.
struct AuditStart {
  std::string column;
  std::size_t starts = 0;
  std::size_t longest = 0;     ///< bars after the start at most in which it showed
  std::size_t to_the_end = 0;  ///< starts that showed to the last bar
};

struct AuditResult {
  std::vector<std::string> columns;
  std::vector<AuditCheck> checks;
  std::vector<AuditDifference> differences;  ///< the first of each check and column, in their order
  std::vector<AuditStart> starts;
  std::vector<std::string> not_compared;  ///< columns that settle later than the bars reach

  [[nodiscard]] bool clean() const { return differences.empty(); }
};

/// Looks for values that depend on bars that are not known yet. At each cut the bars after it are replaced by each kind
/// of noise, and what is known by then must stay the same. Half of the cuts lie before fills, a quarter at first values
/// that are not NaN, where there are any. Beside that: another start shows no longer than the columns say, blocks give
/// what single bars give, and fills have prices that were traded.
/// @throws std::invalid_argument if bars or options allow no cut, or the subject makes other columns than before
[[nodiscard]] AuditResult audit(BarsView bars, const AuditSubject& subject, const AuditOptions& options,
                                const Progress& progress = {});

/// "exposure at bar 120 (2024-01-08T16:30:00Z) is 1, and 0 with another future after bar 123 (jumps)"
[[nodiscard]] std::string describe(const AuditDifference& difference);

}  // namespace sentio

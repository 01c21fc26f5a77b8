#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backtest/decision.hpp"
#include "backtest/gap.hpp"
#include "backtest/strategy.hpp"
#include "bars/bars.hpp"
#include "bars/session.hpp"

namespace sentio {

/// Seconds from bar to bar are above 0 and at most so many: more than 30 years.
inline constexpr double kLongestInterval = 1e9;

/// Why a line or a bar is not taken. The strategy has not seen it then, and nothing has changed.
enum class Refusal {
  bad_line,   ///< it cannot be read; the reader of lines says so
  bad_bar,    ///< its values are impossible
  duplicate,  ///< it is the last bar once more
  conflict,   ///< it has the time of the last bar and other values
  late,       ///< it is older than the last bar
};

inline constexpr std::array kRefusals{Refusal::bad_line, Refusal::bad_bar, Refusal::duplicate, Refusal::conflict,
                                      Refusal::late};

/// "bad_bar"
[[nodiscard]] std::string_view name_of(Refusal kind);

/// What a stream has answered.
struct StreamCounts {
  std::int64_t decisions = 0;
  std::int64_t gaps = 0, missing_bars = 0;
  std::array<std::int64_t, kRefusals.size()> refused{};  ///< by kind, in the order of kRefusals

  [[nodiscard]] std::int64_t& of(Refusal kind) { return refused[static_cast<std::size_t>(kind)]; }
};

/// What a stream makes of a bar: a decision, or the reason why the bar was refused.
struct StreamAnswer {
  std::optional<Refusal> refused;
  Decision decision;         ///< where the bar was not refused
  std::int64_t missing = 0;  ///< bars that should have come between the one before and this one
};

/// Runs a strategy live: bar in, decision out, and a state to go on from after a crash. Without clock, file or thread.
class Stream {
 public:
  /// @param identity what tells the strategy, its params and its model from all others: a state of another identity is
  ///        refused
  /// @param calendar one of session_calendars()
  /// @param interval_s the usual seconds from bar to bar, which gaps are judged by; learned from the bars if not given
  /// @throws std::invalid_argument if the interval is not above 0 or longer than kLongestInterval
  Stream(std::unique_ptr<Strategy> strategy, std::string identity, const SessionCalendar& calendar,
         std::optional<double> interval_s);

  /// Takes the next bar, or refuses it. A bar that is taken costs no allocation of the stream's own.
  /// @throws what the strategy throws: whether it took the bar is not known then, and until `restore` the stream
  ///         throws std::logic_error instead of going on.
  [[nodiscard]] StreamAnswer push(const Bar& bar);

  /// Counts a line in which no bar could be read.
  void count_bad_line() { ++counts_.of(Refusal::bad_line); }
  [[nodiscard]] const StreamCounts& counts() const { return counts_; }

  /// What is wrong with a bar that `push` refused last, in words: what was found and what would be right.
  [[nodiscard]] std::string describe(Refusal kind, const Bar& bar) const;

  /// Takes those of `bars` that are later than the last one, without telling their decisions; how many. In blocks, so
  /// that long histories take little time.
  /// @throws std::invalid_argument if a bar is not valid; nothing has changed then. Else as `push`.
  std::size_t warm(BarsView bars);

  /// All that the next answer depends on. @throws std::logic_error after a strategy has failed, see `push`.
  [[nodiscard]] std::vector<std::byte> state() const;
  /// @throws InputError if the state is cut off, altered, impossible or of another identity; nothing has changed then.
  void restore(std::span<const std::byte> state);

  [[nodiscard]] const std::string& identity() const { return identity_; }
  [[nodiscard]] const Strategy& strategy() const { return *strategy_; }
  [[nodiscard]] std::int64_t bars_seen() const { return seen_; }
  [[nodiscard]] const std::optional<Bar>& last() const { return last_; }
  [[nodiscard]] std::int64_t interval_ns() const { return gaps_.interval_ns(); }

 private:
  [[nodiscard]] std::optional<Refusal> refusal_of(const Bar& bar) const;
  void require_whole() const;

  std::unique_ptr<Strategy> strategy_;
  std::string identity_;
  GapFinder gaps_;
  std::int64_t seen_ = 0;
  std::optional<Bar> last_;
  StreamCounts counts_;
  bool whole_ = true;  ///< the strategy has taken the bars that are counted here and no other
};

}  // namespace sentio

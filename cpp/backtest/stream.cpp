#include "backtest/stream.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "bars/number.hpp"
#include "bars/state.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

constexpr StateKind kState{"SENTIO-STREAM   ", 1, "stream state", "a stream"};
constexpr std::int64_t kMostBars = std::int64_t{1} << 53;

std::int64_t nanoseconds(double seconds) {
  if (!(seconds > 0.0 && seconds <= kLongestInterval))
    throw std::invalid_argument("the interval must be a number of seconds above 0 and at most " +
                                format_number(kLongestInterval) + ", found " + format_number(seconds));
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(seconds * static_cast<double>(kSecondNs)));
}

}  // namespace

std::string_view name_of(Refusal kind) {
  switch (kind) {
    case Refusal::bad_line: return "bad_line";
    case Refusal::bad_bar: return "bad_bar";
    case Refusal::duplicate: return "duplicate";
    case Refusal::conflict: return "conflict";
    case Refusal::late: break;
  }
  return "late";
}

Stream::Stream(std::unique_ptr<Strategy> strategy, std::string identity, const SessionCalendar& calendar,
               std::optional<double> interval_s)
    : strategy_(std::move(strategy)),
      identity_(std::move(identity)),
      gaps_(calendar, interval_s ? nanoseconds(*interval_s) : 0) {}

std::optional<Refusal> Stream::refusal_of(const Bar& bar) const {
  if (fault_of(bar, std::nullopt)) return Refusal::bad_bar;
  if (!last_ || bar.time_ns > last_->time_ns) return std::nullopt;
  if (bar.time_ns < last_->time_ns) return Refusal::late;
  return bar == *last_ ? Refusal::duplicate : Refusal::conflict;
}

void Stream::require_whole() const {
  if (!whole_)
    throw std::logic_error("the stream cannot go on after its strategy failed: restore a state, or begin anew");
}

StreamAnswer Stream::push(const Bar& bar) {
  require_whole();
  StreamAnswer answer;
  answer.refused = refusal_of(bar);
  if (answer.refused) {
    ++counts_.of(*answer.refused);
    return answer;
  }
  whole_ = false;
  answer.decision = strategy_->on_bar(bar);
  require_valid(answer.decision, static_cast<std::size_t>(seen_));
  whole_ = true;
  if (last_) answer.missing = gaps_.next(last_->time_ns, bar.time_ns);
  last_ = bar;
  ++seen_;
  ++counts_.decisions;
  if (answer.missing > 0) ++counts_.gaps;
  counts_.missing_bars += answer.missing;
  return answer;
}

std::string Stream::describe(Refusal kind, const Bar& bar) const {
  if (kind == Refusal::bad_bar) return sentio::describe(*fault_of(bar, std::nullopt), bar, std::nullopt);
  const std::string found = "bar of " + format_time(bar.time_ns), last = format_time(last_->time_ns);
  if (kind == Refusal::duplicate) return found + " was taken already, with the same values";
  if (kind == Refusal::late) return found + " is older than the last bar taken, " + last;
  std::string differing;
  const auto compare = [&](const char* name, double taken, double given) {
    if (taken == given) return;
    differing += (differing.empty() ? "" : ", ") + std::string(name) + " " + format_number(taken) + ", found " +
                 format_number(given);
  };
  compare("open", last_->open, bar.open);
  compare("high", last_->high, bar.high);
  compare("low", last_->low, bar.low);
  compare("close", last_->close, bar.close);
  compare("volume", last_->volume, bar.volume);
  return found + " was taken already, with other values: " + differing;
}

std::size_t Stream::warm(BarsView bars) {
  require_whole();
  require_valid(bars);
  const auto from = last_ ? std::ranges::upper_bound(bars.time_ns, last_->time_ns) : bars.time_ns.begin();
  const auto begin = static_cast<std::size_t>(from - bars.time_ns.begin());
  const BarsView later = bars.subview(begin, bars.size() - begin);
  if (later.empty()) return 0;
  std::vector<Decision> untold(later.size());
  whole_ = false;
  strategy_->on_bars(later, untold);
  whole_ = true;
  for (std::size_t i = 0; i < later.size(); ++i) {
    if (last_) static_cast<void>(gaps_.next(last_->time_ns, later.time_ns[i]));
    last_ = later[i];
  }
  seen_ += static_cast<std::int64_t>(later.size());
  return later.size();
}

std::vector<std::byte> Stream::state() const {
  require_whole();
  StateWriter writer(kState);
  writer.label(identity_);
  writer.number(seen_);
  const Bar last = last_.value_or(Bar{});
  writer.number(last.time_ns);
  for (const double value : {last.open, last.high, last.low, last.close, last.volume}) writer.number(value);
  for (const std::int64_t count : {counts_.decisions, counts_.gaps, counts_.missing_bars}) writer.number(count);
  for (const std::int64_t count : counts_.refused) writer.number(count);
  gaps_.save(writer);
  writer.block(strategy_->state());
  return std::move(writer).sealed();
}

void Stream::restore(std::span<const std::byte> state) {
  StateReader reader(state, kState);
  if (const std::string_view found = reader.label(); found != identity_)
    reader.fail("belongs to another strategy or model, found " + std::string(found) + ", expected " + identity_);
  reader.require_seal();
  const std::int64_t seen = reader.whole(0, kMostBars, "bars taken");
  Bar last{};
  last.time_ns = reader.number<std::int64_t>();
  for (double* const value : {&last.open, &last.high, &last.low, &last.close, &last.volume})
    *value = reader.number<double>();
  if (seen > 0 && fault_of(last, std::nullopt)) reader.fail("holds a last bar that is not valid");
  StreamCounts counts;
  for (std::int64_t* const count : {&counts.decisions, &counts.gaps, &counts.missing_bars})
    *count = reader.whole(0, kMostBars, "count");
  for (std::int64_t& count : counts.refused) count = reader.whole(0, kMostBars, "count");
  GapFinder gaps = gaps_;
  gaps.load(reader);
  const auto strategy = reader.block();
  reader.require_end("this stream's");
  strategy_->restore(strategy);  // changes nothing where it throws
  gaps_ = gaps;
  counts_ = counts;
  seen_ = seen;
  last_ = seen > 0 ? std::optional(last) : std::nullopt;
  whole_ = true;
}

}  // namespace sentio

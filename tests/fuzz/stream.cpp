// Any bytes as the lines of a live feed: each line is a decision or is refused by name, and a stream that goes on from
// a state in between decides the same.

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "backtest/stream.hpp"
#include "bars/bar_line.hpp"
#include "bars/error.hpp"
#include "strategies/registry.hpp"
#include "target.hpp"

using namespace sentio;
using fuzz::promise;

namespace {

Stream fresh() {
  const StrategyRow& row = *find_strategy("sma_cross");
  return {row.make(parse_params(row, "fast=2,slow=3")), "rule", session_calendar("us_equity"), std::nullopt};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = std::string(reinterpret_cast<const char*>(data), size) + '\n';
  BarLineReader reader;
  Stream stream = fresh(), resumed = fresh();
  std::int64_t lines = 0, refused = 0;
  for (std::size_t begin = 0; begin < text.size(); ++lines) {
    const std::size_t end = text.find('\n', begin);
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    Bar bar{};
    if (!(line.starts_with('{') ? reader.read_json(line, bar) : reader.read_csv(line, bar))) {
      promise(!reader.fault().kind.empty() && reader.fault().offset <= line.size(), "a fault has a kind and a place");
      fuzz::promise_message(printable(reader.fault().text), "");
      ++refused;
      continue;
    }
    const auto last = stream.last();
    const auto state = stream.state();
    const StreamAnswer answer = stream.push(bar);
    if (answer.refused) {
      promise(!stream.describe(*answer.refused, bar).empty(), "a refusal says why");
      promise(stream.last() == last, "a bar that is refused changes nothing");
      ++refused;
      continue;
    }
    reader.accept();
    promise(!last || bar.time_ns > last->time_ns, "time goes on");
    promise(answer.missing >= 0, "no less than nothing is missing");
    resumed.restore(state);
    const StreamAnswer again = resumed.push(bar);
    promise(!again.refused && again.missing == answer.missing, "a stream goes on from its state");
    promise(again.decision.exposure == answer.decision.exposure && again.decision.reason == answer.decision.reason,
            "with the same decision");
    promise(resumed.state() == stream.state(), "and to the same state");
  }
  promise(stream.bars_seen() + refused == lines, "each line is decided or refused");
  if (stream.bars_seen() > 0) ++fuzz::reached();
  return 0;
}

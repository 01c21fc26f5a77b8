// Any bytes as a CSV file: they are refused, or they are valid bars that can be written and read again.

#include <exception>
#include <numeric>
#include <optional>
#include <string>

#include "bars/csv.hpp"
#include "bars/error.hpp"
#include "bars/file.hpp"
#include "bars/number.hpp"
#include "bars/time.hpp"
#include "scratch.hpp"
#include "target.hpp"

using namespace sentio;
using fuzz::promise;

namespace {

const std::filesystem::path& scratch() {
  static const test::Scratch file("fuzz.csv");
  return file.path();
}

/// The reader takes a path. The file is a fresh one: one that is cut to nothing and filled again, some file systems
/// bring to the disk at once, which takes longer than all the rest.
std::optional<CsvBars> read(std::string_view text, OnBadBar on_bad_bar) {
  std::filesystem::remove(scratch());
  std::FILE* const file = std::fopen(scratch().c_str(), "wb");
  promise(file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fclose(file) == 0,
          "the temporary folder can be written");
  try {
    return read_csv(scratch(), on_bad_bar);
  } catch (const InputError& error) {
    fuzz::promise_message(error.what(), scratch().string());
    return std::nullopt;
  }
}

/// Lines after the header, without the blank ones at the end.
std::size_t lines_of_bars(std::string_view text) {
  std::size_t lines = 0, last_with_text = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++lines;
    if (line.find_first_not_of(" \t") != std::string_view::npos) last_with_text = lines;
  }
  return last_with_text > 0 ? last_with_text - 1 : 0;
}

std::string written(const Bars& bars) {
  std::string text = "ts,open,high,low,close,volume\n";
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const Bar bar = bars[i];
    // Whole nanoseconds reach further than the four digits of a year do.
    text += bar.time_ns >= 9'000'000'000'000'000'000 || bar.time_ns <= -9'000'000'000'000'000'000
                ? std::to_string(bar.time_ns)
                : format_time(bar.time_ns);
    for (const double value : {bar.open, bar.high, bar.low, bar.close, bar.volume}) text += ',' + format_number(value);
    text += '\n';
  }
  return text;
}

bool same(const Bars& one, const Bars& other) {
  return one.time_ns == other.time_ns && one.open == other.open && one.high == other.high && one.low == other.low &&
         one.close == other.close && one.volume == other.volume;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto strict = read(text, OnBadBar::refuse);
  const auto lenient = read(text, OnBadBar::skip);
  if (!lenient) {
    promise(!strict, "what is refused when bad bars are skipped is refused anyway");
    return 0;
  }
  promise(strict.has_value() == lenient->skipped.empty(), "a file is refused where a bar would be skipped");
  promise(!strict || same(strict->bars, lenient->bars), "a good file is read alike");

  const Bars& bars = lenient->bars;
  promise(!bars.empty(), "a file without bars is refused");
  require_valid(bars.view());  // throws, and nothing catches it
  promise(bars.size() < 2 || median_interval_ns(bars.time_ns) > 0, "time goes on");
  const std::size_t dropped =
      std::accumulate(lenient->skipped.begin(), lenient->skipped.end(), std::size_t{0},
                      [](std::size_t sum, const SkippedBars& skipped) { return sum + skipped.count; });
  if (!text.starts_with("\x1f\x8b"))
    promise(bars.size() + dropped == lines_of_bars(text), "each line is a bar or is counted");

  const auto again = read(written(bars), OnBadBar::refuse);
  promise(again && same(again->bars, bars), "bars that are written are read back the same");

  // The scratch file now holds what was written: pieces of it are the whole, too.
  CsvReader reader(scratch());
  const std::size_t most = 1 + text.size() % 3;
  std::size_t begin = 0;
  for (Bars piece = reader.next(most); !piece.empty(); piece = reader.next(most)) {
    promise(begin + piece.size() <= bars.size(), "pieces are no more than the whole");
    for (std::size_t i = 0; i < piece.size(); ++i) promise(piece[i] == bars[begin + i], "pieces are the whole");
    begin += piece.size();
  }
  promise(begin == bars.size(), "pieces are no less than the whole");
  ++fuzz::reached();
  return 0;
}

#include "backtest/stream.hpp"

#include <cctype>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "backtest/text.hpp"
#include "bars/bar_line.hpp"
#include "bars/csv.hpp"
#include "bars/error.hpp"
#include "bars/file.hpp"
#include "bars/time.hpp"
#include "cli/live_lines.hpp"
#include "cli/strategy_source.hpp"
#include "cli/verbs.hpp"
#include "cli/version.hpp"
#include "features/registry.hpp"

namespace sentio::cli {
namespace {

using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char* kFormat = "1.0";  ///< of the lines on standard output

struct Arguments {
  StrategyArguments strategy;
  std::string input = "auto";
  std::string state, warm, session;
  std::int64_t save_every = 1;
  std::optional<double> interval_s;
};

/// NaN, not known yet, is null.
json number(double value) { return std::isnan(value) ? json() : json(value); }

json time_or_null(const std::optional<Bar>& bar) { return bar ? json(format_time(bar->time_ns)) : json(); }

json interval_json(std::int64_t interval_ns) {
  return interval_ns > 0 ? json(static_cast<double>(interval_ns) / static_cast<double>(kSecondNs)) : json();
}

StreamCounts since(const StreamCounts& before, StreamCounts now) {
  now.decisions -= before.decisions;
  now.gaps -= before.gaps;
  now.missing_bars -= before.missing_bars;
  for (std::size_t i = 0; i < now.refused.size(); ++i) now.refused[i] -= before.refused[i];
  return now;
}

json errors_json(StreamCounts counts) {
  auto errors = json::object();
  for (const Refusal kind : kRefusals)
    if (counts.of(kind) > 0) errors[std::string(name_of(kind))] = counts.of(kind);
  return errors;
}

json counts_json(const StreamCounts& counts) {
  return {{"decisions", counts.decisions},
          {"errors", errors_json(counts)},
          {"gaps", counts.gaps},
          {"missing_bars", counts.missing_bars}};
}

/// Answers each line of standard input with lines on standard output.
class Session {
 public:
  Session(const Arguments& arguments, ReadyStrategy ready)
      : arguments_(arguments), ready_(std::move(ready)), stream_(make_stream(arguments_, ready_)) {
    const bool found = resume();
    const json warmed = warm();
    before_ = stream_.counts();
    if (!arguments_.state.empty()) save();  // where no state can be kept, no bar is decided
    tell({{"type", "start"},
          {"format", kFormat},
          {"program", program_version()},
          {"engine", kEngineVersion},
          {"strategy", ready_.fingerprint},
          {"label", ready_.label},
          {"session", session_},
          {"interval_s", interval_json(stream_.interval_ns())},
          {"warmup_bars", stream_.strategy().warmup()},
          {"settle_bars", ready_.settle_bars ? json(*ready_.settle_bars) : json()},
          {"state", arguments.state.empty() ? json() : json{{"file", file_name(arguments.state)}, {"found", found}}},
          {"warm", warmed},
          {"bars", stream_.bars_seen()},
          {"last", time_or_null(stream_.last())}});
  }

  void run() {
    LiveLines lines;
    for (LiveLines::Line line; lines.next(line);) {
      ++line_number_;
      answer(line);
    }
    if (!arguments_.state.empty()) save();
    const StreamCounts run = since(before_, stream_.counts());
    tell({{"type", "end"},
          {"reason", lines.why_ended()},
          {"bars", stream_.bars_seen()},
          {"last", time_or_null(stream_.last())},
          {"run", counts_json(run)},
          {"total", counts_json(stream_.counts())}});
    summarise(run);
  }

 private:
  static std::string file_name(const std::string& path) { return fs::path(path).filename().string(); }

  Stream make_stream(const Arguments& a, ReadyStrategy& ready) {
    session_ = a.session.empty() ? ready.session : a.session;
    return {std::move(ready.strategy), ready.fingerprint.dump(), session_calendar(session_),
            a.interval_s ? a.interval_s : ready.bar_interval_s};
  }

  /// Whether there was a state to go on from.
  bool resume() {
    if (arguments_.state.empty() || !fs::exists(arguments_.state)) return false;
    const std::string bytes = read_file(arguments_.state);
    try {
      stream_.restore(std::as_bytes(std::span(bytes)));
    } catch (const InputError& error) {
      throw InputError(arguments_.state + ": " + error.what());
    }
    return true;
  }

  json warm() {
    if (arguments_.warm.empty()) return nullptr;
    const CsvBars csv = read_csv(arguments_.warm);
    const std::size_t taken = stream_.warm(csv.bars.view());
    return {{"file", file_name(arguments_.warm)},
            {"bars", taken},
            {"first", format_time(csv.bars.time_ns.front())},
            {"last", format_time(csv.bars.time_ns.back())}};
  }

  void answer(const LiveLines::Line& line) {
    Bar bar{};
    if (line.too_long) return refuse_line({"line is too long", 0, "line is longer than 1 MiB"});
    // A field that was cut off reads as another number; an object that was cut off is none.
    if (!line.ended && !is_json(line.text))
      return refuse_line({"line is cut off", line.text.size(), "the input ends within the line, which may be cut off"});
    if (is_header(line.text)) return;
    if (!(is_json(line.text) ? reader_.read_json(line.text, bar) : reader_.read_csv(line.text, bar)))
      return refuse_line(reader_.fault());
    const std::optional<Bar> before = stream_.last();
    const StreamAnswer answer = stream_.push(bar);
    if (answer.refused) {
      return tell({{"type", "error"},
                   {"kind", name_of(*answer.refused)},
                   {"line", line_number_},
                   {"time", format_time(bar.time_ns)},
                   {"message", place(1) + stream_.describe(*answer.refused, bar)}});
    }
    reader_.accept();
    if (answer.missing > 0) {
      text_ = json{{"type", "gap"},
                   {"after", time_or_null(before)},
                   {"before", format_time(bar.time_ns)},
                   {"missing_bars", answer.missing},
                   {"interval_s", interval_json(stream_.interval_ns())}}
                  .dump() +
              '\n';
    }
    tell({{"type", "decision"},
          {"bar", stream_.bars_seen()},
          {"time", format_time(bar.time_ns)},
          {"exposure", answer.decision.exposure},
          {"probability", number(answer.decision.probability)},
          {"logit", number(answer.decision.logit)},
          {"reason", answer.decision.reason}});
    if (!arguments_.state.empty() && stream_.bars_seen() % arguments_.save_every == 0) save();
  }

  bool is_json(std::string_view line) const {
    if (arguments_.input != "auto") return arguments_.input == "jsonl";
    return trimmed(line).starts_with('{');
  }

  /// Takes a header. A feed may send one at its begin, or again when it has been opened anew.
  bool is_header(std::string_view line) {
    if (line_number_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    std::string_view start = trimmed(line);
    if (start.starts_with('"')) start.remove_prefix(1);
    const bool letter = !start.empty() && std::isalpha(static_cast<unsigned char>(start.front())) != 0;
    if (!letter || is_json(line)) return false;
    const auto fault = reader_.read_header(line);
    // Lines of columns that are not known would be read wrongly.
    if (fault && line_number_ == 1) throw InputError(place(fault->offset + 1) + fault->text);
    return !fault;
  }

  void refuse_line(const LineFault& fault) {
    stream_.count_bad_line();
    tell({{"type", "error"},
          {"kind", name_of(Refusal::bad_line)},
          {"line", line_number_},
          {"message", place(fault.offset + 1) + printable(fault.text)}});
  }

  [[nodiscard]] std::string place(std::size_t column) const {
    return "stdin:" + std::to_string(line_number_) + ":" + std::to_string(column) + ": ";
  }

  /// Writes a line, and what waits before it, at once.
  void tell(const json& line) {
    text_ += line.dump() + '\n';
    if (!(std::cout << text_ << std::flush)) throw std::runtime_error("stdout: cannot be written");
    text_.clear();
  }

  void save() { write_file_durably(arguments_.state, stream_.state()); }

  void summarise(const StreamCounts& run) const {
    const json errors = errors_json(run);
    if (errors.empty()) return;
    std::string text;
    for (const auto& [kind, count] : errors.items()) text += (text.empty() ? "" : ", ") + kind + " " + count.dump();
    std::cerr << "sentio_cli: warning: lines refused: " << text << '\n';
  }

  const Arguments& arguments_;
  ReadyStrategy ready_;
  std::string session_;
  Stream stream_;
  StreamCounts before_;
  BarLineReader reader_;
  std::size_t line_number_ = 0;
  std::string text_;  ///< waits to be written
};

void run(const Arguments& arguments) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is an error with a message
  ReadyStrategy ready = make_strategy(arguments.strategy);
  for (const std::string& warning : ready.warnings) std::cerr << "sentio_cli: warning: " << warning << '\n';
  Session(arguments, std::move(ready)).run();
}

}  // namespace

void add_stream(CLI::App& app) {
  auto* verb = app.add_subcommand("stream", "Runs a strategy live: bars on stdin, one JSON decision a line on stdout");
  auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  add_strategy_options(*verb, a.strategy);
  verb->add_option("--input", a.input, "Lines of stdin: CSV (ts,open,high,low,close,volume or with a header) or JSON")
      ->check(CLI::IsMember({"auto", "csv", "jsonl"}))
      ->capture_default_str();
  verb->add_option("--warm", a.warm, "Bars file, CSV or gzip, to take first, without decisions");
  auto* const state = verb->add_option("--state", a.state, "File to go on from, if it exists, and to keep up to date");
  verb->add_option("--save-every", a.save_every, "Write the state at the start, after each N bars, and at the end")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}))
      ->needs(state)
      ->capture_default_str();
  std::vector<std::string> calendars;
  for (const SessionCalendar& calendar : session_calendars()) calendars.push_back(calendar.name);
  verb->add_option("--session", a.session, "Calendar that gaps are judged by (default: the model's, or us_equity)")
      ->check(CLI::IsMember(calendars));
  verb->add_option("--interval", a.interval_s, "Seconds from bar to bar (default: the model's, or the usual ones)");
  verb->footer(
      "Each line on stdout is one JSON object, told apart by its \"type\": start, decision, error, gap, end.\n"
      "A line that cannot be taken is answered with an error and changes nothing; the stream goes on. It ends\n"
      "with its input, or by SIGINT or SIGTERM, and writes its state then.");
  verb->callback([arguments] { run(*arguments); });
}

}  // namespace sentio::cli

#include "bars/csv.hpp"

#include <limits>
#include <optional>
#include <string_view>
#include <system_error>

#include "bars/bar_line.hpp"
#include "bars/error.hpp"
#include "bars/file.hpp"
#include "bars/json.hpp"
#include "bars/line_source.hpp"

namespace sentio {
namespace {

class Reader {
 public:
  Reader(const std::filesystem::path& path, OnBadBar on_bad_bar)
      : path_(path.string()), on_bad_bar_(on_bad_bar), lines_(path) {
    read_header();
  }

  Bars next(std::size_t max_bars) {
    Bars bars;
    std::string_view line;
    while (bars.size() < max_bars && next_line(line)) {
      if (trimmed(line).empty()) {  // fine at the end of a file, nowhere else
        ++empty_lines_;
        continue;
      }
      for (; empty_lines_ > 0; --empty_lines_)
        complain(LineFault{"empty line", 0, "empty line between bars"}, line_number_ - empty_lines_);
      Bar bar;
      if (const auto fault = read(line, bar)) {
        complain(*fault, line_number_);
      } else {
        bars.push_back(bar);
        previous_ns_ = bar.time_ns;
        bar_lines_.accept();
      }
    }
    if (!previous_ns_ && max_bars > 0) {
      const std::string dropped = skipped_.empty() ? "" : "; first bad one: " + skipped_.front().first;
      throw InputError(path_ + ": has no valid bars" + dropped);
    }
    return bars;
  }

  [[nodiscard]] const std::vector<SkippedBars>& skipped() const { return skipped_; }

 private:
  bool next_line(std::string_view& line) {
    if (!lines_.next(line)) return false;
    ++line_number_;
    return true;
  }

  [[nodiscard]] std::string place(std::size_t line, std::size_t column) const {
    return path_ + ':' + std::to_string(line) + ':' + std::to_string(column) + ": ";
  }

  void read_header() {
    std::string_view line;
    if (!next_line(line)) throw InputError(path_ + ": is empty");
    if (line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    if (const auto fault = bar_lines_.read_header(line)) throw InputError(place(1, fault->offset + 1) + fault->text);
  }

  /// Reads one line into `bar`; what is wrong if it is not a valid bar.
  std::optional<LineFault> read(std::string_view line, Bar& bar) {
    if (!bar_lines_.read_csv(line, bar)) return bar_lines_.fault();
    const auto fault = fault_of(bar, previous_ns_);
    if (!fault) return std::nullopt;
    return bar_lines_.fault_of_bar(*fault, line, bar, previous_ns_);
  }

  void complain(const LineFault& fault, std::size_t line) {
    const std::string message = place(line, fault.offset + 1) + fault.text;
    if (on_bad_bar_ == OnBadBar::refuse) throw InputError(message);
    for (auto& skipped : skipped_) {
      if (skipped.kind != fault.kind) continue;
      ++skipped.count;
      return;
    }
    skipped_.push_back({fault.kind, 1, printable(message)});
  }

  std::string path_;
  OnBadBar on_bad_bar_;
  LineSource lines_;
  std::size_t line_number_ = 0;
  BarLineReader bar_lines_;
  std::optional<std::int64_t> previous_ns_;  ///< time of the last bar; none before the first
  std::size_t empty_lines_ = 0;              ///< since the last line that was not empty
  std::vector<SkippedBars> skipped_;
};

}  // namespace

struct CsvReader::State {
  Reader reader;
};

CsvReader::CsvReader(const std::filesystem::path& path, OnBadBar on_bad_bar)
    : state_(std::make_unique<State>(State{Reader(path, on_bad_bar)})) {}
CsvReader::CsvReader(CsvReader&&) noexcept = default;
CsvReader& CsvReader::operator=(CsvReader&&) noexcept = default;
CsvReader::~CsvReader() = default;

Bars CsvReader::next(std::size_t max_bars) { return state_->reader.next(max_bars); }

const std::vector<SkippedBars>& CsvReader::skipped() const { return state_->reader.skipped(); }

CsvBars read_csv(const std::filesystem::path& path, OnBadBar on_bad_bar) {
  CsvReader reader(path, on_bad_bar);
  Bars bars = reader.next(std::numeric_limits<std::size_t>::max());
  return {std::move(bars), reader.skipped(), synthetic_mark(path)};
}

nlohmann::json synthetic_mark(std::filesystem::path path) {
  path += ".synthetic.json";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return nullptr;
  nlohmann::json mark = parse_json(read_file(path), path.string());
  if (!mark.is_object()) throw InputError(path.string() + ": must be a JSON object, found " + shown(mark));
  return mark;
}

}  // namespace sentio

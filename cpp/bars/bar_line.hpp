#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bars/bar.hpp"

namespace sentio {

/// What a line did wrong: the kind is counted, the rest is shown.
struct LineFault {
  std::string kind;    ///< "high is not a number"
  std::size_t offset;  ///< characters from the line's begin
  std::string text;    ///< "high is not a number: '2x'"
};

/// Reads bars from single lines, CSV or JSON. Names, aliases and times are those that CsvReader states.
class BarLineReader {
 public:
  /// Expects lines of `ts,open,high,low,close,volume` until a header says otherwise.
  BarLineReader();
  BarLineReader(BarLineReader&&) noexcept;
  BarLineReader& operator=(BarLineReader&&) noexcept;
  ~BarLineReader();

  /// Takes the columns of a CSV header; what is wrong with it, if anything: then they
  /// stay as they are.
  [[nodiscard]] std::optional<LineFault> read_header(std::string_view line);

  /// Reads one CSV line into `bar`; false with `fault()` set if its fields cannot be read. The character behind the
  /// line must be readable and no digit. Whether the bar is a valid one is for the caller to ask.
  [[nodiscard]] bool read_csv(std::string_view line, Bar& bar);

  /// The same of a line with one JSON object, {"ts": ..., "open": ...}: values are numbers or texts, other keys are
  /// ignored.
  [[nodiscard]] bool read_json(std::string_view line, Bar& bar);

  /// The bar read last was taken: the unit that its epoch number counts in is that of all that follow.
  void accept();

  [[nodiscard]] const LineFault& fault() const;

  /// What is wrong with a bar that a CSV line holds, at the field to blame.
  [[nodiscard]] LineFault fault_of_bar(BarFault fault, std::string_view line, const Bar& bar,
                                       std::optional<std::int64_t> previous_ns);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Which of `ts open high low close volume` a header means by `name`, in any case and by its aliases; none of them: no
/// value.
[[nodiscard]] std::optional<std::string_view> bar_column(std::string_view name);

/// Nanoseconds of the unit that an epoch number is counted in, told by its size: 1e9 for seconds, 1 for nanoseconds.
[[nodiscard]] std::int64_t epoch_unit_ns(std::int64_t epoch);

/// Without the blanks and tabs at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

}  // namespace sentio

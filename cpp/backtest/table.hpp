#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sentio {

inline constexpr std::size_t kTextWidth = 100;

enum class Tone { plain, good, bad, strong };

/// `text` in the colour of `tone`, or as it is.
[[nodiscard]] std::string toned(std::string_view text, Tone tone, bool colour);

/// Good above 0, bad below it.
[[nodiscard]] Tone tone_of(std::optional<double> value);

/// Breaks `text` at spaces into lines of at most kTextWidth columns, every line indented, each ended by '\n'.
/// The first line starts with `lead` in place of as much of the indent.
[[nodiscard]] std::string wrapped(std::string_view lead, std::string_view text, std::size_t indent);

/// Text in columns, two spaces apart; the first column is aligned left, the others right unless said otherwise.
class Table {
 public:
  struct Cell {
    std::string text;
    Tone tone = Tone::plain;
  };

  explicit Table(std::vector<std::string> header, bool align_left = false);

  void add(std::vector<Cell> row);

  /// Each line indented by two and ended by '\n', without trailing spaces.
  [[nodiscard]] std::string text(bool colour) const;

 private:
  std::vector<std::vector<Cell>> rows_;
  bool align_left_;
};

}  // namespace sentio

#include "backtest/table.hpp"

#include <algorithm>

namespace sentio {
namespace {

constexpr std::string_view kGap = "  ";

void trim_right(std::string& text) { text.erase(text.find_last_not_of(' ') + 1); }

}  // namespace

std::string toned(std::string_view text, Tone tone, bool colour) {
  if (!colour || tone == Tone::plain) return std::string(text);
  const char* const code = tone == Tone::good ? "\033[32m" : tone == Tone::bad ? "\033[31m" : "\033[1m";
  return code + std::string(text) + "\033[0m";
}

Tone tone_of(std::optional<double> value) {
  if (!value || *value == 0.0) return Tone::plain;
  return *value > 0.0 ? Tone::good : Tone::bad;
}

std::string wrapped(std::string_view lead, std::string_view text, std::size_t indent) {
  std::string result, line(lead);
  line.resize(std::max(line.size(), indent), ' ');
  bool starts = true;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    if (!starts && line.size() + 1 + word.size() > kTextWidth) {
      result += line + '\n';
      line.assign(indent, ' ');
      starts = true;
    }
    if (!starts) line += ' ';
    line += word;
    starts = false;
  }
  trim_right(line);
  return result + line + '\n';
}

Table::Table(std::vector<std::string> header, bool align_left) : align_left_(align_left) {
  std::vector<Cell> row;
  for (std::string& title : header) row.push_back({std::move(title), Tone::strong});
  rows_.push_back(std::move(row));
}

void Table::add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }

std::string Table::text(bool colour) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].text.size());
  }
  std::string result;
  for (const auto& row : rows_) {
    std::string line(kGap);
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool left = i == 0 || align_left_;
      const std::string padding(widths[i] - row[i].text.size(), ' ');
      if (i > 0) line += kGap;
      if (!left) line += padding;
      line += toned(row[i].text, row[i].text.empty() ? Tone::plain : row[i].tone, colour);
      if (left) line += padding;
    }
    trim_right(line);
    result += line + '\n';
  }
  return result;
}

}  // namespace sentio

#include "bars/bar_line.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "bars/error.hpp"
#include "bars/json.hpp"
#include "bars/number.hpp"
#include "bars/time.hpp"

namespace sentio {
namespace {

enum Role : int { kTs, kOpen, kHigh, kLow, kClose, kVolume, kRoles, kIgnored };

struct RoleNames {
  std::string_view name;
  std::array<std::string_view, 6> aliases;
};

constexpr std::array<RoleNames, kRoles> kNames{{
    {"ts", {"ts", "timestamp", "date", "time", "datetime", "t"}},
    {"open", {"open", "o"}},
    {"high", {"high", "h"}},
    {"low", {"low", "l"}},
    {"close", {"close", "c"}},
    {"volume", {"volume", "v", "vol"}},
}};

enum class EpochUnit : std::int64_t { unknown = 0, s = kSecondNs, ms = 1'000'000, us = 1'000, ns = 1 };

const char* unit_name(EpochUnit unit) {
  switch (unit) {
    case EpochUnit::s: return "s";
    case EpochUnit::ms: return "ms";
    case EpochUnit::us: return "us";
    case EpochUnit::ns: return "ns";
    case EpochUnit::unknown: break;
  }
  return "unknown";
}

/// 1e11 s is the year 5138, and 1e11 ms is March 1973: between two limits only one unit gives a sensible date.
EpochUnit unit_of(std::int64_t whole) {
  const auto bits = static_cast<std::uint64_t>(whole), size = whole < 0 ? 0 - bits : bits;
  if (size < 100'000'000'000U) return EpochUnit::s;
  if (size < 100'000'000'000'000U) return EpochUnit::ms;
  if (size < 100'000'000'000'000'000U) return EpochUnit::us;
  return EpochUnit::ns;
}

/// `[-]digits[.digits]`, exact: the whole part and the fraction in billionths.
struct Epoch {
  std::int64_t whole, billionths;
};

std::optional<Epoch> parse_epoch(std::string_view text) {
  const std::size_t point = std::min(text.find('.'), text.size());
  std::int64_t whole = 0;
  const char* const end = text.data() + point;
  const auto [stop, error] = std::from_chars(text.data(), end, whole);
  if (error != std::errc() || stop != end || whole == std::numeric_limits<std::int64_t>::min()) return std::nullopt;
  std::int64_t billionths = 0, unit = kSecondNs;
  for (const char c : text.substr(std::min(point + 1, text.size()))) {
    if (c < '0' || c > '9') return std::nullopt;
    unit /= 10;
    billionths += (c - '0') * unit;  // digits beyond the ninth are below a nanosecond
  }
  return Epoch{whole, text.front() == '-' ? -billionths : billionths};
}

/// `YYYY-MM-DDTHH:MM:SSZ`, the usual form, checked by the general parser only once a day.
class IsoReader {
 public:
  std::optional<std::int64_t> read(std::string_view text) {
    constexpr std::size_t kDate = 10, kFull = 20;
    if (text.size() != kFull || text[19] != 'Z' || text.substr(0, kDate) != std::string_view(date_)) {
      const auto time = parse_iso_time(text);
      if (time && text.size() == kFull && text[19] == 'Z') {
        date_ = text.substr(0, kDate);
        midnight_ns_ = *parse_iso_time(date_);
      }
      return time;
    }
    const auto pair = [&](std::size_t at) {
      const int tens = text[at] - '0', ones = text[at + 1] - '0';
      return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? 99 : tens * 10 + ones;
    };
    const int hour = pair(11), minute = pair(14), second = pair(17);
    if (text[13] != ':' || text[16] != ':' || hour > 23 || minute > 59 || second > 59) return std::nullopt;
    if (text[10] != 'T' && text[10] != 't' && text[10] != ' ') return std::nullopt;
    return midnight_ns_ + ((hour * 60 + minute) * std::int64_t{60} + second) * kSecondNs;
  }

 private:
  std::string date_;
  std::int64_t midnight_ns_ = 0;
};

std::string quoted(std::string_view text) { return '\'' + std::string(text.substr(0, 40)) + '\''; }

/// The fields of a line as they stand, quotes and all; a comma inside quotes does not part fields.
void split(std::string_view line, std::vector<std::string_view>& fields) {
  fields.clear();
  std::size_t begin = 0;
  bool in_quotes = false;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    if (i < line.size() && line[i] == '"') in_quotes = !in_quotes;
    if (i < line.size() && (line[i] != ',' || in_quotes)) continue;
    fields.push_back(line.substr(begin, i - begin));
    begin = i + 1;
  }
}

std::string_view content(std::string_view field) {
  field = trimmed(field);
  if (field.size() >= 2 && field.front() == '"' && field.back() == '"')
    field = trimmed(field.substr(1, field.size() - 2));
  return field;
}

std::string lowered(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return lower;
}

int role_of(std::string_view lower_name) {
  for (std::size_t role = 0; role < kRoles; ++role)
    for (const std::string_view alias : kNames[role].aliases)
      if (!alias.empty() && alias == lower_name) return static_cast<int>(role);
  return kIgnored;
}

}  // namespace

struct BarLineReader::State {
  State() {
    for (int role = kTs; role < kRoles; ++role) roles_.push_back(role);
  }

  std::optional<LineFault> read_header(std::string_view line) {
    split(line, fields_);
    std::vector<int> roles;
    std::array<std::string, kRoles> found;
    for (const std::string_view field : fields_) {
      const std::string name = lowered(content(field));
      const int role = role_of(name);
      if (role < kRoles) {
        auto& first = found[static_cast<std::size_t>(role)];
        if (!first.empty())
          return LineFault{"two columns of one kind", offset_of(line, field),
                           "two columns give " + std::string(kNames[static_cast<std::size_t>(role)].name) +
                               ", found '" + first + "' and '" + name + "'"};
        first = name;
      }
      roles.push_back(role);
    }
    for (std::size_t role = 0; role < kRoles; ++role)
      if (found[role].empty())
        return LineFault{"a column is missing", 0,
                         "the header has no column " + std::string(kNames[role].name) + ", found " + quoted(line)};
    roles_ = std::move(roles);
    return std::nullopt;
  }

  bool read_csv(std::string_view line, Bar& bar) {
    line_unit_ = unit_;
    return parse_plain(line, bar) || parse_general(line, bar);
  }

  bool read_json(std::string_view line, Bar& bar) {
    line_unit_ = unit_;
    nlohmann::json object;
    try {
      object = parse_json(line, "line");
    } catch (const InputError& error) {
      fault_ = {"not valid JSON", 0, error.what()};
      return false;
    }
    if (!object.is_object()) {
      fault_ = {"not a JSON object", 0, "must be an object with the keys ts, open, ..., found " + shown(object)};
      return false;
    }
    std::array<std::string, kRoles> found;
    for (const auto& [key, value] : object.items()) {
      const int role = role_of(lowered(key));
      if (role == kIgnored) continue;
      auto& first = found[static_cast<std::size_t>(role)];
      const std::string name(kNames[static_cast<std::size_t>(role)].name);
      if (!first.empty()) {
        fault_ = {"two keys of one kind", 0, "two keys give " + name + ", found '" + first + "' and '" + key + "'"};
        return false;
      }
      first = key;
      // A number's own text is taken: a time in nanoseconds has more digits than a double.
      const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
      if (!read_field(role, trimmed(text), 0, bar)) return false;
    }
    for (std::size_t role = 0; role < kRoles; ++role) {
      if (!found[role].empty()) continue;
      const std::string name(kNames[role].name);
      fault_ = {name + " is missing", 0, "key '" + name + "' is missing, found " + shown(object)};
      return false;
    }
    return true;
  }

  [[nodiscard]] LineFault fault_of_bar(BarFault fault, std::string_view line, const Bar& bar,
                                       std::optional<std::int64_t> previous_ns) {
    split(line, fields_);
    const auto field = static_cast<std::size_t>(
        std::find(roles_.begin(), roles_.end(), static_cast<int>(role_at_fault(fault))) - roles_.begin());
    // A line of JSON has no columns.
    const std::size_t offset = fields_.size() == roles_.size() ? offset_of(line, fields_[field]) : 0;
    return {kind_name(fault), offset, describe(fault, bar, previous_ns)};
  }

  static Role role_at_fault(BarFault fault) {
    switch (fault) {
      case BarFault::bad_open: return kOpen;
      case BarFault::bad_high:
      case BarFault::high_below_body: return kHigh;
      case BarFault::bad_low:
      case BarFault::low_above_body: return kLow;
      case BarFault::bad_close: return kClose;
      case BarFault::bad_volume: return kVolume;
      case BarFault::time_not_later: break;
    }
    return kTs;
  }

  /// The usual line: no quotes, no blanks, no exponents, as many fields as the header. False on anything else, right
  /// or wrong, and parse_general then tells which.
  bool parse_plain(std::string_view line, Bar& bar) {
    const char* p = line.data();
    const char* const end = p + line.size();
    for (std::size_t i = 0; i < roles_.size(); ++i) {
      if (i > 0 && (p == end || *p++ != ',')) return false;
      const int role = roles_[i];
      if (role == kTs || role == kIgnored) {
        const char* const begin = p;
        while (p != end && *p != ',' && *p != '"') ++p;
        if (p != end && *p == '"') return false;
        if (role == kTs && !parse_time({begin, static_cast<std::size_t>(p - begin)}, bar.time_ns)) return false;
      } else {
        if (!parse_plain_number(p, value_of(bar, role))) return false;
      }
    }
    return p == end;
  }

  bool parse_general(std::string_view line, Bar& bar) {
    split(line, fields_);
    if (fields_.size() != roles_.size()) {
      const bool few = fields_.size() < roles_.size();
      fault_ = {few ? "too few fields" : "too many fields", few ? line.size() : offset_of(line, fields_[roles_.size()]),
                "expected " + std::to_string(roles_.size()) + " fields as in the header, found " +
                    std::to_string(fields_.size())};
      return false;
    }
    for (std::size_t i = 0; i < roles_.size(); ++i) {
      const std::string_view text = content(fields_[i]);
      const std::size_t offset = offset_of(line, fields_[i]);
      const int role = roles_[i];
      if (role == kIgnored) continue;
      if (!read_field(role, text, offset, bar)) return false;
    }
    return true;
  }

  bool read_field(int role, std::string_view text, std::size_t offset, Bar& bar) {
    const std::string name(kNames[static_cast<std::size_t>(role)].name);
    if (text.empty()) {
      fault_ = {name + " is missing", offset, name + " is missing, found an empty field"};
      return false;
    }
    if (role == kTs) {
      if (parse_time(text, bar.time_ns)) return true;
      fault_ = {"ts is not a time", offset, time_complaint(text)};
      return false;
    }
    const auto value = parse_number(text);
    if (!value) {
      fault_ = {name + " is not a number", offset, name + " is not a number: " + quoted(text)};
      return false;
    }
    value_of(bar, role) = *value;
    return true;
  }

  static double& value_of(Bar& bar, int role) {
    switch (role) {
      case kOpen: return bar.open;
      case kHigh: return bar.high;
      case kLow: return bar.low;
      case kClose: return bar.close;
      default: return bar.volume;
    }
  }

  static std::size_t offset_of(std::string_view line, std::string_view field) {
    return static_cast<std::size_t>(field.data() - line.data());
  }

  bool parse_time(std::string_view text, std::int64_t& time_ns) {
    if (text.empty()) return false;
    if (text.size() > 4 && text[4] == '-') {
      const auto time = iso_.read(text);
      if (time) time_ns = *time;
      return time.has_value();
    }
    const auto epoch = parse_epoch(text);
    if (!epoch) return false;
    const EpochUnit unit = unit_of(epoch->whole);
    if (unit_ != EpochUnit::unknown && unit != unit_) return false;
    line_unit_ = unit;
    const auto scale = static_cast<std::int64_t>(unit);
    if (std::abs(epoch->whole) > std::numeric_limits<std::int64_t>::max() / scale - 1) return false;
    time_ns = epoch->whole * scale + epoch->billionths / (kSecondNs / scale);
    return true;
  }

  [[nodiscard]] std::string time_complaint(std::string_view text) const {
    const auto epoch = parse_epoch(text);
    if (epoch && unit_ != EpochUnit::unknown && unit_of(epoch->whole) != unit_)
      return std::string("ts changes its unit from ") + unit_name(unit_) + " to " + unit_name(unit_of(epoch->whole)) +
             ": " + quoted(text);
    return "ts is neither ISO-8601 nor an epoch number: " + quoted(text);
  }

  std::vector<int> roles_;                ///< what each field of a line means
  std::vector<std::string_view> fields_;  ///< of the line at hand, where the plain way did not do
  IsoReader iso_;
  EpochUnit unit_ = EpochUnit::unknown;  ///< of the bars so far; a bar that is dropped does not decide it
  EpochUnit line_unit_ = EpochUnit::unknown;
  LineFault fault_;
};

BarLineReader::BarLineReader() : state_(std::make_unique<State>()) {}
BarLineReader::BarLineReader(BarLineReader&&) noexcept = default;
BarLineReader& BarLineReader::operator=(BarLineReader&&) noexcept = default;
BarLineReader::~BarLineReader() = default;

std::optional<LineFault> BarLineReader::read_header(std::string_view line) { return state_->read_header(line); }
bool BarLineReader::read_csv(std::string_view line, Bar& bar) { return state_->read_csv(line, bar); }
bool BarLineReader::read_json(std::string_view line, Bar& bar) { return state_->read_json(line, bar); }
void BarLineReader::accept() { state_->unit_ = state_->line_unit_; }
const LineFault& BarLineReader::fault() const { return state_->fault_; }

LineFault BarLineReader::fault_of_bar(BarFault fault, std::string_view line, const Bar& bar,
                                      std::optional<std::int64_t> previous_ns) {
  return state_->fault_of_bar(fault, line, bar, previous_ns);
}

std::optional<std::string_view> bar_column(std::string_view name) {
  const int role = role_of(lowered(name));
  return role == kIgnored ? std::nullopt : std::optional(kNames[static_cast<std::size_t>(role)].name);
}

std::int64_t epoch_unit_ns(std::int64_t epoch) { return static_cast<std::int64_t>(unit_of(epoch)); }

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace sentio

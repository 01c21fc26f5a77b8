#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bars/number.hpp"
#include "features/registry.hpp"

namespace sentio::fuzz {

/// Reads bytes as choices and writes the spec that they choose. Mutated text seldom is a spec; choices always are one.
class SpecOfChoices {
 public:
  explicit SpecOfChoices(std::span<const std::uint8_t> choices) : choices_(choices) {}

  [[nodiscard]] std::string json() {
    do add_features();
    while (!choices_.empty() && count_ < kMostFeatures);
    return R"({"features": [)" + features_ + R"(], "alignment_policy": {"emit_from_index": 0}})";
  }

 private:
  static constexpr std::size_t kMostFeatures = 120;

  /// 0 where the choices have come to their end.
  std::size_t below(std::size_t limit) {
    if (choices_.empty()) return 0;
    const std::uint8_t choice = choices_.front();
    choices_ = choices_.subspan(1);
    return choice % limit;
  }

  /// One feature or, for one choice in four, a chain of equal ones in which each reads the one before: what grows with
  /// each step shows only after many.
  void add_features() {
    const Op& op = ops()[below(ops().size())];
    constexpr std::array<std::size_t, 3> kChains = {4, 30, 100};
    const std::size_t chain = below(4) == 3 && op.sources > 0 ? kChains[below(kChains.size())] : 1;
    const std::string source = this->source(), other = this->source(), params = params_of(op);
    constexpr std::array<std::string_view, 8> kEnds = {
        "", R"(, "as": "relative")", R"(, "as": "per_close")", R"(, "as": "per_volume")", R"(, "emit": false)", "", "",
        ""};
    const std::string_view end = kEnds[below(kEnds.size())];
    for (std::size_t i = 0; i < chain && count_ < kMostFeatures; ++i) {
      const std::string first = i == 0 ? source : name(count_ - 1);
      features_ += (count_ == 0 ? "" : ", ") + (R"({"name": ")" + name(count_) + R"(", "op": ")" + op.name + '"');
      if (op.sources == 1) features_ += R"(, "source": ")" + first + '"';
      if (op.sources == 2)
        features_ += R"(, "sources": [")" + first + R"(", ")" + (other == source ? first : other) + "\"]";
      // At least one feature must be emitted.
      features_ += params + std::string(count_ == 0 ? "" : end) + '}';
      ++count_;
    }
  }

  [[nodiscard]] static std::string name(std::size_t i) { return "f" + std::to_string(i); }

  /// Half of the time the feature before, so that features build on one another.
  std::string source() {
    constexpr std::array<const char*, 9> kBuiltIns = {"close", "open", "high",  "low",   "volume",
                                                      "hl2",   "hlc3", "ohlc4", "logret"};
    const std::size_t kind = below(4);
    if (count_ == 0 || kind == 0) return kBuiltIns[below(kBuiltIns.size())];
    return name(kind == 1 ? below(count_) : count_ - 1);
  }

  /// With its comma; empty, for the defaults, where the op refuses them together.
  std::string params_of(const Op& op) {
    std::string text;
    std::vector<double> values;
    for (const Param& param : op.params) {
      values.push_back(value_of(param));
      text += ", \"" + param.name + "\": ";
      text += param.choices.empty() ? format_number(values.back())
                                    : '"' + param.choices[static_cast<std::size_t>(values.back())] + '"';
    }
    return op.fault != nullptr && !op.fault(values).empty() ? "" : text;
  }

  double value_of(const Param& param) {
    if (!param.choices.empty()) return static_cast<double>(below(param.choices.size()));
    const std::size_t kind = below(8);
    if (kind == 0) return param.fallback;
    if (param.integer) {
      // Short windows, that many features fit into the bars; now and then one that is longer than all of them.
      const std::size_t above = kind == 1 ? 4 * below(256) : kind == 2 ? below(20) : below(3);
      return std::min(param.max, param.min + static_cast<double>(above));
    }
    constexpr std::array<double, 8> kNumbers = {0.0, 1.0, -1.0, 0.1, 1e10, -1e10, 1e300, -1e300};
    return kind == 1   ? param.min
           : kind == 2 ? param.max
                       : std::clamp(kNumbers[below(kNumbers.size())], param.min, param.max);
  }

  std::span<const std::uint8_t> choices_;
  std::string features_;
  std::size_t count_ = 0;
};

}  // namespace sentio::fuzz

#pragma once

#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <span>
#include <utility>

#include "artifact_files.hpp"

namespace sentio::test {

inline std::string repeated(std::string_view text, std::size_t count) {
  std::string all;
  for (; count > 0; --count) all += text;
  return all;
}

/// Spoils an artifact in the way that bytes choose.
class Breaker {
 public:
  explicit Breaker(std::span<const std::uint8_t> choices) : choices_(choices) {}

  /// Damage as disks, networks and people do it: hashes and seal stay as they were.
  void damage(Entries& entries) {
    auto& [name, entry] = *std::next(entries.begin(), offset(entries.size()));
    std::string& text = entry.content;
    const std::size_t at = below(text.size() + 1);
    switch (below(12)) {
      case 0: entries.erase(name); break;
      case 1: std::swap(entry, std::next(entries.begin(), offset(entries.size()))->second); break;
      case 2: text.resize(at); break;
      case 3: text.append(1 + at, '\0'); break;
      case 4: text.clear(); break;
      case 5: entry = {"", Entry::Kind::folder}; break;
      case 6: entry = {"", Entry::Kind::pipe}; break;
      case 7: entry = {kTargets[below(kTargets.size())], Entry::Kind::link}; break;
      case 8: text.insert(at, text.substr(0, below(64))); break;
      case 9: text.insert(at, kHostile[below(kHostile.size())]); break;
      default:
        for (std::size_t flips = 1 + below(3); flips > 0 && !text.empty(); --flips)
          text[below(text.size())] ^= static_cast<char>(1U << below(8));
    }
  }

  /// A lie: what the hashes say fits, so that deeper checks must stand it. One in metadata must be the last.
  void lie(Entries& entries, bool in_metadata = true) {
    constexpr std::array<const char*, 5> kLiars = {"model.json", "weights.bin", "feature_spec.json", "probe.json",
                                                   "metadata.json"};
    const std::string name = kLiars[below(kLiars.size() - (in_metadata ? 0 : 1))];
    std::string& text = entries.at(name).content;
    if (name == "weights.bin")
      alter_weights(text);
    else
      alter_document(text);
    if (name == "metadata.json") {
      seal(text);
      return;
    }
    if (name == "feature_spec.json" && below(4) > 0) fix_expectations(entries);
    fix_hashes(entries);
  }

 private:
  static constexpr std::array<const char*, 6> kTargets = {"metadata.json", "/etc/hostname", "..",
                                                          "/dev/zero",     "nowhere",       "model.json"};

  /// Texts in the place of a value, not all of them JSON.
  inline static const std::vector<std::string> kHostile = {"null",
                                                           "true",
                                                           "{}",
                                                           "[]",
                                                           "\"\"",
                                                           "0",
                                                           "-0.0",
                                                           "-1",
                                                           "1",
                                                           "2",
                                                           "3",
                                                           "4",
                                                           "7",
                                                           "1.5",
                                                           "1e-320",
                                                           "1e30",
                                                           "1e39",
                                                           "1e308",
                                                           "1e999",
                                                           "-1e999",
                                                           "65536",
                                                           "1048577",
                                                           "2147483647",
                                                           "2147483648",
                                                           "-2147483649",
                                                           "4294967296",
                                                           "9223372036854775807",
                                                           "9223372036854775808",
                                                           "18446744073709551616",
                                                           "NaN",
                                                           "-Infinity",
                                                           "\"\\ud800\"",
                                                           "\"\xff\xfe\"",
                                                           "\"\xc2\x9b\x1b[31m\"",
                                                           "\"\\u0000\"",
                                                           "\"../model.json\"",
                                                           "\"x\"",
                                                           "\"v1\"",
                                                           "\"v3\"",
                                                           "\"linear\"",
                                                           "\"attention\"",
                                                           "\"add\"",
                                                           "\"last_row\"",
                                                           "\"mean\"",
                                                           "\"BTF\"",
                                                           "\"sha256:\"",
                                                           "{\"a\": 1, \"a\": 2}",
                                                           "\xef\xbb\xbf",
                                                           "[[1, 2], [3]]",
                                                           "[\"x\", \"x\"]",
                                                           "[0, 4]",
                                                           "[-1]",
                                                           "[0]",
                                                           "[65536, 65536]",
                                                           "[2147483647, 2147483647, 2147483647]",
                                                           "[1000000, 1000000, 1000000, 1000000]",
                                                           std::string(70, '[') + std::string(70, ']'),
                                                           std::string(30'000, '['),
                                                           "[" + repeated("0,", 2'000) + "0]",
                                                           "\"" + std::string(20'000, 'a') + "\"",
                                                           repeated("{\"a\":", 60) + "1" + std::string(60, '}')};

  /// 0 where the choices have come to their end.
  std::size_t below(std::size_t limit) {
    if (limit < 2) return 0;
    std::size_t choice = 0;
    for (int i = 0; i < (limit > 256 ? 3 : 1) && !choices_.empty(); ++i) {
      choice = choice << 8U | choices_.front();
      choices_ = choices_.subspan(1);
    }
    return choice % limit;
  }

  std::ptrdiff_t offset(std::size_t limit) { return static_cast<std::ptrdiff_t>(below(limit)); }

  void alter_weights(std::string& text) {
    constexpr std::array<float, 7> kNumbers = {std::numeric_limits<float>::quiet_NaN(),
                                               std::numeric_limits<float>::infinity(),
                                               -std::numeric_limits<float>::infinity(),
                                               std::numeric_limits<float>::max(),
                                               1e30F,
                                               std::numeric_limits<float>::denorm_min(),
                                               0.0F};
    constexpr std::size_t kSize = sizeof(float);
    if (text.size() <= kSize) {  // cut so short before that little is left to alter
      text.append(kSize, '\0');
      return;
    }
    const std::size_t at = below(text.size() / kSize) * kSize;
    switch (below(6)) {
      case 0: text.resize(at); break;
      case 1: text.resize(text.size() - 1 - below(kSize)); break;
      case 2: text.append(kSize, '\0'); break;
      default: std::memcpy(text.data() + at, &kNumbers[below(kNumbers.size())], kSize);
    }
  }

  /// Each container of a document with each of its places.
  struct Place {
    Json* container;
    std::size_t index;

    [[nodiscard]] Json& value() const { return *std::next(container->begin(), static_cast<std::ptrdiff_t>(index)); }
  };

  static void collect(Json& value, std::vector<Place>& places) {
    for (std::size_t i = 0; value.is_structured() && i < value.size(); ++i) {
      places.push_back({&value, i});
      collect(places.back().value(), places);
    }
  }

  void alter_document(std::string& text) {
    if (!Json::accept(text)) return;  // a lie before this one was no JSON
    Json document = Json::parse(text);
    std::vector<Place> places;
    collect(document, places);
    if (places.empty()) return;
    const Place place = places[below(places.size())];
    Json& value = place.value();
    std::string hostile;
    switch (below(9)) {
      case 0:
        place.container->erase(std::next(place.container->begin(), static_cast<std::ptrdiff_t>(place.index)));
        break;
      case 1: value = Json(places[below(places.size())].value()); break;
      case 2:
      case 3: alter_array(*place.container, place.index); break;
      case 4: alter_number(value); break;
      default: value = "@hostile@"; hostile = kHostile[below(kHostile.size())];
    }
    text = document.dump(2) + "\n";
    constexpr std::string_view kPlace = "\"@hostile@\"";
    if (const std::size_t at = text.find(kPlace); at != text.npos) text.replace(at, kPlace.size(), hostile);
  }

  void alter_array(Json& array, std::size_t index) {
    if (!array.is_array()) {
      array["unknown"] = 1;
      return;
    }
    Json copy = array[index];
    const std::size_t other = below(array.size());
    if (below(2) == 0)
      std::swap(array[index], array[other]);
    else
      array.insert(array.begin() + static_cast<std::ptrdiff_t>(other), std::move(copy));
  }

  void alter_number(Json& value) {
    if (!value.is_number()) {
      value = 1;
      return;
    }
    const double number = value.get<double>();
    const std::array<double, 6> others = {-number, number + 1.0, number - 1.0, number * 2.0, number * 65'536.0, 0.5};
    const double other = others[below(others.size())];
    if (value.is_number_integer() && other == std::floor(other))
      value = static_cast<std::int64_t>(other);
    else
      value = other;
  }

  std::span<const std::uint8_t> choices_;
};

}  // namespace sentio::test

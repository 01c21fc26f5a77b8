#include "inference/artifact.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "artifact_files.hpp"
#include "bars/file.hpp"
#include "bars/sha256.hpp"
#include "broken_artifact.hpp"
#include "inference/artifact_folder.hpp"
#include "inference/tfa_strategy.hpp"
#include "market.hpp"

using namespace sentio;
using test::Entries;
using test::Entry;
using test::Json;

namespace {

const Entries& whole(bool sequence) {
  static const std::array<Entries, 2> artifacts = {test::small_artifact(false), test::small_artifact(true)};
  return artifacts[sequence ? 1 : 0];
}

Artifact load(const std::filesystem::path& folder) { return Artifact::load(folder, {.backend = Backend::native}); }

/// What loading says; empty where it does not complain.
std::string complaint(const Entries& entries) {
  const test::Scratch folder("artifact");
  test::write_folder(entries, folder.path());
  try {
    static_cast<void>(load(folder.path()));
    return "";
  } catch (const ArtifactError& error) {
    const std::string message = error.what(), begin = folder.path().string() + "/";
    CHECK(message.starts_with(begin));
    return message.substr(std::min(message.size(), begin.size()));
  }
}

Entries with(const std::string& name, const Entry& entry) {
  Entries entries = whole(false);
  entries[name] = entry;
  return entries;
}

/// With a change of metadata, sealed.
template <class Change>
Entries with_metadata(const Change& change) {
  Entries entries = whole(false);
  std::string& text = entries.at("metadata.json").content;
  Json metadata = Json::parse(text);
  change(metadata);
  text = metadata.dump(2) + "\n";
  test::seal(text);
  return entries;
}

bool is_printable_line(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

TEST_CASE("a whole artifact loads without a warning and gives the logits of its probe") {
  for (const bool sequence : {false, true}) {
    const test::Scratch folder("artifact");
    test::write_folder(whole(sequence), folder.path());
    const Artifact artifact = load(folder.path());
    CHECK(artifact.warnings().empty());
    CHECK(artifact.sequence_length() == (sequence ? 4 : 1));
  }
}

TEST_CASE("every byte of metadata is sealed") {
  const std::string original = whole(false).at("metadata.json").content;
  const test::Scratch folder("artifact");
  test::write_folder(whole(false), folder.path());
  for (std::size_t at = 0; at < original.size(); ++at) {
    std::string text = original;
    text[at] = text[at] == ' ' ? '\t' : text[at] == '\n' ? ' ' : static_cast<char>(text[at] ^ 1);
    std::ofstream(folder.path() / "metadata.json", std::ios::binary) << text;
    CAPTURE(at);
    CHECK_THROWS_AS(static_cast<void>(load(folder.path())), ArtifactError);
  }
}

TEST_CASE("an edited threshold is refused with the seal that would be right and the way to accept it") {
  Entries entries = whole(false);
  std::string& text = entries.at("metadata.json").content;
  text.replace(text.find("0.53"), 4, "0.51");
  const std::string message = complaint(entries);
  CHECK(
      message.starts_with("metadata.json: seal: the file was altered after it was saved: the seal of its bytes is \""));
  CHECK(message.find("; if the change is meant, accept it with: sentio seal ") != message.npos);
  test::seal(text);
  CHECK(message.find(Json::parse(text)["seal"].get<std::string>()) != message.npos);
  CHECK(complaint(entries).empty());
}

TEST_CASE("metadata without a seal is refused where its schema has one, and warned of where it has not") {
  CHECK(complaint(with_metadata([](Json& metadata) {
          metadata.erase("seal");
        })).starts_with("metadata.json: seal: is missing, which files of schema 1.1 have; if the change is meant"));
  const test::Scratch folder("artifact");
  test::write_folder(with_metadata([](Json& metadata) {
                       metadata.erase("seal");
                       metadata["schema_version"] = "1.0";
                     }),
                     folder.path());
  CHECK(load(folder.path()).warnings() ==
        std::vector<std::string>{(folder.path() / "metadata.json").string() +
                                 ": has no seal, so an altered threshold cannot be told"});
  CHECK(complaint(with_metadata([](Json& metadata) {
          metadata["seal"] = 1;
        })).starts_with("metadata.json: seal: must be \"sha256:\" and 64 hexadecimal digits, found 1"));
}

TEST_CASE("an interval of bars that is none is refused") {
  for (const Json& interval : {Json("60"), Json(0), Json(-60), Json(2e9), Json()})
    CHECK(complaint(with_metadata([&](Json& metadata) { metadata["data"]["bar_interval_s"] = interval; })) ==
          "metadata.json: data.bar_interval_s: must be a number of seconds above 0 and at most 1e+09, found " +
              interval.dump());
  CHECK(complaint(with_metadata([](Json& metadata) { metadata["data"].erase("bar_interval_s"); })).empty());
}

TEST_CASE("a file that we read and whose hash is not stated is refused") {
  CHECK(complaint(with_metadata([](Json& metadata) {
          metadata["files"].erase("weights.bin");
        })).starts_with("weights.bin: metadata.json states no hash of it; if the change is meant"));
  CHECK(complaint(with_metadata([](Json& metadata) {
          metadata.erase("files");
        })).starts_with("metadata.json: files: is missing, which schema 1.1 has; if the change is meant"));
}

TEST_CASE("what is hashed is what is parsed, whatever happens to the file meanwhile") {
  const test::Scratch scratch("artifact");
  test::write_folder(whole(false), scratch.path());
  for (const std::string name : {"model.json", "weights.bin", "feature_spec.json", "probe.json"}) {
    CAPTURE(name);
    ArtifactFolder folder(scratch.path());
    const std::string hash = folder.hash(name);
    write_file(scratch.path() / name, "swapped");
    CHECK("sha256:" + sha256_hex(std::string_view(folder.document(name))) == hash);
  }
}

TEST_CASE("a file of another name is no part of the artifact") { CHECK(complaint(with("notes.txt", {"x"})).empty()); }

TEST_CASE("what is not a file inside the folder is refused") {
  CHECK(complaint(with("model.json", {"", Entry::Kind::pipe})) == "model.json: is a pipe or a device, not a file");
  CHECK(complaint(with("probe.json", {"", Entry::Kind::folder})) == "probe.json: is a directory, not a file");
  CHECK(complaint(with("weights.bin", {"/dev/zero", Entry::Kind::link})) ==
        "weights.bin: is a link that leaves the folder, to /dev/zero");
  CHECK(complaint(with("weights.bin", {"nowhere", Entry::Kind::link})) == "weights.bin: No such file or directory");
  CHECK(complaint(with("metadata.json", {"metadata.json", Entry::Kind::link})) ==
        "metadata.json: Too many levels of symbolic links");
  Entries linked = with("kept.bin", whole(false).at("weights.bin"));
  linked.at("weights.bin") = {"kept.bin", Entry::Kind::link};
  CHECK(complaint(linked).empty());
}

TEST_CASE("a file that is too large is refused before it is read") {
  const test::Scratch folder("artifact");
  for (const auto& [name, most] : {std::pair{"metadata.json", 4ULL << 20},
                                   {"feature_spec.json", 1ULL << 20},
                                   {"model.json", 1ULL << 20},
                                   {"probe.json", 64ULL << 20},
                                   {"weights.bin", 1ULL << 28}}) {
    test::write_folder(whole(false), folder.path());
    std::filesystem::resize_file(folder.path() / name, most + 1);  // with a hole, which takes no space
    try {
      static_cast<void>(load(folder.path()));
      FAIL("must be refused");
    } catch (const ArtifactError& error) {
      CHECK(error.what() == (folder.path() / name).string() + ": must have at most " + std::to_string(most) +
                                " bytes, found " + std::to_string(most + 1));
    }
  }
}

TEST_CASE("a document of very many values is refused") {
  std::string text = "[0";
  for (int i = 0; i < 1'300'000; ++i) text += ",0";
  Entries entries = with("probe.json", {text + "]"});
  test::fix_hashes(entries);
  CHECK(complaint(entries) == "probe.json: must hold at most 1250000 keys and values");
}

TEST_CASE("the rounding that the program asked for changes no decision") {
  const test::Scratch folder("artifact");
  test::write_folder(whole(false), folder.path());
  const Bars bars = test::random_bars(300, 4);
  const auto probabilities = [&](int direction) {
    TFAStrategy strategy(load(folder.path()));
    std::vector<Decision> decisions(bars.size());
    REQUIRE(std::fesetround(direction) == 0);
    strategy.on_bars(bars.view(), decisions);
    std::fesetround(FE_TONEAREST);
    std::vector<std::uint64_t> bits;
    for (const Decision& decision : decisions) bits.push_back(std::bit_cast<std::uint64_t>(decision.probability));
    return bits;
  };
  const auto expected = probabilities(FE_TONEAREST);
  for (const int direction : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) CHECK(probabilities(direction) == expected);
}

TEST_CASE("5,000 broken artifacts are refused by name, or are whole") {
  constexpr unsigned kBroken = 5'000;
  const test::Scratch folder("artifact");
  unsigned broken = 0, accepted = 0;
  for (unsigned seed = 0; broken < kBroken; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    std::array<std::uint8_t, 64> choices;
    std::ranges::generate(choices, [&] { return static_cast<std::uint8_t>(random()); });
    const Entries& original = whole(seed % 2 == 1);
    Entries entries = original;
    test::Breaker breaker(choices);
    const bool lies = seed % 5 < 3;
    lies ? breaker.lie(entries) : breaker.damage(entries);
    if (entries == original) continue;
    ++broken;
    test::write_folder(entries, folder.path());
    try {
      const Artifact artifact = load(folder.path());
      REQUIRE(lies);
      ++accepted;
      const auto window = static_cast<std::size_t>(artifact.sequence_length() * artifact.spec().width());
      std::vector<float> logits(5);
      artifact.logits({test::random_numbers(5 * window, seed), window}, logits);
      REQUIRE(std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); }));
    } catch (const ArtifactError& error) {
      const std::string_view message = error.what();
      CAPTURE(message);
      REQUIRE(message.starts_with(folder.path().string()));
      REQUIRE(is_printable_line(message));
      REQUIRE(message.size() < 8'200);
    }
  }
  // Some lies are no fault: another verdict, another threshold, a value under another name.
  CHECK(accepted > kBroken / 50);
  CHECK(accepted < kBroken / 5);
}

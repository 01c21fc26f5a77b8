// Any artifact folder: it is refused by the name of a file, or it gives finite logits. Bytes seldom fit the hashes of
// an artifact, so they choose how a whole one is altered, or stand for one of its documents, and the hashes are made to
// fit.

#include <cmath>
#include <string>
#include <string_view>

#include "broken_artifact.hpp"
#include "target.hpp"

using namespace sentio;
using fuzz::promise;

namespace {

/// The first byte says what to do: bit 0 which artifact; bits 1-2 how many lies, or none and bits 4-5 which document
/// the rest of the input stands for; bit 3 to damage it afterwards, which the hashes tell.
test::Entries altered(const test::Entries& whole, std::span<const std::uint8_t> input, std::uint8_t order) {
  test::Entries entries = whole;
  constexpr std::array<const char*, 4> kDocuments = {"model.json", "probe.json", "feature_spec.json", "metadata.json"};
  std::size_t lies = order >> 1U & 3U;
  if (lies == 0) {
    const std::string name = kDocuments[order >> 4U & 3U];
    entries.at(name).content.assign(input.begin(), input.end());
    if (name == "feature_spec.json") fix_expectations(entries);
    if (name == "metadata.json")
      test::seal(entries.at(name).content);
    else
      test::fix_hashes(entries);
    return entries;
  }
  test::Breaker breaker(input);
  // Only the last lie may spoil metadata, which the ones before it must be able to read.
  for (; lies > 0; --lies) breaker.lie(entries, lies == 1);
  if ((order & 8U) != 0) breaker.damage(entries);
  return entries;
}

bool is_told_by_a_hash(std::string_view message) {
  return message.find(": seal: ") != message.npos || message.find(": is not the file that was saved") != message.npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::array<test::Entries, 2> all = {test::small_artifact(false), test::small_artifact(true)};
  static const test::Scratch folder("fuzz_artifact");
  if (size == 0) return 0;
  const test::Entries& whole = all[data[0] & 1U];
  const test::Entries entries = altered(whole, std::span(data, size).subspan(1), data[0]);
  test::write_folder(entries, folder.path());
  try {
    const Artifact artifact = Artifact::load(folder.path(), {.backend = Backend::native});
    const auto window = static_cast<std::size_t>(artifact.sequence_length() * artifact.spec().width());
    std::vector<float> logits(3);
    artifact.logits({test::random_numbers(logits.size() * window, 1), window}, logits);
    promise(std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); }), "logits are finite");
    ++fuzz::reached();
  } catch (const ArtifactError& error) {
    promise(entries != whole, "a whole artifact is taken");
    fuzz::promise_message(error.what(), folder.path().string());
    if (!is_told_by_a_hash(error.what())) ++fuzz::reached();
  }
  return 0;
}

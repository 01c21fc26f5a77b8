// Logits by our own backends, in turns with others'. Usage: inference native|torch ARTIFACT ROWS.f32

#include <iostream>
#include <span>

#include "answering.hpp"
#include "inference/artifact.hpp"

int main(int count, char** arguments) {
  using namespace sentio;
  const std::span<char*> given(arguments, static_cast<std::size_t>(count));
  if (given.size() != 4) {
    std::cerr << "usage: inference native|torch ARTIFACT ROWS.f32\n";
    return 2;
  }
  const Backend backend = std::string_view(given[1]) == "native" ? Backend::native : Backend::torch;
  try {
    const Artifact artifact = Artifact::load(given[2], {.backend = backend});
    const auto row_size = static_cast<std::size_t>(artifact.sequence_length() * artifact.spec().width());
    const std::vector<float> values = bench::read_floats(given[3]);
    return bench::answer(values, row_size, [&](std::span<const float> x, std::span<float> logits) {
      artifact.logits({x, row_size}, logits);
    });
  } catch (const InputError& error) {
    std::cout << nlohmann::json{{"refused", error.what()}}.dump() << '\n';
    return 0;
  }
}

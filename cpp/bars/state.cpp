#include "bars/state.hpp"

#include <cmath>

#include "bars/error.hpp"
#include "bars/sha256.hpp"

namespace sentio {
namespace {

constexpr std::size_t kSeal = 64;  ///< hexadecimal digits of a SHA-256

template <class T>
bool all_finite(std::span<const std::byte> bytes) {
  for (; !bytes.empty(); bytes = bytes.subspan(sizeof(T))) {
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    if (!std::isfinite(value)) return false;
  }
  return true;
}

}  // namespace

StateWriter::StateWriter(const StateKind& kind) {
  text(kind.magic);
  number(kind.version);
}

void StateWriter::block(std::span<const std::byte> more) {
  number(static_cast<std::uint64_t>(more.size()));
  bytes(more);
}

std::vector<std::byte> StateWriter::sealed() && {
  text(sha256_hex(bytes_));
  return std::move(bytes_);
}

StateReader::StateReader(std::span<const std::byte> state, const StateKind& kind)
    : state_(state), rest_(state), name_(kind.name) {
  if (text(kind.magic.size()) != kind.magic) fail("is not a state of " + std::string(kind.owner));
  const auto version = number<std::uint32_t>();
  if (version != kind.version)
    fail("version must be " + std::to_string(kind.version) + ", found " + std::to_string(version));
}

void StateReader::require_seal() {
  const auto seal = [&] {
    const auto last = state_.last(kSeal);
    return std::string_view(reinterpret_cast<const char*>(last.data()), last.size());
  };
  if (rest_.size() < kSeal || sha256_hex(state_.first(state_.size() - kSeal)) != seal())
    fail("is cut off or altered, its checksum does not fit");
  rest_ = rest_.first(rest_.size() - kSeal);
}

void StateReader::require_end(std::string_view whose) const {
  if (!rest_.empty()) fail("is longer than " + std::string(whose));
}

std::span<const std::byte> StateReader::take(std::size_t size) {
  if (size > rest_.size()) fail("is cut off");
  const auto front = rest_.first(size);
  rest_ = rest_.subspan(size);
  return front;
}

std::string_view StateReader::text(std::size_t size) {
  const auto bytes = take(size);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::int64_t StateReader::whole(std::int64_t min, std::int64_t max, std::string_view name) {
  const auto value = number<std::int64_t>();
  if (value < min || value > max)
    fail(std::string(name) + " must be from " + std::to_string(min) + " to " + std::to_string(max) + ", found " +
         std::to_string(value));
  return value;
}

void StateReader::doubles(std::span<std::byte> out) {
  const auto bytes = take(out.size());
  if (!all_finite<double>(bytes)) fail("holds a value that is not finite");
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size());
}

std::span<const std::byte> StateReader::block() {
  const auto size = number<std::uint64_t>();
  if (size > rest_.size()) fail("is cut off");
  return take(static_cast<std::size_t>(size));
}

std::string_view StateReader::label() {
  const auto bytes = block();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void StateReader::fill(std::span<std::byte> out, std::size_t unit) {
  const auto bytes = block();
  if (bytes.size() != out.size())
    fail("must hold " + std::to_string(out.size() / unit) + " values, found " + std::to_string(bytes.size() / unit));
  if (!(unit == sizeof(double) ? all_finite<double>(bytes) : all_finite<float>(bytes)))
    fail("holds a value that is not finite");
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size());
}

void StateReader::fail(const std::string& what) const { throw InputError(name_ + ": " + what); }

}  // namespace sentio

#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sentio {

/// What kind of state some bytes are: what they begin with, and how messages call them.
struct StateKind {
  std::string_view magic;
  std::uint32_t version;
  std::string_view name;   ///< "feature state"
  std::string_view owner;  ///< "a feature builder"
};

/// Writes a state: its kind, then what its owner goes on from, then a SHA-256 of it all. Numbers stand as they do in
/// memory.
class StateWriter {
 public:
  explicit StateWriter(const StateKind& kind);

  void bytes(std::span<const std::byte> more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }
  void text(std::string_view more) { bytes(std::as_bytes(std::span(more))); }

  template <class T>
    requires std::is_arithmetic_v<T>
  void number(T value) {
    bytes(std::as_bytes(std::span(&value, 1)));
  }

  // Behind their count.
  void block(std::span<const std::byte> more);
  void label(std::string_view text) { block(std::as_bytes(std::span(text))); }
  template <std::floating_point T>
  void values(std::span<const T> more) {
    block(std::as_bytes(more));
  }

  [[nodiscard]] std::vector<std::byte> sealed() &&;

 private:
  std::vector<std::byte> bytes_;
};

/// Reads what a StateWriter has written, in the same order. Everything throws InputError "feature state: what is wrong"
/// if the bytes do not hold it.
class StateReader {
 public:
  /// @throws InputError if the bytes do not begin as `kind` does.
  StateReader(std::span<const std::byte> state, const StateKind& kind);

  /// Checks the SHA-256 at the end: what has been read until then is named first when it is wrong.
  void require_seal();
  /// That all has been read; `whose` is what a message compares a longer state with: "this spec's".
  void require_end(std::string_view whose) const;

  [[nodiscard]] std::span<const std::byte> take(std::size_t size);
  [[nodiscard]] std::string_view text(std::size_t size);

  template <class T>
    requires std::is_arithmetic_v<T>
  [[nodiscard]] T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  /// A whole number from `min` to `max`; `name` is what a message calls it.
  [[nodiscard]] std::int64_t whole(std::int64_t min, std::int64_t max, std::string_view name);

  /// Fills `out` with finite numbers that stand without their count; `out` holds the bytes of doubles.
  void doubles(std::span<std::byte> out);

  [[nodiscard]] std::span<const std::byte> block();
  [[nodiscard]] std::string_view label();
  /// Fills `out` with finite numbers, as many as it has room for.
  template <std::floating_point T>
  void values(std::span<T> out) {
    fill(std::as_writable_bytes(out), sizeof(T));
  }

  [[noreturn]] void fail(const std::string& what) const;

 private:
  void fill(std::span<std::byte> out, std::size_t unit);

  std::span<const std::byte> state_, rest_;
  std::string name_;
};

}  // namespace sentio

#include "bars/sha256.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace sentio;

// The examples of FIPS 180-2, appendix B, and of NIST's CAVP short messages.
TEST_CASE("sha256 gives the published digests") {
  CHECK(sha256_hex(std::string_view("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex(std::string_view("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex(std::string_view("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string_view("\xd3", 1)) == "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1");
  CHECK(sha256_hex(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("sha256 pads messages of every length around its block") {
  // The digest of the digests of 'a' * n for n = 0 ... 129, computed with Python's hashlib.
  std::string all;
  for (std::size_t n = 0; n < 130; ++n) all += sha256_hex(std::string(n, 'a'));
  CHECK(sha256_hex(all) == "c665ed20ef30f158e90c7e921d8182bc0943c4b087a82f64a18d417bcdfadce7");
}

TEST_CASE("sha256 of pieces is that of the whole") {
  const std::string text(300, 'a');
  const auto bytes = std::as_bytes(std::span(text));
  for (std::size_t first = 0; first <= 130; ++first) {
    Sha256 hash;
    hash.add(bytes.first(first));
    hash.add(bytes.subspan(first, 65));
    hash.add(bytes.subspan(first + 65));
    CHECK(hash.hex() == sha256_hex(text));
  }
}

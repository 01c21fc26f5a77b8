#include "bars/suggest.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "bars/error.hpp"
#include "bars/json.hpp"

using namespace sentio;

TEST_CASE("a slip is answered with the nearest word, a guess with all words") {
  const std::vector<std::string> known = {"RSI", "SMA", "BOLLINGER_UPPER", "window"};
  CHECK(did_you_mean("RSL", known) == "; did you mean 'RSI'?");
  CHECK(did_you_mean("rsi", known) == "; did you mean 'RSI'?");
  CHECK(did_you_mean("BOLINGER_UPER", known) == "; did you mean 'BOLLINGER_UPPER'?");
  CHECK(did_you_mean("widnow", known) == "; did you mean 'window'?");
  CHECK(did_you_mean("wind", known) == "; did you mean 'window'?");
  CHECK(did_you_mean("BOLLINGER", known) == "; known: RSI, SMA, BOLLINGER_UPPER, window");  // 6 of 15 are missing
  CHECK(did_you_mean("MFI", known) == "; known: RSI, SMA, BOLLINGER_UPPER, window");
  CHECK(did_you_mean("", known) == "; known: RSI, SMA, BOLLINGER_UPPER, window");
}

TEST_CASE("a JSON document is refused where it is wrong") {
  const auto complaint = [](const std::string& text) -> std::string {
    try {
      static_cast<void>(parse_json(text, "f"));
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(complaint("{\"a\": 1}").empty());
  CHECK(complaint("{\"a\": 1,\n  \"b\": }") == "f:2:8: is not valid JSON");
  CHECK(complaint("{\"a\": {\"b\": 1, \"b\": 2}}") == "f: key 'b' is written twice in one object");
  CHECK(complaint("[{\"a\": 1}, {\"a\": 2}]").empty());
  CHECK(complaint(std::string(66, '[') + std::string(66, ']')) == "f: is nested deeper than 64 levels");
}

TEST_CASE("an error message is one printable line of UTF-8") {
  const auto message = [](const std::string& text) { return std::string(InputError(text).what()); };
  CHECK(message("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80") == "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  CHECK(message("a\nb\tc\x7f") == "a?b?c?");
  CHECK(message("\xe9t\xe9") == "?t?");          // Latin-1
  CHECK(message("cut \xe2\x82") == "cut ??");    // within a character
  CHECK(message("\xc0\x80") == "??");            // longer than needed
  CHECK(message("\xed\xa0\x80") == "???");       // a surrogate
  CHECK(message("\xf4\x90\x80\x80") == "????");  // beyond the last code point
  CHECK(message(std::string("nul\0end", 7)) == "nul?end");
}

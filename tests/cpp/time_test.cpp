#include "bars/time.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>

using namespace sentio;

TEST_CASE("ISO times are read to the nanosecond") {
  const std::int64_t noon = 1'704'196'800 * kSecondNs;  // 2024-01-02T12:00:00Z
  for (const char* text :
       {"2024-01-02T12:00:00Z", "2024-01-02 12:00:00", "2024-01-02t12:00z", "2024-01-02T12:00",
        "2024-01-02T14:00:00+02:00", "2024-01-02T07:00-0500", "2024-01-02T07:00:00-05", "2024-01-01T23:30-12:30"})
    CHECK_MESSAGE(parse_iso_time(text) == noon, text);
  CHECK(parse_iso_time("2024-01-02") == noon - 12 * 60 * kMinuteNs);
  CHECK(parse_iso_time("2024-01-02T12:00:00.000000001Z") == noon + 1);
  CHECK(parse_iso_time("2024-01-02T12:00:00.25+00:00") == noon + kSecondNs / 4);
  CHECK(parse_iso_time("1970-01-01") == 0);
  CHECK(parse_iso_time("1969-12-31T23:59:59.999999999") == -1);
  CHECK(parse_iso_time("2000-02-29") == 951'782'400 * kSecondNs);
}

TEST_CASE("what is no ISO time is not read") {
  for (const char* text : {"",
                           "2024",
                           "2024-01",
                           "2024-1-2",
                           "24-01-02",
                           "2024-13-01",
                           "2024-02-30",
                           "2023-02-29",
                           "1900-02-29",
                           "2024-01-02T",
                           "2024-01-02T1",
                           "2024-01-02T12",
                           "2024-01-02T24:00",
                           "2024-01-02T12:60",
                           "2024-01-02T12:00:60",
                           "2024-01-02T12:00:00.",
                           "2024-01-02T12:00:00.1234567890",
                           "2024-01-02T12:00:00+",
                           "2024-01-02T12:00:00+1",
                           "2024-01-02T12:00:00+01:",
                           "2024-01-02T12:00:00+24:00",
                           "2024-01-02T12:00:00+01:60",
                           "2024-01-02T12:00:00Zx",
                           "2024-01-02T12:00:00 Z",
                           "2024/01/02",
                           " 2024-01-02",
                           "1677-12-31",
                           "2262-01-01",
                           "-024-01-02"})
    CHECK_MESSAGE(!parse_iso_time(text), text);
}

TEST_CASE("times are written with as many digits as they need") {
  CHECK(format_time(0) == "1970-01-01T00:00:00Z");
  CHECK(format_time(1'500'000'000) == "1970-01-01T00:00:01.500Z");
  CHECK(format_time(1'000) == "1970-01-01T00:00:00.000001Z");
  CHECK(format_time(-1) == "1969-12-31T23:59:59.999999999Z");
  CHECK(format_date(-1) == "1969-12-31");
}

TEST_CASE("a time that was written is read back") {
  std::mt19937_64 random(1);
  std::uniform_int_distribution<std::int64_t> any(-9'214'560'000'000'000'000, 9'214'646'399'000'000'000);
  for (int i = 0; i < 20'000; ++i) {
    const std::int64_t time = any(random) / (i % 3 == 0 ? kSecondNs : 1) * (i % 3 == 0 ? kSecondNs : 1);
    CHECK(parse_iso_time(format_time(time)) == time);
  }
}

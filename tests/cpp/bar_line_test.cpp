#include "bars/bar_line.hpp"

#include <doctest/doctest.h>

#include <string>

#include "bars/time.hpp"

using namespace sentio;

namespace {

constexpr Bar kBar{1'704'724'200 * kSecondNs, 10.5, 11, 10, 10.25, 300};

std::string csv_fault(BarLineReader& reader, const std::string& line) {
  Bar bar{};
  if (reader.read_csv(line, bar)) return "read";
  return std::to_string(reader.fault().offset) + " " + reader.fault().text;
}

std::string json_fault(const std::string& line) {
  BarLineReader reader;
  Bar bar{};
  return reader.read_json(line, bar) ? "read" : reader.fault().text;
}

}  // namespace

TEST_CASE("a line of CSV or JSON gives the same bar, with or without a header") {
  for (const std::string time : {"2024-01-08T14:30:00Z", "2024-01-08 09:30-05:00", "1704724200", "1704724200000"}) {
    CAPTURE(time);
    Bar bar{};
    BarLineReader usual, named, json;
    CHECK(usual.read_csv(time + ",10.5,11,10,10.25,300", bar));
    CHECK(bar == kBar);
    CHECK_FALSE(named.read_header("Volume,symbol,O,h,Low,close,datetime"));
    CHECK(named.read_csv("300,SPY,10.5,11,10,10.25," + time, bar));
    CHECK(bar == kBar);
    CHECK(json.read_json(R"({"t": ")" + time + R"(", "o": 10.5, "h": "11", "l": 1e1, "c": 10.25, "V": 300, "n": []})",
                         bar));
    CHECK(bar == kBar);
  }
  Bar bar{};
  BarLineReader reader;
  CHECK(reader.read_json(R"({"ts":1704724200000000001,"open":1,"high":1,"low":1,"close":1,"volume":0})", bar));
  CHECK(bar.time_ns == kBar.time_ns + 1);
}

TEST_CASE("a line that is no bar says why") {
  BarLineReader reader;
  CHECK(csv_fault(reader, "2024-01-08,1,1x,1,1,1") == "13 high is not a number: '1x'");
  CHECK(csv_fault(reader, "2024-01-08,1,1") == "14 expected 6 fields as in the header, found 3");
  CHECK(csv_fault(reader, "noon,1,1,1,1,1") == "0 ts is neither ISO-8601 nor an epoch number: 'noon'");
  CHECK(json_fault("{") == "line:1:2: is not valid JSON");
  CHECK(json_fault("[1]") == "must be an object with the keys ts, open, ..., found [1]");
  CHECK(json_fault(R"({"ts": "2024-01-08", "open": null})") == "open is not a number: 'null'");
  CHECK(json_fault(R"({"ts": true})") == "ts is neither ISO-8601 nor an epoch number: 'true'");
  CHECK(json_fault(R"({"ts": "2024-01-08", "t": 1})").starts_with("two keys give ts, found "));
  CHECK(json_fault(R"({"ts": 1, "ts": 2})") == "line: key 'ts' is written twice in one object");
  CHECK(json_fault(R"({"ts": 1, "open": 1})") == R"(key 'high' is missing, found {"open":1,"ts":1})");
}

TEST_CASE("the unit of epoch numbers is that of the bars taken") {
  BarLineReader reader;
  Bar bar{};
  CHECK(reader.read_csv("1704724200,1,1,1,1,1", bar));
  CHECK(reader.read_csv("1704724200000,1,1,1,1,1", bar));  // the first was not taken
  reader.accept();
  CHECK(csv_fault(reader, "1704724260,1,1,1,1,1") == "0 ts changes its unit from ms to s: '1704724260'");
}

TEST_CASE("a header that lacks a column leaves the columns as they are") {
  BarLineReader reader;
  CHECK(reader.read_header("open,high,low,close,volume")->text ==
        "the header has no column ts, found 'open,high,low,close,volume'");
  CHECK(csv_fault(reader, "2024-01-08,1,1,1,1,1") == "read");
}

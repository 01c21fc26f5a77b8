#include "inference/ledger.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "inference/artifact_error.hpp"
#include "scratch.hpp"

using namespace sentio;

namespace {

const std::string kHeader =
    "time,version,study,trial,status,changed,seed,epoch,loss,auc,ic,rank_ic,config_hash,data_hash\n";

std::string row(const std::string& version, const std::string& study, const std::string& epoch,
                const std::string& config, const std::string& data) {
  return "2026-01-02T03:04:05Z," + version + "," + study + ",,finished,\"{\"\"a,b\"\": 1}\",7," + epoch +
         ",0.69,0.51,,," + config + "," + data + "\n";
}

Ledger ledger_of(const std::string& content) {
  const test::Scratch file("trials.csv");
  std::ofstream(file.path(), std::ios::binary) << content;
  return Ledger(file.path());
}

/// What is said of a ledger, from the line on.
std::string refusal_of(const std::string& content) {
  try {
    static_cast<void>(ledger_of(content));
  } catch (const ArtifactError& error) {
    const std::string what = error.what();
    return what.substr(what.find("trials.csv") + 10);
  }
  return "";
}

}  // namespace

TEST_CASE("a ledger counts distinct configurations that came to metrics") {
  const Ledger ledger =
      ledger_of(kHeader + row("v1", "", "2", "c1", "d1") + row("v2", "", "3", "c1", "d1") +
                row("v1", "wide", "1", "c2", "d1") + row("v1", "", "", "c3", "d1") + row("v3", "", "1", "c4", "d2"));
  CHECK(ledger.count() == 3);
  CHECK(ledger.count("d1") == 2);
  CHECK(ledger.count("d2") == 1);
  CHECK(ledger.count("d3") == 0);
}

TEST_CASE("the data of a version are those of its last training with metrics, not of a study's trial") {
  const Ledger ledger = ledger_of(kHeader + row("v1", "", "2", "c1", "old") + row("v1", "", "2", "c2", "own") +
                                  row("v1", "wide", "2", "c3", "drawn") + row("v1", "", "", "c4", "failed"));
  CHECK(ledger.data_of("v1") == "own");
  CHECK_FALSE(ledger.data_of("v2"));
}

TEST_CASE("an empty ledger and an unfinished last row count nothing") {
  CHECK(ledger_of("").count() == 0);
  CHECK(ledger_of(kHeader).count() == 0);
  const std::string whole = row("v1", "", "2", "c1", "d1");
  CHECK(ledger_of(kHeader + whole + whole.substr(0, 30)).count() == 1);
}

TEST_CASE("a ledger that is broken is refused with its line") {
  CHECK(refusal_of("time,model\n").starts_with(":1: must be the columns time,version"));
  const std::string whole = row("v1", "", "2", "c1", "d1");
  CHECK(refusal_of(kHeader + whole + "a,b\n") == ":3: not a row of a ledger: 14 cells expected, found 2");
  CHECK(refusal_of(kHeader + row("v1", "", "two", "c", "d")) ==
        ":2: not a row of a ledger: a whole number expected, found 'two'");
  CHECK(refusal_of(kHeader + whole + "\n") == ":3: not a row of a ledger: 14 cells expected, found 1");
  CHECK(refusal_of(kHeader + "\"open\n") == ":2: not a row of a ledger: a quote is not closed");
  std::string no_json = whole;
  no_json.replace(no_json.find("1}"), 2, "1]");
  CHECK(refusal_of(kHeader + no_json).starts_with(":2: not a row of a ledger: JSON expected, found '{\"a,b\": 1]'"));
}

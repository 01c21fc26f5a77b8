#include "bars/csv.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <random>
#include <string>

#include "bars/error.hpp"
#include "bars/file.hpp"
#include "bars/number.hpp"

using namespace sentio;

namespace {

/// A file that is gone at the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_(std::filesystem::temp_directory_path() / ("sentio_csv_test_" + std::to_string(std::random_device()()))) {
    write_file(path_, content);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

CsvBars read(const std::string& content, OnBadBar on_bad_bar = OnBadBar::refuse) {
  return read_csv(TemporaryFile(content).path(), on_bad_bar);
}

std::string complaint(const std::string& content) {
  const TemporaryFile file(content);
  try {
    static_cast<void>(read_csv(file.path()));
  } catch (const InputError& error) {
    return std::string(error.what()).substr(file.path().string().size());
  }
  return "no complaint";
}

const std::string kHeader = "ts,open,high,low,close,volume\n";

}  // namespace

TEST_CASE("a plain file is read") {
  const Bars bars = read(kHeader + "1970-01-01,1,2,0.5,1.5,10\n86400,1.5,3,1,2.5,0").bars;
  REQUIRE(bars.size() == 2);
  CHECK(bars[0] == Bar{0, 1.0, 2.0, 0.5, 1.5, 10.0});
  CHECK(bars[1] == Bar{86'400'000'000'000, 1.5, 3.0, 1.0, 2.5, 0.0});
}

TEST_CASE("a bad line is refused with its place, or dropped and counted") {
  const std::string text = kHeader + "0,1,2,0.5,1.5,10\n1,1,2x,0.5,1.5,10\n2,1,2y,0.5,1.5,10\n3,1,2,0.5,1.5,-1\n";
  CHECK(complaint(text) == ":3:5: high is not a number: '2x'");
  const CsvBars read_bars = read(text, OnBadBar::skip);
  CHECK(read_bars.bars.size() == 1);
  REQUIRE(read_bars.skipped.size() == 2);
  CHECK(read_bars.skipped[0].kind == "high is not a number");
  CHECK(read_bars.skipped[0].count == 2);
  CHECK(read_bars.skipped[1].kind == "volume is not valid");
}

TEST_CASE("each empty line between bars is counted") {
  const CsvBars read_bars = read(kHeader + "0,1,2,0.5,1.5,10\n\n \t\n\r\n3,1,2,0.5,1.5,10\n\n\n", OnBadBar::skip);
  CHECK(read_bars.bars.size() == 2);
  REQUIRE(read_bars.skipped.size() == 1);
  CHECK(read_bars.skipped[0].count == 3);
  CHECK(read_bars.skipped[0].first.ends_with(":3:1: empty line between bars"));
}

TEST_CASE("a dropped bar does not decide the unit of the times") {
  const std::string text = kHeader + "1,-1,2,0.5,1.5,10\n1704205800000,1,2,0.5,1.5,10\n1704205860000,1,2,0.5,1.5,10\n";
  CHECK(read(text, OnBadBar::skip).bars.size() == 2);
}

TEST_CASE("what is said of a skipped bar is one printable line") {
  const CsvBars read_bars = read(kHeader + "0,1,2,0.5,1.5,10\n1,\x1b[2J\xf4,2,0.5,1.5,10\n", OnBadBar::skip);
  REQUIRE(read_bars.skipped.size() == 1);
  CHECK(read_bars.skipped[0].first.ends_with(":3:3: open is not a number: '?[2J?'"));
}

TEST_CASE("pieces of a file are the file, whatever their size") {
  const TemporaryFile file(kHeader + "0,1,2,0.5,1.5,10\n1,1,2x,0.5,1.5,10\n\n2,1,2,0.5,1.5,10\n1,1,2,0.5,1.5,10\n\n");
  const CsvBars all = read_csv(file.path(), OnBadBar::skip);
  for (std::size_t size = 1; size <= 3; ++size) {
    CsvReader reader(file.path(), OnBadBar::skip);
    std::vector<std::int64_t> times;
    for (Bars piece = reader.next(size); !piece.empty(); piece = reader.next(size)) {
      CHECK(piece.size() <= size);
      times.insert(times.end(), piece.time_ns.begin(), piece.time_ns.end());
    }
    CHECK(times == all.bars.time_ns);
    REQUIRE(reader.skipped().size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(reader.skipped()[i].count == all.skipped[i].count);
      CHECK(reader.skipped()[i].first == all.skipped[i].first);
    }
  }
}

TEST_CASE("a file that has no bars is refused") {
  CHECK(complaint("") == ": is empty");
  CHECK(complaint(kHeader) == ": has no valid bars");
  CHECK(complaint("ts,open,high,low,close\n") ==
        ":1:1: the header has no column volume, found 'ts,open,high,low,close'");
  CHECK_THROWS_AS(static_cast<void>(read_csv("/nowhere/at all.csv")), InputError);
}

TEST_CASE("lines are whole across the borders of the read buffer") {
  // More than one MiB of lines of changing length.
  std::string text = kHeader;
  std::mt19937 random(1);
  double volumes = 0.0;
  constexpr int kLines = 60'000;
  for (int i = 0; i < kLines; ++i) {
    const int volume = static_cast<int>(random() % 1'000'000);
    volumes += volume;
    text += std::to_string(i) + ",1,2,0.5,1.5," + std::to_string(volume) + (i % 2 == 0 ? "\n" : "\r\n");
  }
  REQUIRE(text.size() > (1 << 20));
  const Bars bars = read(text).bars;
  REQUIRE(bars.size() == kLines);
  double found = 0.0;
  for (const double volume : bars.volume) found += volume;
  CHECK(found == volumes);  // whole numbers: exact
}

TEST_CASE("numbers are whole or not numbers") {
  CHECK(parse_number("1.5") == 1.5);
  CHECK(parse_number("+1.5e3") == 1500.0);
  CHECK(parse_number("-.5") == -0.5);
  CHECK(parse_number("9007199254740993") == 9007199254740992.0);  // a tie, to even
  CHECK(parse_number("0.1") == 0.1);
  for (const char* text : {"", "+", "-", ".", "1x", " 1", "1 ", "+-1", "++1", "--1", "1e", "0x10", "1e999", "1,5"})
    CHECK_MESSAGE(!parse_number(text), text);
  CHECK(format_number(0.1) == "0.1");
  CHECK(format_number(1e30) == "1e+30");
  CHECK(format_number(0.1F) == "0.1");
}

TEST_CASE("the fast way to read a number gives the bits of the careful one") {
  std::mt19937_64 random(2);
  int taken = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string text = std::to_string(random() >> (random() % 64));
    if (const std::size_t point = random() % (text.size() + 1); point > 0) text.insert(point, ".");
    const std::string line = text + ',';
    const char* p = line.data();
    double fast = 0.0;
    if (!parse_plain_number(p, fast)) continue;
    ++taken;
    CHECK(*p == ',');
    CHECK(parse_number(text) == fast);
  }
  CHECK(taken > 50'000);
}

#include "backtest/report.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <string>

#include "backtest/table.hpp"
#include "backtest/text.hpp"
#include "bars/file.hpp"
#include "bars/number.hpp"
#include "bars/sha256.hpp"
#include "bars/time.hpp"
#include "market.hpp"
#include "scratch.hpp"

using namespace sentio;
using namespace sentio::test;

namespace {

namespace fs = std::filesystem;
using Series = std::vector<double>;

/// A report on the last 5 days of `bars`, which must outlive it; on random decisions if there are none.
Report report_of(const Bars& bars, std::optional<DataSpans> spans = std::nullopt, bool synthetic = false,
                 std::vector<Decision> decisions = {}) {
  RunOptions options;
  std::vector<Period> periods = last_periods(session_days(bars.time_ns, options.calendar), PeriodUnit::day, 5);
  options.begin = periods.front().range.begin;
  if (decisions.empty()) decisions = random_decisions(bars.size(), 2);
  Run run = run_decisions(bars.view(), std::move(decisions), options);
  const Context context{.spans = spans, .synthetic = synthetic, .periods = periods};
  Analysis analysis = analyse(run, bars.view(), options, context);
  Subject subject{.verb = "tpa_test",
                  .program_version = "test",
                  .symbol = "XYZ",
                  .bars_file = "XYZ.csv",
                  .bars_hash = "sha256:00",
                  .skipped = {},
                  .synthetic = synthetic ? nlohmann::ordered_json{{"seed", 7}} : nlohmann::ordered_json(),
                  .strategy = {{"name", "random"}},
                  .strategy_label = "random",
                  .notes = {},
                  .warmup = 3};
  return {std::move(subject), bars.view(), options, std::move(run), std::move(analysis)};
}

/// 40 sessions of 50 bars. Reports look at them, so they outlive all of them.
const Bars& session_bars() {
  static const Bars bars = [] {
    Bars made = random_bars(2000, 6);
    for (std::size_t i = 0; i < made.size(); ++i) {
      const auto session = static_cast<std::int64_t>(i / 50), minute = static_cast<std::int64_t>(i % 50);
      made.time_ns[i] = kMonday + session * kDayNs + minute * kMinuteNs;
    }
    return made;
  }();
  return bars;
}

DataSpans trained_until(const Bars& bars, std::size_t last_trained, std::size_t last_validated) {
  return {.train = TimeSpan{bars.time_ns.front(), bars.time_ns[last_trained]},
          .validation = TimeSpan{bars.time_ns[last_trained + 1], bars.time_ns[last_validated]},
          .test = std::nullopt};
}

void check_width(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK(line.size() <= kTextWidth);
    CHECK_FALSE(line.ends_with(' '));
  }
}

}  // namespace

TEST_CASE("a measured bar that trained the model is in the verdict's first line") {
  const Bars& bars = session_bars();
  const Report report = report_of(bars, trained_until(bars, 1799, 1809), true);
  CHECK(report.analysis.verdict.front() ==
        "IN-SAMPLE: 60 of 250 measured bars trained or tuned this model; the figures are no evidence of skill.");
  CHECK(report.analysis.verdict[1].starts_with("SYNTHETIC DATA"));
  CHECK(report.analysis.readiness->stage == Stage::none);
  CHECK(report.analysis.rows[0].sample == Sample::train);
  CHECK(report.analysis.rows[1].sample == Sample::validation);
  CHECK(report.analysis.rows[2].sample == Sample::out_of_sample);
}

TEST_CASE("a model that does not say what it was trained on is not called out of sample") {
  const Bars& bars = session_bars();
  const Report report = report_of(bars, DataSpans{});
  CHECK(report.analysis.verdict.front().starts_with("UNKNOWN SAMPLE"));
  CHECK(report.analysis.rows[0].sample == Sample::unknown);
}

TEST_CASE("out-of-sample bars are not called in-sample") {
  const Bars& bars = session_bars();
  const Report report = report_of(bars, trained_until(bars, 1000, 1200));
  CHECK(report.analysis.verdict.front().starts_with("Readiness"));
  CHECK(seen_bars(report.analysis.samples) == 0);
}

TEST_CASE("synthetic bars are named in text and JSON") {
  const Report report = report_of(session_bars(), std::nullopt, true);
  CHECK(to_text(report, false).find("SYNTHETIC DATA") != std::string::npos);
  CHECK(to_json(report)["bars"]["synthetic"]["seed"] == 7);
  CHECK(report.analysis.readiness->stage <= Stage::virtual_market);
}

TEST_CASE("the periods' returns compound to the total, and their trades, fills and costs add up") {
  const Report report = report_of(session_bars());
  double growth = 1.0, costs = 0.0;
  std::size_t trades = 0, fills = 0, bars = 0;
  for (const PeriodRow& row : report.analysis.rows) {
    growth *= 1.0 + *row.measures.total_return;
    costs += row.measures.costs.total();
    trades += row.measures.trades.count;
    fills += row.measures.fills;
    bars += row.measures.bars;
  }
  const Measures& total = report.analysis.total;
  CHECK(growth == doctest::Approx(1.0 + *total.total_return).epsilon(1e-12));
  CHECK(costs == doctest::Approx(total.costs.total()).epsilon(1e-12));
  CHECK(trades == total.trades.count);
  CHECK(fills == total.fills);
  CHECK(bars == total.bars);
  CHECK(*total.total_return == doctest::Approx(report.run.equity.back() / report.run.capital - 1.0));
}

TEST_CASE("the buy-and-hold column is the buy_and_hold strategy") {
  const Bars& bars = session_bars();
  const std::vector<Decision> hold(bars.size(), {.exposure = 1.0, .reason = "hold"});
  const Report report = report_of(bars, std::nullopt, false, hold);
  CHECK(report.analysis.buy_and_hold.end_equity == report.analysis.total.end_equity);
  CHECK(report.analysis.buy_and_hold_run.fills.size() == 1);
}

TEST_CASE("the signal is compared with the return from the next open to the one after") {
  const Bars bars = flat_bars({100.0, 100.0, 110.0, 99.0});
  auto decisions = decisions_of({1.0, -1.0, 1.0, 1.0});
  const Series forward = forward_returns(bars.view(), {0, 4});
  CHECK(signals_of(run_decisions(bars.view(), decisions, {})) == Series{1.0, -1.0, 1.0, 1.0});
  CHECK(forward[0] == doctest::Approx(std::log(1.1)));
  CHECK(forward[1] == doctest::Approx(std::log(0.9)));
  CHECK(std::isnan(forward[2]));
  CHECK(std::isnan(forward[3]));

  decisions[1].probability = 0.75;
  const Series probable = signals_of(run_decisions(bars.view(), decisions, {}));
  CHECK(std::isnan(probable[0]));
  CHECK(probable[1] == 0.25);
}

TEST_CASE("a run without trades has null figures, not zeros") {
  const Bars& bars = session_bars();
  const Report report = report_of(bars, std::nullopt, false, std::vector<Decision>(bars.size()));
  const auto json = to_json(report);
  const auto& metrics = json["metrics"];
  for (const char* key : {"sharpe", "sortino", "calmar"}) CHECK(metrics[key].is_null());
  for (const char* key : {"win_rate", "profit_factor", "average_win", "average_loss", "expectancy"}) {
    CHECK(metrics["trades"][key].is_null());
  }
  CHECK(metrics["signal"]["information_coefficient"].is_null());
  CHECK(metrics["signal"]["hit_rate"].is_null());
  CHECK(json["periods"][0]["metrics"]["sharpe"].is_null());
  CHECK(metrics["total_return"] == 0.0);
  CHECK(report.analysis.readiness->stage == Stage::none);
  check_width(to_text(report, false));
}

TEST_CASE("nothing is annualised from fewer than 20 sessions, and the report says so once") {
  const Report report = report_of(session_bars());
  const Measures& m = report.analysis.total;
  CHECK(m.not_annualised == "not annualised: 5 sessions");
  CHECK(m.sharpe_of_stretch);
  for (const auto& figure : {m.annualised_return, m.monthly_return, m.volatility, m.sharpe, m.sharpe_standard_error,
                             m.sortino, m.calmar, m.annual_turnover, m.sessions.sharpe})
    CHECK_FALSE(figure);
  CHECK(m.turnover);
  const std::string text = to_text(report, false);
  CHECK(text.find("annualised return") == std::string::npos);
  CHECK(text.find("not annualised: 5 sessions") == text.rfind("not annualised"));
}

TEST_CASE("the evidence of the Sharpe ratio is that of the strategy's session returns") {
  const Bars& bars = session_bars();
  const RunOptions options;
  const Run run = run_decisions(bars.view(), random_decisions(bars.size(), 2), options);
  const Context context{.spans = std::nullopt, .periods = {}, .trials = {.count = 7, .from = "test"}};
  const Analysis analysis = analyse(run, bars.view(), options, context);
  CHECK(analysis.evidence.sessions == 40);
  CHECK(analysis.evidence.trials.count == 7);
  const double per_year = analysis.periods_per_year.value / 50.0;
  CHECK(*analysis.evidence.sharpe_per_session * std::sqrt(per_year) ==
        doctest::Approx(*analysis.total.sessions.sharpe));
  CHECK(*analysis.evidence.sharpe_low < *analysis.total.sessions.sharpe);
  CHECK(*analysis.evidence.sharpe_high > *analysis.total.sessions.sharpe);
  const Report few = report_of(bars);
  CHECK(few.analysis.evidence.sessions == 5);
  CHECK(to_text(few, false).find("evidence") == std::string::npos);
  const Report report{few.subject, bars.view(), options, run, analysis};
  CHECK(to_text(report, false).find("deflated for 7 trials") != std::string::npos);
  check_width(to_text(report, false));
}

TEST_CASE("20 sessions are annualised and 19 are not") {
  const Bars& bars = session_bars();
  const std::vector<std::int32_t> sessions = session_days(bars.time_ns, session_calendars().front());
  const Run run = run_decisions(bars.view(), random_decisions(bars.size(), 2), {});
  const Series forward = forward_returns(bars.view(), {0, bars.size()});
  const PeriodsPerYear per_year{252.0 * 50.0, 252.0, "given"};
  const Measurer measure(run, bars.view(), sessions, forward, per_year);
  const Measures enough = measure({0, 20 * 50}), few = measure({0, 19 * 50});
  CHECK_FALSE(enough.not_annualised);
  CHECK(few.not_annualised == "not annualised: 19 sessions");
  CHECK(*enough.sharpe == doctest::Approx(*enough.sharpe_of_stretch * std::sqrt(252.0 / 20.0)));
  CHECK(enough.annual_turnover);
  CHECK(enough.sessions.sharpe);
}

TEST_CASE("the JSON report has a version, a stable order of keys, and depends on the run only") {
  const Bars& bars = session_bars();
  const auto json = to_json(report_of(bars));
  CHECK(json["schema_version"] == kReportSchema);
  std::string keys;
  for (const auto& [key, value] : json.items()) keys += key + " ";
  CHECK(keys ==
        "schema_version verb sentio_version symbol strategy bars costs broker measured periods_per_year verdict notes "
        "metrics buy_and_hold evidence periods spread readiness fills_hash ");
  CHECK(json.dump() == to_json(report_of(bars)).dump());
}

TEST_CASE("the hash of the fills is the hash of fills.csv, and tells runs apart") {
  const Report report = report_of(session_bars());
  CHECK(fills_hash(report.run) == "sha256:" + sha256_hex(fills_csv(report.run)));
  Run other = report.run;
  other.fills.back().price = std::nextafter(other.fills.back().price, 0.0);
  CHECK(fills_hash(other) != fills_hash(report.run));
}

TEST_CASE("no line of the table is wider than 100 columns, and only colour adds escapes") {
  Report report = report_of(session_bars(), std::nullopt, true);
  report.subject.notes = {"A long note, " + std::string(30, 'x') + " " + std::string(60, 'y') +
                          " and what follows it."};
  const std::string plain = to_text(report, false), coloured = to_text(report, true);
  check_width(plain);
  CHECK(plain.find('\033') == std::string::npos);
  CHECK(coloured.find('\033') != std::string::npos);
}

TEST_CASE("the report folder holds four files and replaces only an earlier report") {
  const Scratch folder("report");
  const Report report = report_of(session_bars());
  write_folder(report, folder.path());
  write_folder(report, folder.path() / "");  // with a slash at its end, over the first
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder.path())) files += entry.is_regular_file();
  CHECK(files == 4);
  CHECK(read_file(folder.path() / "fills.csv") == fills_csv(report.run));
  CHECK(read_file(folder.path() / "report.json") == to_json(report).dump(2) + "\n");
  CHECK(std::ranges::none_of(fs::directory_iterator(folder.path().parent_path()), [&](const auto& entry) {
    const std::string name = entry.path().filename().string(), own = folder.path().filename().string();
    return name != own && name.starts_with(own);
  }));
  fs::path left = folder.path();
  left += ".part" + std::to_string(getpid());  // by a killed process of our number
  fs::create_directories(left);
  write_file(left / "mine.txt", "of another report");
  write_file(folder.path() / "report.html", "a page of the report before");
  write_folder(report, folder.path());
  CHECK_FALSE(fs::exists(folder.path() / "report.html"));
  CHECK_FALSE(fs::exists(folder.path() / "mine.txt"));
  write_file(folder.path() / "mine.txt", "keep");
  CHECK_THROWS_WITH_AS(write_folder(report, folder.path()),
                       (folder.path().string() + ": holds files that are not a report, name another folder").c_str(),
                       std::invalid_argument);
  CHECK(fs::exists(folder.path() / "mine.txt"));
}

TEST_CASE("buy-and-hold is held whole and to the end, whatever the strategy's own limits") {
  const Bars& bars = session_bars();
  RunOptions options;
  options.broker.max_exposure = 0.5;
  options.protection = {.stop_loss = 0.001, .take_profit = 0.001};
  options.flat_at_close = true;
  const Run run = run_decisions(bars.view(), random_decisions(bars.size(), 2), options);
  const Run held = analyse(run, bars.view(), options, {}).buy_and_hold_run;
  REQUIRE(held.fills.size() == 1);
  CHECK(held.position.back() * held.fills[0].price > 0.99 * held.capital);
}

TEST_CASE("a table that is written in pieces has every line whole, once") {
  const std::size_t bars = 20'000;  // over a megabyte of equity.csv, so many pieces
  const Bars many = random_bars(bars, 3);
  RunOptions options;
  options.broker.fractional = true;
  Run run = run_decisions(many.view(), random_decisions(bars, 5), options);
  const Context context{.spans = {}, .synthetic = false, .periods = {}};
  Analysis analysis = analyse(run, many.view(), options, context);
  Report report = report_of(session_bars());
  report = {report.subject, many.view(), options, std::move(run), std::move(analysis)};
  const Scratch folder("report");
  write_folder(report, folder.path());
  std::istringstream lines(read_file(folder.path() / "equity.csv"));
  std::string line;
  std::getline(lines, line);
  CHECK(line == "ts,open,close,position,equity,buy_and_hold_equity");
  for (std::size_t i = 0; i < bars; ++i) {
    REQUIRE(std::getline(lines, line));
    REQUIRE(line == format_time(many.time_ns[i]) + ',' + format_number(many.open[i]) + ',' +
                        format_number(many.close[i]) + ',' + format_number(report.run.position[i]) + ',' +
                        format_number(report.run.equity[i]) + ',' +
                        format_number(report.analysis.buy_and_hold_run.equity[i]));
  }
  CHECK_FALSE(std::getline(lines, line));
  CHECK(sha256_hex(read_file(folder.path() / "fills.csv")) == fills_hash(report.run).substr(7));
}

TEST_CASE("equity.csv has a row per measured bar and decisions.csv the decision before them too") {
  const Scratch folder("report");
  const Report report = report_of(session_bars());
  write_folder(report, folder.path());
  const auto lines = [&](const char* name) {
    const std::string text = read_file(folder.path() / name);
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  };
  CHECK(lines("equity.csv") == report.run.size() + 1);
  CHECK(lines("decisions.csv") == report.run.size() + 2);
}

TEST_CASE("numbers are grouped and rounded for people, and what is undefined is a dash") {
  CHECK(grouped(std::size_t{1234567}) == "1,234,567");
  CHECK(grouped(std::size_t{999}) == "999");
  CHECK(grouped(-1234.567, 2) == "-1,234.57");
  CHECK(grouped(-999.0, 0) == "-999");
  CHECK(grouped(-0.001, 2) == "0.00");
  CHECK(grouped(std::nullopt, 2) == "-");
  CHECK(percent(0.01234) == "1.23%");
  CHECK(percent(12.5, 0) == "1,250%");
  CHECK(percent(std::nullopt) == "-");
  CHECK(counted(1, "bar") == "1 bar");
  CHECK(counted(2000, "bar") == "2,000 bars");
}

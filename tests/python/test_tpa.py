"""tpa_test and backtest of several symbols, what they say of periods, and how many trials they allow for."""

import json
import math
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_support import SENTIO_CLI, report_of, run_cli
from sentio_features import read_csv
from sentio_inference import Artifact, ArtifactError, backtest
from test_ledger import TRIAL
from training_support import Project, make_project

from sentio_trainer import ledger
from sentio_trainer.report import Silence
from sentio_trainer.trainers.tfa import train

RULE = ("--strategy", "sma_cross", "--params", "fast=3,slow=10,allow_short=true")
MINUTE = 60
REAL = Path(__file__).resolve().parents[3] / "shared" / "data"


def write_bars(path: Path, *, phase: float, sessions: int = 6, bars: int = 120) -> Path:
    """Minute bars from 09:30 in New York on, on the weekdays from 2024-02-05 on."""
    lines = ["ts,open,high,low,close,volume"]
    price = 100.0
    for session in range(sessions):
        day = session + 2 * (session // 5)
        for bar in range(bars):
            i = session * bars + bar
            following = round(100.0 + 5.0 * math.sin(0.05 * i + phase) + 0.5 * math.sin(1.7 * i), 4)
            ts = 1_707_143_400 + day * 86_400 + bar * MINUTE
            lines.append(f"{ts},{price},{max(price, following)},{min(price, following)},{following},1000")
            price = following
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tpa")
    for number, symbol in enumerate(("AAA", "BBB", "CCC")):
        write_bars(folder / f"{symbol}.csv", phase=number)
    write_bars(folder / "LATE.csv", phase=3.0, sessions=8)
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_several_symbols_give_the_reports_of_each_alone_whatever_the_jobs(data: Path, tmp_path: Path) -> None:
    command = ("tpa_test", "AAA", "BBB", "CCC", "--data-dir", data, *RULE, "--days", "3")
    runs = [
        run_cli(*command, "--jobs", jobs, "--json", tmp_path / f"{jobs}.json", "--out", tmp_path / jobs, cwd=data)
        for jobs in ("1", "3")
    ]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "3.json").read_bytes()
    assert content_of(tmp_path / "1") == content_of(tmp_path / "3")
    document = json.loads((tmp_path / "1.json").read_text())
    alone = [
        report_of("tpa_test", symbol, "--data-dir", data, *RULE, "--days", "3", cwd=data)
        for symbol in ("AAA", "BBB", "CCC")
    ]
    assert document["symbols"] == alone
    for report in alone:
        assert json.loads((tmp_path / "1" / report["symbol"] / "report.json").read_text()) == report
    texts = [
        run_cli("tpa_test", symbol, "--data-dir", data, *RULE, "--days", "3", cwd=data).stdout
        for symbol in ("AAA", "BBB", "CCC")
    ]
    assert runs[0].stdout.startswith("\n".join(texts))
    assert max(map(len, runs[0].stdout.splitlines())) <= 100


def test_the_summary_is_of_the_reports(data: Path) -> None:
    document = report_of("tpa_test", "AAA", "BBB", "--data-dir", data, *RULE, "--days", "3", cwd=data)
    summary, reports = document["summary"], document["symbols"]
    returns = [report["metrics"]["total_return"] for report in reports]
    assert [row["total_return"] for row in summary["symbols"]] == returns
    assert [row["stage"] for row in summary["symbols"]] == [report["readiness"]["stage"] for report in reports]
    assert summary["mean"]["total_return"] == pytest.approx(sum(returns) / 2)
    assert summary["worst"]["total_return"] == min(returns)
    assert summary["worst"]["max_drawdown"] == max(report["metrics"]["max_drawdown"]["depth"] for report in reports)
    # Accounts of one size that nobody rebalances: their returns have one weight.
    assert summary["portfolio"]["total_return"] == pytest.approx(sum(returns) / 2)
    other = report_of("tpa_test", "AAA", "LATE", "--data-dir", data, *RULE, "--days", "3", cwd=data)
    assert other["summary"]["portfolio"] is None


def test_a_symbol_that_fails_is_named_and_stops_no_other(data: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("t,o,h,l,c,v\n60,2,3,1,2,0\n120,2,2x,1,2,0\n")
    done = run_cli(
        *("backtest", "BAD", "NONE", "AAA", "--data-dir", data, "--bars", f"BAD={tmp_path / 'bad.csv'}", *RULE),
        *("--out", tmp_path / "out", "--json", tmp_path / "x.json"),
        cwd=data,
    )
    assert done.returncode == 3
    first, second = done.stderr.splitlines()
    assert first == f"sentio_cli: BAD: {tmp_path / 'bad.csv'}:3:7: high is not a number: '2x'"
    assert second.startswith("sentio_cli: NONE: ")
    alone = run_cli("backtest", "AAA", "--data-dir", data, *RULE, cwd=data)
    assert done.stdout == alone.stdout + "\n"
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("AAA", "AAA"), "symbols must differ, 'AAA' is given twice"),
        (("AAA", "BBB", "--bars", "AAA.csv"), None),
        (("AAA", "BBB", "--bars", "AAA=AAA.csv", "--bars", "AAA=BBB.csv"), "--bars names 'AAA' twice"),
        (("AAA", "BBB", "--jobs", "0"), "jobs must be at least 1, found 0"),
        (("AAA", "BBB", "--trials", "0"), "trials must be at least 1, found 0"),
        (("AAA", "a/b", "--out", "x"), "symbol 'a/b' cannot name a folder in --out"),
    ],
)
def test_a_wrong_call_is_one_line(data: Path, arguments: tuple[str, ...], message: str | None) -> None:
    done = run_cli("backtest", *arguments, "--data-dir", data, *RULE, cwd=data)
    assert (done.returncode, done.stdout) == (2, "")
    text = message or "--bars must be given once per symbol, 2, found 1; or say whose with --bars SYMBOL=FILE"
    assert done.stderr == f"sentio_cli: {text}\n"


def test_bars_are_given_in_the_order_of_the_symbols_or_by_name(data: Path) -> None:
    def files(*arguments: str) -> list[str]:
        document = report_of("backtest", "X", "Y", "--data-dir", data, *arguments, *RULE, cwd=data)
        return [report["bars"]["file"] for report in document["symbols"]]

    assert files("--bars", "AAA.csv", "--bars", "BBB.csv") == ["AAA.csv", "BBB.csv"]
    assert files("--bars", "Y=AAA.csv", "--bars", "BBB.csv") == ["BBB.csv", "AAA.csv"]


def test_a_folder_of_reports_is_replaced_as_a_whole_and_nothing_else_is(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for symbols in (("AAA", "BBB"), ("BBB", "CCC")):
        assert run_cli("backtest", *symbols, "--data-dir", data, *RULE, "--out", out, cwd=data).returncode == 0
        assert sorted(path.name for path in out.iterdir()) == [*symbols, "summary.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    # A run that was killed left its half behind, and another process got its number.
    shell = f'mkdir -p "{out}.part$$/OLD" && exec "$0" "$@"'
    command = [str(SENTIO_CLI), "backtest", "AAA", "BBB", "--data-dir", str(data), *RULE, "--out", str(out)]
    subprocess.run(["/bin/sh", "-c", shell, *command], check=True, stdout=subprocess.DEVNULL)
    assert sorted(path.name for path in out.iterdir()) == ["AAA", "BBB", "summary.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    (out / "mine.txt").write_text("keep")
    done = run_cli("backtest", "AAA", "BBB", "--data-dir", data, *RULE, "--out", out, cwd=data)
    assert (done.returncode, done.stdout) == (2, "")
    assert (out / "mine.txt").read_text() == "keep"


def test_an_interrupted_run_of_several_symbols_leaves_nothing_half_written(data: Path, tmp_path: Path) -> None:
    outputs = ("--out", str(tmp_path / "out"), "--json", str(tmp_path / "all.json"))
    command = [str(SENTIO_CLI), "backtest", "AAA", "BBB", "CCC", "--data-dir", str(data), *RULE, *outputs]
    whole = {"AAA", "BBB", "CCC", "summary.json"}
    for wait in (0.0, 0.01, 0.02, 0.03, 0.05, 0.08):
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        time.sleep(wait)
        running.send_signal(signal.SIGINT)
        running.wait(timeout=60)
        names = {path.name for path in tmp_path.iterdir()}
        assert names <= {"out", "all.json"}, names
        if "out" in names:
            assert {path.name for path in (tmp_path / "out").iterdir()} == whole
            assert all(len(list((tmp_path / "out" / each).iterdir())) >= 4 for each in ("AAA", "BBB", "CCC"))


def test_periods_that_the_bars_cover_in_part_are_marked(data: Path) -> None:
    # 2024-02-05 to 02-12, two hours a session: no session is whole, and of the file's edges that is known.
    report = report_of("tpa_test", "AAA", "--data-dir", data, *RULE, "--days", "2", cwd=data)
    assert [row["partial"] for row in report["periods"]] == [None, "120 of 390 minutes"]
    report = report_of("tpa_test", "AAA", "--data-dir", data, *RULE, "--months", "1", cwd=data)
    assert report["periods"][0]["partial"].endswith("of 20")
    text = run_cli("tpa_test", "AAA", "--data-dir", data, *RULE, "--months", "1", cwd=data).stdout
    assert "2024-02*" in text
    assert "* partial: 2024-02 has" in text


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("tpa") / "project", days=12)
    train(project.load(), overwrite=False, report=Silence())
    return project


TFA = ("tpa_test", "QQQ", "--bars", "bars.csv", "--strategy", "tfa")


def test_a_period_says_which_share_of_it_the_model_has_seen(project: Project) -> None:
    report = report_of(*TFA, "--weeks", "2", cwd=project.root)
    spans = project.metadata()["data"]
    bars = read_csv(project.root / "bars.csv")
    for row in report["periods"]:
        within = (bars.ts >= nanoseconds(row["first"])) & (bars.ts <= nanoseconds(row["last"]))
        seen = np.zeros(len(bars), dtype=bool)
        for part in ("train", "validation"):
            first, last = map(nanoseconds, spans[part])
            seen |= (bars.ts >= first) & (bars.ts <= last)
        assert row["seen_share"] == pytest.approx(seen[within].mean())
    shares = [row["seen_share"] for row in report["periods"]]
    assert any(0.0 < share < 1.0 for share in shares)
    text = run_cli(*TFA, "--weeks", "2", cwd=project.root).stdout
    share = next(share for share in shares if 0.0 < share < 1.0)
    assert f" {100 * share:.0f}%" in text
    assert max(map(len, text.splitlines())) <= 100


def nanoseconds(text: str) -> int:
    return int(np.datetime64(text.rstrip("Z"), "ns").astype(np.int64))


def trials_of(report: dict[str, Any]) -> int:
    count: int = report["evidence"]["trials"]["count"]
    return count


def test_the_trials_are_those_that_the_trainer_counts(project: Project) -> None:
    path = ledger.ledger_path(project.artifact)
    before = path.read_bytes()
    own = ledger.read(path)[-1]
    try:
        for number in range(7):
            ledger.append(
                path,
                replace(
                    TRIAL,
                    version=f'v,"{number}"',
                    study="wide" if number % 2 else None,
                    status="pruned" if number % 2 else "finished",
                    changed={"training.lr": 0.1 * number, 'a "quoted", key': "é"},
                    epoch=None if number == 3 else number + 1,
                    config_hash=f"sha256:{number // 2}",
                    data_hash="sha256:other" if number == 6 else own.data_hash,
                ),
            )
        expected = ledger.count(path, data_hash=own.data_hash)
        assert expected == 4  # the model itself, and configurations 0, 1, 2
        report = report_of(*TFA, cwd=project.root)
        assert trials_of(report) == expected
        assert ledger.count(path) == expected + 1
        assert report["evidence"]["trials"]["from"] == "the ledger, trials.csv, on the model's data; 5 on any"
        bars = read_csv(project.root / "bars.csv")
        artifact = Artifact.load(project.artifact)
        assert trials_of(dict(backtest(bars, "tfa", artifact=artifact))) == expected
        assert trials_of(dict(backtest(bars, "tfa", artifact=artifact, trials=9))) == 9
        assert trials_of(report_of(*TFA, "--trials", "9", cwd=project.root)) == 9
    finally:
        path.write_bytes(before)


def test_a_missing_ledger_is_said_and_a_broken_one_refused(project: Project) -> None:
    path = ledger.ledger_path(project.artifact)
    before = path.read_bytes()
    bars = read_csv(project.root / "bars.csv")
    try:
        path.unlink()
        report = report_of(*TFA, cwd=project.root)
        assert trials_of(report) == 1
        assert any("no ledger" in note for note in report["notes"])
        path.write_bytes(before + b"a,b\n")
        done = run_cli(*TFA, cwd=project.root)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr == (
            f"sentio_cli: artifacts/TFA/trials.csv:{before.count(bytes([10])) + 1}: "
            "not a row of a ledger: 14 cells expected, found 2\n"
        )
        with pytest.raises(ArtifactError, match="14 cells expected, found 2"):
            backtest(bars, "tfa", artifact=Artifact.load(project.artifact))
        assert trials_of(report_of(*TFA, "--trials", "2", cwd=project.root)) == 2
    finally:
        path.write_bytes(before)


def test_a_rule_is_taken_for_the_only_one_tried_unless_said(data: Path) -> None:
    command = ("tpa_test", "AAA", "--data-dir", data, *RULE)
    assert "Trials: 1, taken for the only one tried." in run_cli(*command, cwd=data).stdout
    assert "Trials: 40, given by --trials." in run_cli(*command, "--trials", "40", cwd=data).stdout


def test_readiness_has_seven_criteria_the_last_the_deflated_sharpe(data: Path) -> None:
    criteria = report_of("tpa_test", "AAA", "--data-dir", data, *RULE, cwd=data)["readiness"]["criteria"]
    assert len(criteria) == 7
    assert (criteria[-1]["name"], criteria[-1]["limit"]) == ("deflated Sharpe ratio", 0.95)


@pytest.mark.parametrize(
    ("file", "calendar", "unit", "count"),
    [
        ("SPY_1m.csv.gz", "us_equity", "days", 60),
        ("SPY_1m_2011.csv.gz", "us_equity", "weeks", 8),
        ("BTCUSD_1m.csv.gz", "utc_day", "months", 12),
        ("SPY_1d.csv", "us_equity", "quarters", 93),
        ("EURUSD_1h.csv", "utc_day", "months", 12),
    ],
)
def test_periods_of_real_bars_fill_the_measured_stretch_within_100_columns(
    file: str, calendar: str, unit: str, count: int
) -> None:
    path = REAL / file
    if not path.exists():
        pytest.skip(f"the recorded bars {file} are not beside this project, in ../shared/data")
    command = ("tpa_test", "X", "--bars", path, "--strategy", "sma_cross", "--session", calendar, "--fractional")
    report = report_of(*command, f"--{unit}", str(count), cwd=REAL)
    rows = report["periods"]
    assert len(rows) == count
    assert sum(row["metrics"]["bars"] for row in rows) == report["metrics"]["bars"]
    growth = math.prod(1.0 + row["metrics"]["total_return"] for row in rows)
    # Products of returns in another order than the bars'.
    assert growth - 1.0 == pytest.approx(report["metrics"]["total_return"], rel=1e-9)
    held = math.prod(1.0 + row["buy_and_hold_return"] for row in rows)
    assert held - 1.0 == pytest.approx(report["buy_and_hold"]["total_return"], rel=1e-9)
    text = run_cli(*command, f"--{unit}", str(count), cwd=REAL).stdout
    assert max(map(len, text.splitlines())) <= 100

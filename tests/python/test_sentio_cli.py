"""The `sentio_cli` program from outside: exit codes, one line per error, whole files or none."""

import csv
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[2]
SPEC = REPOSITORY / "configs/features/sentio_55.json"
MINUTE = 60


def find_program() -> str:
    """The program of SENTIO_CLI, of this Python's environment, or of PATH."""
    beside = Path(sys.executable).parent / "sentio_cli"
    found = os.environ.get("SENTIO_CLI") or (str(beside) if beside.exists() else shutil.which("sentio_cli"))
    assert found, "sentio_cli is not installed: pip install . puts it beside python"
    return found


def sentio_cli(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([find_program(), *map(str, arguments)], capture_output=True, text=True, check=False)


def assert_refused(code: int, message: str, *arguments: object) -> None:
    done = sentio_cli(*arguments)
    assert done.stderr == f"sentio_cli: {message}\n"
    assert (done.returncode, done.stdout) == (code, "")


def write_bars(path: Path, *, sessions: int = 6, bars: int = 120) -> Path:
    """Minute bars from 09:30 in New York on, on the weekdays from 2024-01-08 on."""
    lines = ["ts,open,high,low,close,volume"]
    price = 100.0
    for session in range(sessions):
        day = session + 2 * (session // 5)
        for bar in range(bars):
            i = session * bars + bar
            following = 100.0 + 5.0 * math.sin(0.05 * i) + 0.5 * math.sin(1.7 * i)
            high, low = max(price, following) + 0.05, min(price, following) - 0.05
            ts = 1_704_724_200 + day * 86_400 + bar * MINUTE
            lines.append(f"{ts},{price:.4f},{high:.4f},{low:.4f},{following:.4f},{1000 + i % 7}")
            price = round(following, 4)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(tmp_path_factory.mktemp("cli") / "XYZ.csv")


def near(value: float) -> object:
    """Equal but for a few roundings: NumPy sums in another order."""
    return pytest.approx(value, rel=1e-9)


CROSS = ("--strategy", "sma_cross", "--params", "fast=3,slow=10,allow_short=true")


def test_the_report_folder_holds_what_the_report_says(bars: Path, tmp_path: Path) -> None:
    done = sentio_cli("tpa_test", "XYZ", "--bars", bars, *CROSS, "--days", 3, "--out", tmp_path / "run", "--json", "-")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    assert json.loads((tmp_path / "run/report.json").read_text()) == report
    assert report["fills_hash"] == "sha256:" + hashlib.sha256((tmp_path / "run/fills.csv").read_bytes()).hexdigest()

    with (tmp_path / "run/equity.csv").open() as file:
        equity = np.array([float(row["equity"]) for row in csv.DictReader(file)])
    metrics = report["metrics"]
    curve = np.concatenate([[report["broker"]["capital"]], equity])
    returns = curve[1:] / curve[:-1] - 1
    assert metrics["bars"] == len(equity) == 360
    assert metrics["total_return"] == near(curve[-1] / curve[0] - 1)
    assert metrics["not_annualised"] == "not annualised: 3 sessions"
    assert (metrics["sharpe"], metrics["sortino"]) == (None, None)
    assert metrics["sharpe_of_stretch"] == near(returns.mean() / returns.std(ddof=1) * len(returns) ** 0.5)
    assert metrics["max_drawdown"]["depth"] == near((1 - curve / np.maximum.accumulate(curve)).max())

    with (tmp_path / "run/fills.csv").open() as file:
        fills = list(csv.DictReader(file))
    paid = sum(float(f["quantity"]) * float(f["price"]) + float(f["commission"]) + float(f["borrow"]) for f in fills)
    assert float(fills[-1]["cash"]) == pytest.approx(curve[0] - paid, abs=0.01)


def test_one_row_per_day_and_all_within_100_columns(bars: Path) -> None:
    done = sentio_cli("tpa_test", "XYZ", "--bars", bars, *CROSS, "--days", 4)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "\x1b" not in done.stdout
    days = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  2024-")]
    assert days == ["2024-01-10", "2024-01-11", "2024-01-12", "2024-01-15"]


def test_generated_bars_are_called_synthetic(bars: Path, tmp_path: Path) -> None:
    copy = tmp_path / "XYZ.csv"
    copy.write_bytes(bars.read_bytes())
    Path(f"{copy}.synthetic.json").write_text('{"seed": 7}')
    arguments = ("backtest", "XYZ", "--data-dir", tmp_path, "--strategy", "buy_and_hold")
    assert "SYNTHETIC DATA" in sentio_cli(*arguments).stdout
    assert json.loads(sentio_cli(*arguments, "--json", "-").stdout)["bars"]["synthetic"] == {"seed": 7}


def test_a_backtest_keeps_to_its_times(bars: Path) -> None:
    done = sentio_cli(
        "backtest", "XYZ", "--bars", bars, *CROSS, "--from", "2024-01-09", "--to", "2024-01-10T15:00:00Z", "--json", "-"
    )
    measured = json.loads(done.stdout)["measured"]
    assert (measured["first"], measured["last"]) == ("2024-01-09T14:30:00Z", "2024-01-10T14:59:00Z")
    assert measured["bars_before"] == 120


def test_symbols_find_their_own_file_only(bars: Path, tmp_path: Path) -> None:
    arguments = ("tpa_test", "QQQ", "--data-dir", tmp_path, "--strategy", "buy_and_hold")
    (tmp_path / "QQQX.csv").write_bytes(bars.read_bytes())
    (tmp_path / "QQQ.csv.synthetic.json").write_text("{}")
    assert_refused(
        3, f"{tmp_path}: has no bars of 'QQQ'; looked for QQQ.csv, QQQ_*.csv, QQQ-*.csv, each also with .gz", *arguments
    )
    (tmp_path / "QQQ_1m.csv").write_bytes(bars.read_bytes())
    assert sentio_cli(*arguments).returncode == 0
    (tmp_path / "QQQ.csv").write_bytes(bars.read_bytes())
    several = f"{tmp_path}/QQQ.csv, {tmp_path}/QQQ_1m.csv"
    assert_refused(2, f"several files fit 'QQQ', name one with --bars: {several}", *arguments)


def test_npy_features_are_what_numpy_saves_and_csv_features_read_back_the_same(bars: Path, tmp_path: Path) -> None:
    npy, text = tmp_path / "x.npy", tmp_path / "x.csv"
    for out in (npy, text):
        assert sentio_cli("features", "--bars", bars, "--spec", SPEC, "--out", out).returncode == 0
    matrix = np.load(npy)
    assert (matrix.shape, matrix.dtype) == ((720, 55), np.float32)
    np.save(tmp_path / "again.npy", matrix)
    assert npy.read_bytes() == (tmp_path / "again.npy").read_bytes()
    read = np.loadtxt(text, delimiter=",", skiprows=1, usecols=range(1, 56), dtype=np.float32)
    np.testing.assert_array_equal(read, matrix)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "a verb is needed; see sentio_cli --help"),
        (("tpa_tst",), "unknown verb 'tpa_tst'; did you mean 'tpa_test'?; see sentio_cli --help"),
        (("list", "opps"), "cannot list 'opps'; did you mean 'ops'?"),
        (("tpa_test", "X"), "--strategy is required; see sentio_cli tpa_test --help"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(arguments: tuple[str, ...], message: str) -> None:
    assert_refused(2, message, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dayz", "3"), "unknown option '--dayz'; did you mean '--days'?; see sentio_cli tpa_test --help"),
        (("--days", "0"), "days must be at least 1, found 0"),
        (("--days", "7"), "days must be at most 6, which is what the bars cover, found 7"),
        (("--capital", "0"), "capital must be a finite number above 0, found 0"),
        (("--params", "fst=3"), "unknown param 'fst' of sma_cross; did you mean 'fast'?"),
        (("--costs", "zerro"), "costs 'zerro' are neither a file nor a shipped model; did you mean 'zero'?"),
    ],
)
def test_a_wrong_option_is_one_line_and_code_2(bars: Path, arguments: tuple[str, ...], message: str) -> None:
    assert_refused(2, message, "tpa_test", "XYZ", "--bars", bars, "--strategy", "sma_cross", *arguments)


def test_an_unknown_strategy_is_one_line_and_code_2(bars: Path) -> None:
    message = "unknown strategy 'sma_cros'; did you mean 'sma_cross'?"
    assert_refused(2, message, "tpa_test", "XYZ", "--bars", bars, "--strategy", "sma_cros")


def test_bad_bars_are_code_3_or_skipped_with_a_count(bars: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    lines = bars.read_text().splitlines()
    bad.write_text("\n".join([*lines[:3], lines[3].replace(lines[3].split(",")[2], "x", 1), *lines[4:]]) + "\n")
    arguments = ("backtest", "XYZ", "--bars", bad, "--strategy", "buy_and_hold", "--out", tmp_path / "run")
    done = sentio_cli(*arguments)
    assert done.returncode == 3
    assert done.stderr.startswith(f"sentio_cli: {bad}:4:")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
    done = sentio_cli(*arguments, "--on-bad-bar", "skip")
    assert done.returncode == 0
    assert "Skipped 1 bad bar" in done.stdout


def test_a_wrong_cost_file_is_code_3(bars: Path, tmp_path: Path) -> None:
    costs = tmp_path / "mine.json"
    costs.write_text('{"half_spred_bps": 1}')
    assert_refused(
        3,
        f"{costs}: half_spred_bps: unknown key; did you mean 'half_spread_bps'?",
        *("tpa_test", "XYZ", "--bars", bars, "--strategy", "buy_and_hold", "--costs", costs),
    )


def test_what_cannot_be_written_is_code_1_and_leaves_nothing(bars: Path, tmp_path: Path) -> None:
    path = tmp_path / "no/report.json"
    assert_refused(
        1,
        f"{path}: cannot be written, No such file or directory",
        *("backtest", "XYZ", "--bars", bars, "--strategy", "buy_and_hold", "--json", path),
    )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_report_is_not_replaced(bars: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert_refused(
        2,
        f"{tmp_path}: holds files that are not a report, name another folder",
        *("backtest", "XYZ", "--bars", bars, "--strategy", "buy_and_hold", "--out", tmp_path),
    )
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_check_tells_bars_and_specs_apart(bars: Path, tmp_path: Path) -> None:
    assert "720 bars of 60 s" in sentio_cli("check", bars).stdout
    assert "a feature spec with 55 features" in sentio_cli("check", SPEC).stdout
    assert_refused(3, f"{tmp_path}/none: no such file or folder", "check", tmp_path / "none")


def test_help_and_version_are_answers_not_errors() -> None:
    for arguments in (("--help",), ("tpa_test", "--help"), ("--version",)):
        done = sentio_cli(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout

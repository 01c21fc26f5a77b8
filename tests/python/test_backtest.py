"""Backtests from the shell and from Python: one result, no look into the future, every cent accounted for."""

import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import sentio_features
import torch
from cli_support import SENTIO_CLI, refusal_of, report_of, run_cli
from hypothesis import given
from hypothesis import strategies as st
from market_bars import MINUTE_NS, PROJECT, joined, market
from sentio_features import Bars, FeatureBuilder, FeatureSpec, read_csv
from sentio_inference import Artifact, backtest, metric_cards, simulate
from training_support import Project, make_project

from sentio_trainer.artifact import sealed_json
from sentio_trainer.files import sha256_file
from sentio_trainer.report import Silence
from sentio_trainer.trainers.tfa import train

COLUMNS = ("open", "high", "low", "close", "volume")
STRATEGIES = ("tfa", "buy_and_hold", "sma_cross")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("backtest") / "project", days=12)
    train(project.load(), overwrite=False, report=Silence())
    return project


@pytest.fixture(scope="module")
def bars(project: Project) -> Bars:
    return read_csv(project.root / "bars.csv")


def write_bars(path: Path, bars: Bars) -> Path:
    columns = [bars[name].tolist() for name in COLUMNS]
    rows = zip(bars.ts.tolist(), *columns, strict=True)
    path.write_text("ts,open,high,low,close,volume\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows))
    return path


def test_features_in_python_and_from_the_shell_are_the_same_bytes(project: Project, bars: Bars, tmp_path: Path) -> None:
    spec = project.root / "configs" / "features.json"
    x = FeatureBuilder(FeatureSpec.load(spec)).build(bars)
    run_cli("features", "--bars", "bars.csv", "--spec", spec, "--out", tmp_path / "x.npy", cwd=project.root)
    np.save(tmp_path / "python.npy", x)
    assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "python.npy").read_bytes()

    run_cli("features", "--bars", "bars.csv", "--spec", spec, "--out", tmp_path / "x.csv", cwd=project.root)
    header, *lines = (tmp_path / "x.csv").read_text().splitlines()
    assert header == ",".join(["ts", *FeatureSpec.load(spec).names])
    cells = [line.split(",")[1:] for line in lines]
    assert np.array_equal(np.array(cells, dtype=np.float32), x)


def test_a_report_is_the_same_from_the_shell_and_from_python(project: Project, bars: Bars) -> None:
    for strategy in STRATEGIES:
        artifact = Artifact.load(project.artifact) if strategy == "tfa" else None
        begin = len(bars) // 2
        arguments = ("backtest", "QQQ", "--bars", "bars.csv", "--strategy", strategy)
        since = sentio_time(bars.ts[begin])
        shell = report_of(*arguments, "--from", since, cwd=project.root)
        python = backtest(bars, strategy, artifact=artifact, begin=begin)
        assert shell["fills_hash"] == python["fills_hash"], strategy
        assert shell["metrics"] == python["metrics"], strategy


def sentio_time(time_ns: int) -> str:
    return f"{np.datetime64(int(time_ns), 'ns').astype('datetime64[s]')}Z"


def test_bar_by_bar_and_in_blocks_a_model_trades_the_same(project: Project, bars: Bars) -> None:
    artifact = Artifact.load(project.artifact)
    blocks = backtest(bars, "tfa", artifact=artifact)
    single = backtest(bars, "tfa", artifact=artifact, bar_by_bar=True)
    # LibTorch picks kernels by batch size, which moves the last bits of a logit.
    np.testing.assert_allclose(blocks["series"]["probability"], single["series"]["probability"], rtol=0, atol=1e-6)
    assert blocks["fills_hash"] == single["fills_hash"]


def test_a_report_knows_where_its_bars_come_from(bars: Bars, tmp_path: Path) -> None:
    assert "SYNTHETIC" in backtest(bars[10:], "buy_and_hold")["verdict"][0]
    recorded = Bars(bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume)
    assert backtest(recorded, "buy_and_hold")["verdict"] == []
    lines = write_bars(tmp_path / "bars.csv", recorded[:50]).read_text().splitlines()
    lines[20] = lines[20].replace(",", ",x", 1)
    (tmp_path / "bars.csv").write_text("\n".join(lines) + "\n")
    skipped = read_csv(tmp_path / "bars.csv", on_bad_bar="skip")
    assert [kind["count"] for kind in backtest(skipped[5:], "buy_and_hold")["bars"]["skipped"]] == [1]


@pytest.mark.parametrize(
    ("keyword", "value", "message"),
    [
        ("begin", -1, "begin must be a whole number of at least 0, found -1"),
        ("end", "x", "end must be a whole number of at least 0, found 'x'"),
        ("capital", "x", "capital must be a number, found 'x'"),
        ("session", None, "session must be a text, found None"),
        ("capitol", 1, "unknown argument 'capitol'; did you mean 'capital'?"),
    ],
)
def test_a_wrong_keyword_is_named(bars: Bars, keyword: str, value: object, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        backtest(bars, "buy_and_hold", **{keyword: value})  # type: ignore[typeddict-item]


def test_the_probability_of_a_backtest_is_the_models(project: Project, bars: Bars) -> None:
    artifact = Artifact.load(project.artifact)
    report = backtest(bars, "tfa", artifact=artifact)
    x = FeatureBuilder(FeatureSpec.from_json(artifact.spec_json)).build(bars)
    expected = 1.0 / (1.0 + np.exp(-artifact.logits(x).astype(np.float64)))
    found = report["series"]["probability"]
    assert np.isnan(found[: artifact.warmup]).all()
    np.testing.assert_allclose(found[artifact.warmup :], expected[artifact.warmup :], rtol=0, atol=1e-6)


def test_a_sequence_model_sees_the_last_rows_oldest_first(project: Project, bars: Bars, tmp_path: Path) -> None:
    class FirstAndLast(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 100.0 * x[:, 0, :1] + 10.0 * x[:, 4, 1:2]

    folder = tmp_path / "v1"
    shutil.copytree(project.artifact, folder)
    torch.jit.save(torch.jit.script(FirstAndLast()), str(folder / "model.pt"))
    for name in ("probe.json", "model.json", "weights.bin"):
        (folder / name).unlink()
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["files"] = {name: sha256_file(folder / name) for name in ("feature_spec.json", "model.pt")}
    metadata["expects"].update(layout="BTF", sequence_length=5)
    (folder / "metadata.json").write_bytes(sealed_json(metadata))
    artifact = Artifact.load(folder, backend="torch")
    x = FeatureBuilder(FeatureSpec.from_json(artifact.spec_json)).build(bars)
    first = artifact.warmup
    assert first == 60 + 4
    logit = np.float32(100.0) * x[first - 4 : -4, 0] + np.float32(10.0) * x[first:, 1]
    for bar_by_bar in (False, True):
        report = backtest(bars, "tfa", artifact=artifact, bar_by_bar=bar_by_bar)
        probability = report["series"]["probability"]
        assert np.isnan(probability[:first]).all()
        expected = 1.0 / (1.0 + np.exp(-logit.astype(np.float64)))
        np.testing.assert_allclose(probability[first:], expected, rtol=0, atol=1e-6)  # float32 logits of size 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_later_bars_change_no_feature_decision_or_fill(
    project: Project, bars: Bars, tmp_path: Path, strategy: str
) -> None:
    known = 2500
    noise = market(99, len(bars) - known)
    changed = joined_at(bars[:known], noise, bars.ts)
    spec = FeatureSpec.load(project.root / "configs" / "features.json")
    first, second = (FeatureBuilder(spec).build(each)[:known] for each in (bars, changed))
    assert first.tobytes() == second.tobytes()
    decisions, fills = [], []
    for name, each in (("first", bars), ("second", changed)):
        file = write_bars(tmp_path / f"{name}.csv", each)
        done = run_cli(
            *("backtest", "QQQ", "--bars", file, "--strategy", strategy, "--out", tmp_path / name),
            cwd=project.root,
        )
        assert done.returncode == 0, done.stderr
        decisions.append(lines_until(tmp_path / name / "decisions.csv", bars.ts[known - 1]))
        fills.append(lines_until(tmp_path / name / "fills.csv", bars.ts[known - 1]))
    assert len(decisions[0]) > known - 100
    assert decisions[0] == decisions[1]
    assert fills[0] == fills[1]
    assert fills[0], "nothing was traded, so nothing was tested"


def lines_until(path: Path, last_ns: int) -> list[str]:
    """The lines of a report's table whose time, the first column, is not after `last_ns`."""
    header, *lines = path.read_text().splitlines()
    assert header.startswith("ts,")
    return [line for line in lines if line.split(",")[0] <= sentio_time(last_ns)]


def joined_at(before: Bars, after: Bars, ts: npt.NDArray[np.int64]) -> Bars:
    columns = joined(before, after)
    return Bars(ts, columns.open, columns.high, columns.low, columns.close, columns.volume)


probabilities = st.lists(
    st.one_of(st.just(float("nan")), st.floats(0.0, 1.0), st.sampled_from([0.0, 0.47, 0.5, 0.53, 1.0])),
    min_size=2,
    max_size=60,
)
rules = st.fixed_dictionaries(
    {"rule": st.just("threshold"), "allow_short": st.booleans()},
    optional={"min_hold": st.integers(0, 5), "cooldown": st.integers(0, 5)},
) | st.fixed_dictionaries({"rule": st.just("scaled"), "k": st.floats(0.1, 10.0), "allow_short": st.booleans()})


@given(
    probability=probabilities,
    rule=rules,
    seed=st.integers(0, 1000),
    costs=st.sampled_from(["zero", "us_equity", "crypto_spot"]),
    fractional=st.booleans(),
    flat_at_close=st.booleans(),
    capital=st.sampled_from([500.0, 1e4, 1e6]),
)
def test_every_cent_is_accounted_for(
    probability: list[float],
    rule: dict[str, object],
    seed: int,
    costs: str,
    fractional: bool,
    flat_at_close: bool,
    capital: float,
) -> None:
    bars = market(seed, len(probability))
    report = simulate(
        bars, np.array(probability), rule, costs, capital=capital, fractional=fractional, flat_at_close=flat_at_close
    )
    fills, series = report["fills"], report["series"]
    # Sums of doubles in another order than the broker's: a millionth of a cent of a million.
    close_enough = {"rtol": 1e-12, "atol": 1e-8 * capital / 1e4}
    paid = fills["quantity"] * fills["price"] + fills["commission"] + fills["borrow"]
    np.testing.assert_allclose(fills["cash"], capital - np.cumsum(paid), **close_enough)
    np.testing.assert_allclose(fills["position"], np.cumsum(fills["quantity"]), **close_enough)
    if not fractional:
        assert (fills["quantity"] == np.round(fills["quantity"])).all()
    moved = np.abs(fills["quantity"]) * np.abs(fills["price"] - fills["reference"])
    np.testing.assert_allclose(fills["spread_cost"] + fills["slippage_cost"], moved, **close_enough)

    # Equity at each close is cash after the last fill, less what was borrowed since, plus the position's value.
    filled_by = np.searchsorted(fills["ts"], series["ts"], side="right")
    cash = np.concatenate([[capital], fills["cash"]])[filled_by]
    position = np.concatenate([[0.0], fills["position"]])[filled_by]
    borrowed = np.concatenate([[0.0], np.cumsum(fills["borrow"])])[filled_by]
    owed = np.cumsum(series["borrow"]) - borrowed
    np.testing.assert_allclose(series["position"], position, **close_enough)
    np.testing.assert_allclose(series["equity"], cash - owed + position * bars.close, **close_enough)

    total = report["metrics"]
    np.testing.assert_allclose(total["end_equity"], series["equity"][-1], **close_enough)
    costs_paid = fills["commission"].sum() + moved.sum() + series["borrow"].sum()
    np.testing.assert_allclose(total["costs_paid"]["total"], costs_paid, **close_enough)


def test_tpa_test_reports_periods_and_names_synthetic_data_first(project: Project) -> None:
    report = report_of("tpa_test", "QQQ", "--bars", "bars.csv", "--strategy", "tfa", "--days", "1", cwd=project.root)
    assert [row["sample"] for row in report["periods"]] == ["out-of-sample"]
    assert "SYNTHETIC" in report["verdict"][0]
    assert 0 <= report["readiness"]["score"] <= 100
    assert len(report["readiness"]["criteria"]) == 7
    assert report["bars"]["synthetic"]["theoretical_ic"] == 0.1


def test_bars_that_the_model_has_seen_are_named_in_the_first_line_of_the_verdict(project: Project) -> None:
    report = report_of("tpa_test", "QQQ", "--bars", "bars.csv", "--strategy", "tfa", "--days", "11", cwd=project.root)
    samples = [row["sample"] for row in report["periods"]]
    assert samples[0] == "in-sample"
    assert "validation" in samples
    assert samples[-1] == "out-of-sample"
    assert "in-sample" in report["verdict"][0].lower()
    assert report["readiness"]["stage"] == "none"


def test_a_table_fits_100_columns(project: Project) -> None:
    done = run_cli("tpa_test", "QQQ", "--bars", "bars.csv", "--strategy", "tfa", "--days", "11", cwd=project.root)
    assert done.returncode == 0
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "\x1b" not in done.stdout, "colour is for terminals"


def test_a_run_is_reproduced_by_its_hash_and_its_folder_is_whole(project: Project, tmp_path: Path) -> None:
    arguments = ("backtest", "QQQ", "--bars", "bars.csv", "--strategy", "tfa", "--out")
    for name in ("a", "b"):
        assert run_cli(*arguments, tmp_path / name, cwd=project.root).returncode == 0
    names = {"report.json", "equity.csv", "fills.csv", "decisions.csv"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_the_symbol_is_looked_up_in_the_data_folder(project: Project, tmp_path: Path) -> None:
    shutil.copy(project.root / "bars.csv", tmp_path / "QQQ_NH.csv")
    shutil.copy(project.root / "bars.csv", tmp_path / "QQQX.csv")
    found = report_of("backtest", "QQQ", "--data-dir", tmp_path, "--strategy", "buy_and_hold", cwd=project.root)
    assert found["bars"]["file"] == "QQQ_NH.csv"
    shutil.copy(project.root / "bars.csv", tmp_path / "QQQ.csv")
    code, line = refusal_of("backtest", "QQQ", "--data-dir", tmp_path, "--strategy", "buy_and_hold", cwd=project.root)
    assert code == 2
    assert "QQQ.csv" in line
    assert "QQQ_NH.csv" in line


TPA = ("tpa_test", "QQQ", "--bars", "bars.csv")


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ((*TPA, "--strategy", "tfb"), 2, "unknown strategy 'tfb'; did you mean 'tfa'?"),
        ((*TPA, "--strategy", "sma_cross", "--params", "fast=0"), 2, None),
        ((*TPA, "--strategy", "sma_cross", "--params", "fats=5"), 2, None),
        ((*TPA, "--strategy", "buy_and_hold", "--costs", "free"), 2, None),
        ((*TPA, "--strategy", "buy_and_hold", "--days", "99"), 2, None),
        ((*TPA, "--strategy", "buy_and_hold", "--dyas", "1"), 2, None),
        ((*TPA[:2], "--bars", "none.csv", "--strategy", "buy_and_hold"), 3, "none.csv: No such file or directory"),
        ((*TPA[:2], "--bars", "bad.csv", "--strategy", "buy_and_hold"), 3, "bad.csv:3:7: high is not a number: '2x'"),
        ((*TPA, "--strategy", "tfa", "--version", "v9"), 4, "artifacts/TFA/v9: no such artifact folder"),
    ],
)
def test_a_run_that_cannot_be_is_one_line_and_a_code(
    project: Project, arguments: tuple[str, ...], code: int, line: str | None
) -> None:
    (project.root / "bad.csv").write_text("t,o,h,l,c,v\n60,2,3,1,2,0\n120,2,2x,1,2,0\n")
    found_code, found = refusal_of(*arguments, cwd=project.root)
    assert found_code == code, found
    if line is not None:
        assert found == f"sentio_cli: {line}"


def test_rules_run_on_real_days_with_costs() -> None:
    path = Path(__file__).resolve().parents[3] / "shared" / "data" / "SPY_1d.csv"
    if not path.exists():
        pytest.skip("the recorded bars SPY_1d.csv are not beside this project, in ../shared/data")
    bars = read_csv(path)
    report = backtest(bars, "buy_and_hold", costs="zero", capital=1e9)
    first, last = bars.open[1], bars.close[-1]
    # Whole shares: less than one share of a billion is left in cash.
    assert report["metrics"]["total_return"] == pytest.approx(last / first - 1.0, rel=1e-6)
    assert sentio_features.session_days(bars.ts)[0] == 10_228  # 1998-01-02


def test_lists_name_every_op_strategy_metric_and_cost_model(project: Project) -> None:
    ops = run_cli("list", "ops", cwd=project.root).stdout
    assert all(op["name"] in ops for op in sentio_features.ops())
    assert all(name in run_cli("list", "strategies", cwd=project.root).stdout for name in STRATEGIES)
    metrics = run_cli("list", "metrics", cwd=project.root).stdout.splitlines()
    assert [line for line in metrics if not line.startswith(" ")] == [card["name"] for card in metric_cards()]
    costs = run_cli("list", "costs", cwd=project.root).stdout
    configs = Path(__file__).resolve().parents[2] / "configs" / "execution"
    assert all(json.loads(path.read_text())["name"] in costs for path in configs.glob("*.json"))


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_program_leaves_nothing_behind(bars: Bars, tmp_path: Path, stop: signal.Signals) -> None:
    copies = [Bars(bars.ts + i * 1_000_000 * MINUTE_NS, *(bars[k] for k in COLUMNS)) for i in range(40)]
    ts, *columns = (np.concatenate([each[k] for each in copies]) for k in ("ts", *COLUMNS))
    file = write_bars(tmp_path / "bars.csv", Bars(ts, *columns))
    spec = PROJECT / "configs" / "features" / "sentio_55.json"
    running = subprocess.Popen([SENTIO_CLI, "features", "--bars", file, "--spec", spec, "--out", tmp_path / "x.csv"])
    while not list(tmp_path.glob("x.csv.part*")) and running.poll() is None:
        time.sleep(0.005)
    running.send_signal(stop)
    assert running.wait(timeout=60) == -stop, "the program was done before it was stopped"
    assert [path.name for path in tmp_path.iterdir()] == ["bars.csv"]

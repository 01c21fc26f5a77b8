"""`sentio evaluate`: the same sessions for all, a planted edge found, nothing ranked on what it was made of."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from market_bars import REAL_BARS
from native_support import load_native
from sentio_features import Bars, read_csv, session_days
from sentio_inference import Artifact, backtest
from training_support import Project, make_project, write_bars

from sentio_trainer.cli import app, run
from sentio_trainer.model_runs import common_sessions, session_returns, stretch_of
from sentio_trainer.named_bars import NamedBars
from sentio_trainer.report import Silence
from sentio_trainer.schema import ModelConfig
from sentio_trainer.trainers.tfa import train

TEST_DAYS = 30
FILES = ["comparison_plots.png", "evaluation_report.md", "evaluation_results.json"]

Evaluate = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Project:
    """A model of a market with a strong planted edge, and a second symbol of the same kind."""
    del one_thread
    project = make_project(tmp_path_factory.mktemp("evaluate") / "project", days=220, ic=0.2)
    train(project.load(), overwrite=False, report=Silence())
    shutil.copytree(project.artifact, project.root / "artifacts" / "TFA" / "v2")
    return project


@pytest.fixture
def evaluate(project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Evaluate:
    """Runs the command in the project; gives code, standard output, standard error."""
    monkeypatch.chdir(project.root)
    shutil.rmtree(project.root / "evaluation_results", ignore_errors=True)

    def invoke(*arguments: str) -> tuple[int, str, str]:
        code = run(app, ("evaluate", *arguments), program="sentio")
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return invoke


def written(project: Project, name: str = "evaluation_results") -> dict[str, Any]:
    (folder,) = (project.root / name).iterdir()
    document: dict[str, Any] = json.loads((folder / "evaluation_results.json").read_text())
    return document


MODELS = ("--models", "baseline:buy_and_hold", "fast:sma_cross(fast=5,slow=20)", "v1:artifacts/TFA/v1")
BARS = ("--bars", "QQQ=bars.csv")
FREE = ("--costs", "zero")
ON_QQQ = ("--test-symbols", "QQQ", "--test-days", str(TEST_DAYS), *BARS, *FREE, "--no-plots")


def test_the_planted_model_is_found_and_its_copy_differs_by_nothing(project: Project, evaluate: Evaluate) -> None:
    pytest.importorskip("matplotlib", reason="needs sentio[report]")
    plotted = [each for each in ON_QQQ if each != "--no-plots"]
    code, out, err = evaluate(*MODELS, "v2:artifacts/TFA/v2", *plotted)
    assert (code, err) == (0, "")
    document = written(project)
    verdict = document["verdict"]
    assert verdict.startswith("SYNTHETIC bars, which say nothing about a real market. better than baseline (buy_and")
    assert "v1 (p 0.0" in verdict
    assert verdict in out
    (comparison,) = document["comparisons"]
    ranks = {each["model"]: (each["rank"], each["rank_interval"]) for each in comparison["standings"]}
    assert ranks["v1"] == ranks["v2"]
    assert ranks["v1"][0] == 1
    pair = next(pair for pair in comparison["pairs"] if (pair["first"], pair["second"]) == ("v1", "v2"))
    nothing = {"value": 0.0, "interval": {"low": 0.0, "high": 0.0}, "p": 1.0, "p_adjusted": 1.0}
    assert (pair["mean_return"], pair["sharpe"]) == (nothing, nothing)
    (folder,) = (project.root / "evaluation_results").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert (folder / "comparison_plots.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    page = (folder / "evaluation_report.md").read_text()
    assert f"**{verdict}**" in page
    assert "![Equity, differences and ranks](comparison_plots.png)" in page
    assert "| v1 | out-of-sample |" in page
    assert str(project.root) not in page + json.dumps(document)


def test_session_returns_are_those_of_the_backtest(project: Project, evaluate: Evaluate) -> None:
    assert evaluate(*MODELS, *ON_QQQ)[0] == 0
    document = written(project)
    assert document["schema_version"] == "1.0"
    assert len(document["sessions"]) == TEST_DAYS
    bars = read_csv(project.root / "bars.csv")
    day = session_days(bars.ts)
    days = np.unique(day)[-TEST_DAYS:]
    begin = int(np.argmax(day == days[0]))
    assert document["sessions"][0] == str(days.astype("datetime64[D]")[0])
    alone = {
        "baseline": backtest(bars, "buy_and_hold", begin=begin, costs="zero"),
        "fast": backtest(bars, "sma_cross", params={"fast": 5, "slow": 20}, begin=begin, costs="zero"),
        "v1": backtest(bars, "tfa", artifact=Artifact.load(project.artifact), begin=begin, costs="zero"),
    }
    for row in document["rows"]:
        report = alone[row["model"]]
        equity = report["series"]["equity"]
        ends = [np.flatnonzero(day[begin:] == each)[-1] for each in days]
        wealth = np.concatenate([[report["broker"]["capital"]], equity[ends]])
        np.testing.assert_allclose(row["session_returns"], wealth[1:] / wealth[:-1] - 1.0, rtol=0, atol=1e-15)
        sessions = report["metrics"]["sessions"]
        assert np.mean(row["session_returns"]) == pytest.approx(sessions["mean_return"], abs=1e-15)
        assert row["fills_hash"] == report["fills_hash"]
        assert row["metrics"]["total_return"] == report["metrics"]["total_return"]


def test_a_model_trained_on_measured_bars_is_marked_everywhere_and_not_ranked(
    project: Project, evaluate: Evaluate
) -> None:
    arguments = (*MODELS, "--test-symbols", "QQQ", "--test-days", "100", *BARS, "--no-plots")
    code, out, _ = evaluate(*arguments)
    assert code == 0
    document = written(project)
    row = next(row for row in document["rows"] if row["model"] == "v1")
    assert row["seen_bars"] > 0
    assert row["sample"].startswith("IN-SAMPLE ")
    assert "IN-SAMPLE and not ranked: v1" in document["verdict"]
    assert [each["model"] for each in document["comparisons"][0]["standings"]] == ["baseline", "fast"]
    model = next(each for each in document["models"] if each["label"] == "v1")
    assert "measured bars of QQQ were used to train or tune it" in model["not_ranked"]
    (folder,) = (project.root / "evaluation_results").iterdir()
    page = (folder / "evaluation_report.md").read_text()
    assert "> **NOT RANKED: v1**: " in page
    assert f"| v1 | **{row['sample']}** |" in page
    assert "IN-SAMPLE" in out

    code, out, _ = evaluate(*arguments, "--allow-in-sample", "--out", "other")
    assert code == 0
    document = written(project, "other")
    assert "IN-SAMPLE and ranked nevertheless: v1" in document["verdict"]
    assert [each["model"] for each in document["comparisons"][0]["standings"]] == ["baseline", "fast", "v1"]


def test_bars_that_a_model_was_tuned_on_are_seen_ones(project: Project, evaluate: Evaluate) -> None:
    bars = read_csv(project.root / "bars.csv")
    data = json.loads((project.artifact / "metadata.json").read_text())["data"]
    first, last = (int(np.datetime64(time.removesuffix("Z"), "ns").astype(np.int64)) for time in data["validation"])
    until = bars[: int(np.searchsorted(bars.ts, last, side="right"))]
    days = len(np.unique(session_days(until.ts[until.ts > first], "us_equity"))) - 1  # none of the training's
    write_bars(project.root / "tuned.csv", until)
    words = ("--test-symbols", "QQQ", "--test-days", str(days), "--bars", "QQQ=tuned.csv", *FREE, "--no-plots")
    assert evaluate("--models", "b:buy_and_hold", "v1:artifacts/TFA/v1", *words)[0] == 0
    document = written(project)
    (row,) = (row for row in document["rows"] if row["model"] == "v1")
    assert row["measured"]["samples"]["validation"] == row["measured"]["bars"]
    assert row["sample"] == "IN-SAMPLE"
    assert "IN-SAMPLE and not ranked: v1" in document["verdict"]


def test_jobs_and_the_way_words_are_given_change_nothing(project: Project, evaluate: Evaluate) -> None:
    shutil.copy(project.root / "bars.csv", project.root / "SPY_1m.csv")
    symbols = ("--test-symbols", "QQQ", "SPY", "--data-dir", ".", *BARS, "--test-days", "25", "--no-plots")
    assert evaluate(*MODELS, *symbols, "--out", "one")[0] == 0
    repeated = [word for model in MODELS[1:] for word in ("--models", model)]
    assert evaluate(*repeated, *symbols, "--out", "two", "--jobs", "3")[0] == 0
    one, two = ({**written(project, name), "created_at": ""} for name in ("one", "two"))
    assert one == two
    assert [each["scope"] for each in one["comparisons"]] == ["all symbols", "QQQ", "SPY"]
    # Both symbols have the same bars, so their mean has the same returns.
    assert one["comparisons"][0]["pairs"] == one["comparisons"][1]["pairs"]
    assert "v1: was trained on QQQ, not on SPY" in one["notes"]


def test_a_model_that_does_not_say_what_it_was_trained_on_is_not_ranked(project: Project, evaluate: Evaluate) -> None:
    load_native(project.root / "artifacts" / "odd" / "v1", ModelConfig(kind="mlp", hidden=4, layers=1))
    code, out, _ = evaluate(*MODELS, "odd:artifacts/odd/v1", *ON_QQQ)
    assert code == 0
    assert "UNKNOWN SAMPLE and not ranked: odd. " in out
    (odd,) = [row for row in written(project)["rows"] if row["model"] == "odd"]
    assert (odd["sample"], odd["seen_bars"]) == ("UNKNOWN SAMPLE", 0)
    assert "odd: no ledger of trials beside the artifact; it counts as the only model tried" in out


def daily(days: list[int]) -> NamedBars:
    """A bar on each of these days."""
    ones = np.ones(len(days))
    bars = Bars(np.array(days) * 86_400_000_000_000, ones, ones, ones, ones, ones)
    return NamedBars(symbol=f"S{len(days)}", path=Path("s.csv"), sha256="", bars=bars)


def test_measured_are_the_last_sessions_that_all_have_and_returns_are_over_them() -> None:
    one, other = daily([1, 2, 3, 4, 5, 6, 7]), daily([2, 3, 5, 7, 8])
    sessions = common_sessions([one, other], days=3, calendar="utc_day")
    assert sessions.tolist() == [3, 5, 7]
    stretch = stretch_of(one, sessions, calendar="utc_day")
    assert (stretch.begin, stretch.end, stretch.uncommon) == (2, 7, 2)
    equity = np.array([110.0, 220.0, 330.0, 660.0, 1320.0])  # of days 3 to 7
    # 3: 100 to 110; 5: from day 4's 220 to 330; 7: from day 6's 660 to 1320.
    np.testing.assert_allclose(session_returns(equity, stretch, capital=100.0), [0.1, 0.5, 1.0], rtol=0, atol=1e-15)
    assert stretch_of(other, sessions, calendar="utc_day").uncommon == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--models", "a:sma_cros", *ON_QQQ), 2, "unknown strategy 'sma_cros'; did you mean 'sma_cross'?"),
        (("--models", "a:no/such", *ON_QQQ), 4, "no/such is not an artifact: it has no metadata.json"),
        ((*MODELS, "--test-symbols", "IWM", "--data-dir", "."), 3, "has no bars of 'IWM'"),
        ((*MODELS, "--test-symbols", "QQQ", "QQQ", *BARS), 2, "--test-symbols: QQQ is given twice"),
        ((*MODELS, "--test-symbols", "QQQ", "--bars", "SPY=bars.csv"), 2, "SPY is not among --test-symbols"),
        ((*MODELS, "--test-symbols", "QQQ", "--bars", "bars.csv"), 2, "--bars bars.csv: must be SYMBOL=FILE"),
        ((*MODELS, *ON_QQQ, "--test-days", "0"), 2, "--test-days: must be at least 1, found 0"),
        ((*MODELS, *ON_QQQ, "--test-days", "221"), 3, "--test-days 221: too few sessions; QQQ has 220"),
        ((*MODELS, *ON_QQQ, "--costs", "nil"), 2, "--costs: costs 'nil' are neither a file nor a shipped model"),
        ((*MODELS, *ON_QQQ, "--session", "moon"), 2, "--session: unknown session calendar 'moon'"),
        ((*MODELS, *ON_QQQ, "--jobs", "0"), 2, "--jobs: must be at least 1, found 0"),
        (("--test-symbols", "QQQ"), 2, "Missing option '--models'"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    arguments: tuple[str, ...], code: int, message: str, project: Project, evaluate: Evaluate
) -> None:
    found, out, err = evaluate(*arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (project.root / "evaluation_results").exists()


def test_symbols_without_enough_common_sessions_are_told_apart(project: Project, evaluate: Evaluate) -> None:
    lines = (project.root / "bars.csv").read_text().splitlines(keepends=True)
    (project.root / "IWM.csv").write_text("".join([lines[0], *lines[-12 * 390 :]]))
    code, _, err = evaluate(*MODELS, "--test-symbols", "QQQ", "IWM", *BARS, "IWM=IWM.csv", "--no-plots")
    assert code == 3
    assert "--test-days 90: 12 sessions are common to all symbols; QQQ has 220, IWM has 12" in err


def test_without_matplotlib_it_fails_before_any_work(
    project: Project, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentio_trainer.comparison_plot.importlib.util.find_spec", lambda _: None)
    code, _, err = evaluate("--models", "a:no/such", "--test-symbols", "QQQ")
    assert code == 2
    assert "pip install 'sentio[report]'; or leave it out, --no-plots" in err


def test_the_picture_shows_every_symbol_every_pair_and_every_rank(project: Project, evaluate: Evaluate) -> None:
    pytest.importorskip("matplotlib", reason="needs sentio[report]")
    from sentio_trainer.comparison_plot import comparison_figure

    assert evaluate(*MODELS, *ON_QQQ)[0] == 0
    document = written(project)
    equity, forest, ranks = comparison_figure(document).axes
    lines = {str(line.get_label()): np.asarray(line.get_ydata()) for line in equity.get_lines()}
    for row in document["rows"]:
        assert lines[row["model"]][-1] == pytest.approx(row["metrics"]["total_return"], abs=1e-12)
    names = [label.get_text() for label in forest.get_yticklabels()]
    assert names == ["baseline − fast", "baseline − v1", "fast − v1"]
    pair = document["comparisons"][0]["pairs"][0]["sharpe"]
    assert np.asarray(forest.get_lines()[1].get_xdata()).tolist() == [pair["interval"]["low"], pair["interval"]["high"]]
    assert ranks.get_yticklabels()[0].get_text() == "v1"


def test_recorded_daily_bars_of_two_symbols_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not REAL_BARS.is_dir():
        pytest.skip("the recorded bars are not beside this project, in ../shared/data")
    monkeypatch.chdir(tmp_path)
    arguments = ("--test-symbols", "SPY", "QQQ", "--test-days", "250", "--no-plots")
    files = ("--bars", f"SPY={REAL_BARS / 'SPY_1d.csv'}", f"QQQ={REAL_BARS / 'QQQ_1d.csv'}")
    assert run(app, ("evaluate", *MODELS[:3], *arguments, *files), program="sentio") == 0
    (path,) = tmp_path.glob("evaluation_results/eval_*/evaluation_results.json")
    document = json.loads(path.read_text())
    assert (document["sessions"][0], document["sessions"][-1]) == ("2020-04-03", "2021-03-31")
    assert document["verdict"].startswith("no model is better than baseline (buy_and_hold) beyond chance; ")
    held = document["rows"][0]
    assert (held["model"], held["symbol"], held["sample"]) == ("baseline", "SPY", "untrained")
    assert round(held["metrics"]["total_return"], 4) == 0.5790

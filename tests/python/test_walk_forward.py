"""`sentio walkforward`: windows that see nothing of their tests, and one run over what their models decide."""

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentio_inference
from market_bars import real_bars
from sentio_features import Bars, read_csv, session_days
from training_support import ONE_THREAD, Project, command, make_project, run_sentio, write_bars, write_market_beside

from sentio_trainer import ledger
from sentio_trainer.artifact import sealed_json
from sentio_trainer.cli import app, run
from sentio_trainer.errors import ArtifactError, ConfigError, DataError, StoppedError
from sentio_trainer.report import Silence
from sentio_trainer.walk_document import walk_forward_document, write_walk_forward
from sentio_trainer.walk_forward import WalkForward, walk_forward
from sentio_trainer.walk_windows import Cut, make_cut

pytestmark = pytest.mark.usefixtures("one_thread")

CUT = make_cut(train="6d", test="2d", step=None, windows=None, anchored=False)
# What a training of other bars behind the test, or at another time, may say of itself.
MAY_DIFFER = ("saved_at", "seal", "files", "walk_forward", "versions")


@dataclass(frozen=True, kw_only=True)
class Walked:
    project: Project
    result: WalkForward
    document: dict[str, Any]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    project = make_project(tmp_path_factory.mktemp("walk") / "project", days=11, ic=0.3)
    return walk(project)


def walk(project: Project, cut: Cut = CUT, *, folder: str = "walk", resume: bool = False, **keys: object) -> Walked:
    loaded = project.load(**keys)
    result = walk_forward(loaded, cut, Silence(), folder=project.root / folder, resume=resume)
    write_walk_forward(loaded, result)
    return Walked(project=project, result=result, document=walk_forward_document(loaded, result))


def files_of(folder: Path) -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "metadata.json"}
    log = [line.rpartition(b",")[0] for line in files["train_log.csv"].splitlines()]  # the last column is the seconds
    return {**files, "train_log.csv": b"\n".join(log)}


def metadata_of(folder: Path) -> dict[str, Any]:
    document = json.loads((folder / "metadata.json").read_text())
    for key in MAY_DIFFER:
        del document[key]
    del document["data"]["files"], document["training"]["duration_s"]
    return dict(document)


def window_folder(walked: Walked, number: int) -> Path:
    return walked.result.folder / "artifacts" / "TFA" / f"w{number:02d}"


def replaced_from(bars: Bars, row: int, *, seed: int) -> Bars:
    """The same bars up to `row`, noise from there on."""
    rng = np.random.default_rng(seed)
    n = len(bars) - row
    close = bars.close[row - 1] * np.exp(np.cumsum(0.003 * rng.standard_normal(n)))
    open_ = close * np.exp(0.0005 * rng.standard_normal(n))
    new = {
        "open": open_,
        "high": np.maximum(open_, close) * 1.001,
        "low": np.minimum(open_, close) * 0.999,
        "close": close,
        "volume": rng.integers(1, 1_000_000, n).astype(np.float64),
    }
    return Bars(bars.ts, *(np.concatenate([bars[name][:row], new[name]]) for name in new))  # type: ignore[call-overload]


@pytest.mark.parametrize("window", [1, 2])
def test_bars_from_a_test_on_change_nothing_of_its_model_nor_of_decisions_before(
    walked: Walked, tmp_path: Path, window: int
) -> None:
    project = walked.project
    bars = read_csv(project.root / "bars.csv")
    row = walked.result.windows[window - 1].window.test_begin
    other = make_project(tmp_path / "project", days=1)
    (other.root / "bars.csv.synthetic.json").unlink()
    write_bars(other.root / "bars.csv", replaced_from(bars, row, seed=window))
    shutil.copy(project.root / "bars.csv.synthetic.json", other.root / "bars.csv.synthetic.json")
    changed = walk(other)
    for number in range(1, window + 1):
        one, two = window_folder(walked, number), window_folder(changed, number)
        assert files_of(one) == files_of(two)
        assert metadata_of(one) == metadata_of(two)
    after = window_folder(walked, window + 1), window_folder(changed, window + 1)
    assert files_of(after[0])["model.pt"] != files_of(after[1])["model.pt"]  # it learned from the noise
    begin = walked.result.windows[0].window.test_begin
    before = row - begin
    for column in ("exposure", "probability", "equity"):
        one_series, two_series = (each.result.stitched[0].report["series"][column] for each in (walked, changed))
        assert np.array_equal(one_series[:before], two_series[:before], equal_nan=True)
    one_said, two_said = (
        each.result.stitched[0].report["series"]["probability"][before:] for each in (walked, changed)
    )
    assert not np.array_equal(one_said, two_said)


def test_decisions_up_to_a_bar_do_not_depend_on_the_bars_behind_it(walked: Walked, tmp_path: Path) -> None:
    bars = read_csv(walked.project.root / "bars.csv")
    row = walked.result.windows[1].window.test_begin + 300  # within a test
    artifact = sentio_inference.Artifact.load(window_folder(walked, 2))
    begin = walked.result.windows[0].window.test_begin
    own = slice(walked.result.windows[1].window.test_begin - begin, row + 1 - begin)
    other = sentio_inference.backtest(
        replaced_from(bars, row + 1, seed=5), "tfa", artifact=artifact, begin=begin + own.start, end=row + 1
    )
    stitched = walked.result.stitched[0].report["series"]
    assert np.array_equal(other["series"]["exposure"], stitched["exposure"][own])
    assert np.array_equal(other["series"]["probability"], stitched["probability"][own])


def test_a_window_learns_from_labels_that_end_an_embargo_before_its_test(walked: Walked) -> None:
    bars = read_csv(walked.project.root / "bars.csv")
    days = session_days(bars.ts)
    embargo = walked.project.load().config.data.split.embargo
    assert len(walked.result.windows) == 3
    for each in walked.result.windows:
        data = metadata_of(window_folder(walked, each.window.number))["data"]
        first, end = (int(np.searchsorted(bars.ts, stamp(text))) for text in (data["train"][0], data["validation"][1]))
        assert end == each.window.test_begin - embargo - 1
        assert first >= each.window.train_begin
        learned = int(np.searchsorted(bars.ts, stamp(data["train"][1])))
        chosen = int(np.searchsorted(bars.ts, stamp(data["validation"][0])))
        assert learned == chosen - embargo - 1
        assert data["test"] is None
        assert len(np.unique(days[each.window.train_begin : each.window.test_begin])) == 6
        assert days[each.window.test_begin - 1] != days[each.window.test_begin]


def stamp(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64))


def test_the_stitched_run_is_one_run_of_what_each_frozen_model_decides_alone(walked: Walked) -> None:
    bars = read_csv(walked.project.root / "bars.csv")
    exposure, probability = np.zeros(len(bars)), np.full(len(bars), np.nan)
    for each in walked.result.windows:
        artifact = sentio_inference.Artifact.load(window_folder(walked, each.window.number))
        stream = artifact.stream()  # bar by bar, as live
        for i in range(each.window.test_end):
            row = [float(column[i]) for column in (bars.open, bars.high, bars.low, bars.close, bars.volume)]
            decision = stream.push(int(bars.ts[i]), *row)
            if i >= each.window.test_begin:
                exposure[i] = decision.exposure
                probability[i] = np.nan if decision.probability is None else decision.probability
    begin = walked.result.windows[0].window.test_begin
    alone = sentio_inference.trade(bars, exposure, probability=probability, begin=begin)
    report = walked.result.stitched[0].report
    assert report["fills_hash"] == alone["fills_hash"]
    assert report["metrics"] == alone["metrics"]
    assert report["metrics"]["fills"] > 0


def test_windows_are_parts_of_the_one_equity_curve(walked: Walked) -> None:
    report = walked.result.stitched[0].report
    stretches = [each.stretches[0] for each in walked.result.windows]
    assert all(stretches)
    known = [each for each in stretches if each]
    assert np.prod([1.0 + each.total_return for each in known]) == pytest.approx(1 + report["metrics"]["total_return"])
    assert np.prod([1.0 + each.buy_and_hold_return for each in known]) == pytest.approx(
        1 + report["buy_and_hold"]["total_return"]
    )
    assert sum(each.fills for each in known) == report["metrics"]["fills"]
    assert sum(each.bars for each in known) == report["metrics"]["bars"]
    equity = report["series"]["equity"][: known[0].bars]
    returns = np.diff(np.concatenate([[100_000.0], equity])) / np.concatenate([[100_000.0], equity[:-1]])
    assert known[0].sharpe == pytest.approx(returns.mean() / returns.std(ddof=1) * np.sqrt(len(returns)))


def test_the_report_folder_is_that_of_a_backtest_and_names_generated_bars(walked: Walked) -> None:
    folder = walked.result.folder / "reports" / "QQQ"
    assert {path.name for path in folder.iterdir()} == {"report.json", "equity.csv", "fills.csv", "decisions.csv"}
    report = json.loads((folder / "report.json").read_text())
    assert report["strategy"]["name"] == "walk-forward of TFA"
    assert report["bars"]["synthetic"] is not None
    assert report["evidence"]["trials"]["count"] == 1
    assert walked.result.verdict.startswith("SYNTHETIC bars: edge before costs: IC above 0 in 3 of 3 windows")
    document = json.loads((walked.result.folder / "walkforward.json").read_text())
    assert document == walked.document
    assert document["schema_version"] == "1.0"
    assert document["stitched"][0]["report"] == "reports/QQQ"
    assert [each["artifact"] for each in document["windows"]] == [f"artifacts/TFA/w0{n}" for n in (1, 2, 3)]
    assert str(walked.project.root) not in json.dumps(document)


def test_windows_of_a_walk_forward_are_one_trial_and_another_cut_or_configuration_is_another(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", days=8, epochs=1)
    cut = make_cut(train="4d", test="2d", step=None, windows=None, anchored=False)
    first = walk(project, cut, folder="a")
    assert (first.result.trials, first.result.tried, len(first.result.windows)) == (1, 1, 2)
    recorded = ledger.read(project.root / "artifacts" / "TFA" / "trials.csv")
    assert [(row.study, row.trial, row.status) for row in recorded] == [
        (first.result.study, 1, "finished"),
        (first.result.study, 2, "finished"),
    ]
    assert recorded[0].changed["walkforward"] == "train=4d test=2d step=2d"
    assert walk(project, cut, folder="again").result.trials == 1
    grown = make_cut(train="4d", test="2d", step=None, windows=None, anchored=True)
    assert walk(project, grown, folder="b").result.trials == 2
    other = walk(project, cut, folder="c", training__lr=0.01)
    assert (other.result.trials, other.result.tried) == (3, 2)
    assert other.result.stitched[0].report["evidence"]["trials"]["count"] == 3
    # All bars have been tested on, the test part of data.split among them.
    path = project.root / "artifacts" / "TFA" / "trials.csv"
    assert ledger.count(path, data_hash=recorded[0].data_hash, tested=True) == 2


def test_several_symbols_are_learned_from_together_and_traded_one_by_one(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", days=6, ic=0.3, epochs=1)
    write_market_beside(project, "b.csv", days=5, seed=3)
    files = {"QQQ": "bars.csv", "B/C": "b.csv"}
    cut = make_cut(train="3d", test="1d", step=None, windows=None, anchored=True)
    found = walk(project, cut, data__files=files, data__symbol=None, data__bars_csv=None)
    assert [each.symbol for each in found.result.stitched] == ["QQQ", "B/C"]
    assert {path.name for path in (found.result.folder / "reports").iterdir()} == {"QQQ", "B_C"}
    # The second symbol has no bars on the last day.
    assert [[each is None for each in window.stretches] for window in found.result.windows] == [
        [False, False],
        [False, False],
        [False, True],
    ]
    returns = [each.report["metrics"]["total_return"] for each in found.result.stitched]
    assert found.result.total_return == pytest.approx(np.mean(returns))
    assert metadata_of(window_folder(found, 1))["data"]["symbols"] == ["QQQ", "B/C"]


def test_what_is_finished_is_kept_and_verified(walked: Walked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "project"
    shutil.copytree(walked.project.root, root)
    project = Project(root=root)
    folder = root / "walk" / "artifacts" / "TFA"
    shutil.rmtree(folder / "w02")
    (root / "walk" / "walkforward.json").unlink()
    kept = (folder / "w01" / "metadata.json").read_bytes()
    again = walk(project, resume=True)
    assert [each.kept for each in again.result.windows] == [True, False, True]
    assert (folder / "w01" / "metadata.json").read_bytes() == kept
    assert again.result.stitched[0].report["fills_hash"] == walked.result.stitched[0].report["fills_hash"]
    assert again.result.study == walked.result.study
    assert again.result.trials == 1
    monkeypatch.chdir(root / "walk")
    loaded = project.load()
    assert walk_forward(loaded, CUT, Silence(), folder=Path(), resume=True).total_return == again.result.total_return

    weights = folder / "w03" / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(ArtifactError, match=r"w03.*; remove the folder and go on with --resume$"):
        walk(project, resume=True)
    shutil.rmtree(folder / "w03")
    shutil.copytree(folder / "w01", folder / "w03")  # sealed, and not of this window
    with pytest.raises(ArtifactError, match=r"walk_forward: is of another walk-forward or window: window is 1, 3 is"):
        walk(project, resume=True)


@pytest.mark.parametrize(
    ("keys", "cut", "message"),
    [
        ({"training__seed": 8}, CUT, "--resume: .*walk was begun with another configuration; begin a new one"),
        (
            {},
            make_cut(train="5d", test="2d", step=None, windows=None, anchored=False),
            "--resume: .*walk was begun with another --train, --test, --step, --windows or --anchored; begin a new one",
        ),
    ],
)
def test_another_walk_forward_is_not_gone_on_with(
    walked: Walked, keys: dict[str, object], cut: Cut, message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        walk(walked.project, cut, folder="walk", resume=True, **keys)


def test_what_cannot_be_walked_is_one_line(walked: Walked, tmp_path: Path) -> None:
    project = walked.project
    with pytest.raises(ConfigError, match=r"walk: exists; choose another --out$"):
        walk(project)
    with pytest.raises(ConfigError, match=r"^--resume: .*configs is not the folder of a walk-forward: it has no plan"):
        walk(project, folder="configs", resume=True)
    with pytest.raises(ConfigError, match=r"^--resume: needs --out, the folder to go on with$"):
        walk_forward(project.load(), CUT, Silence(), resume=True)
    short = make_cut(train="1d", test="1d", step=None, windows=1, anchored=False)
    with pytest.raises(
        DataError, match=r"^window 1: no rows left to learn from: \d+ samples before the test, embargo 250"
    ):
        walk(project, short, folder="short", data__split={"train": 0.8, "validation": 0.1, "test": 0.1, "embargo": 250})
    with pytest.raises(ConfigError, match=r"^evaluation\.costs: "):
        walk(project, folder="costs", evaluation__costs="free_lunch")
    assert not (project.root / "costs").exists()


def test_a_walk_forward_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", days=9, epochs=3)
    arguments = ("walkforward", "--config", "configs/tfa.yaml", "--train", "4d", "--test", "1d", "--out", "walk")
    child = subprocess.Popen(
        command(*arguments),
        cwd=project.root,
        env={**os.environ, **ONE_THREAD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    folder = project.root / "walk" / "artifacts" / "TFA"
    while not (folder / "w01").exists():
        assert child.poll() is None
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (project.root / "walk" / "walkforward.json").exists()
    done = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    assert len(done) < 5
    again = run_sentio(*arguments, "--resume", cwd=project.root)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("  kept, ") == len(done)
    cut = make_cut(train="4d", test="1d", step=None, windows=None, anchored=False)
    straight = walk(project, cut, folder="straight").result.stitched[0].report
    report = json.loads((project.root / "walk" / "reports" / "QQQ" / "report.json").read_text())
    assert report["fills_hash"] == straight["fills_hash"]
    assert not list(folder.glob(".*.partial"))


class _InterruptedAfterTheFirst(Silence):
    def say(self, text: str) -> None:
        if text.startswith("window  1 of 2"):
            raise KeyboardInterrupt


def test_an_interrupted_walk_forward_says_how_to_go_on(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", days=8, epochs=1)
    cut = make_cut(train="4d", test="2d", step=None, windows=None, anchored=False)
    folder = project.root / "walk"
    with pytest.raises(StoppedError, match=r"^interrupted after 1 of 2 windows; go on by --resume --out .*walk$"):
        walk_forward(project.load(), cut, _InterruptedAfterTheFirst(), folder=folder)
    assert [each.kept for each in walk(project, cut, resume=True).result.windows] == [True, False]


def test_real_bars_are_walked_forward_on_unseen_sessions(tmp_path: Path) -> None:
    bars = real_bars("SPY_1m_2011.csv.gz")
    project = make_project(tmp_path / "project", days=1, epochs=1)
    (project.root / "bars.csv.synthetic.json").unlink()
    write_bars(project.root / "bars.csv", bars)
    cut = make_cut(train="15d", test="5d", step="3d", windows=3, anchored=False)
    found = walk(project, cut, data__hours="regular", data__symbol="SPY")
    report = found.result.stitched[0].report
    assert report["measured"]["sessions"] == 5 + 3 + 3
    assert report["bars"]["synthetic"] is None
    for each in found.result.windows:
        row = each.window.test_begin
        assert stamp(each.train_span[0]) >= bars.ts[each.window.train_begin]
        assert stamp(each.validation_span[1]) < bars.ts[row - 60]
        artifact = sentio_inference.Artifact.load(window_folder(found, each.window.number))
        alone = sentio_inference.backtest(bars, "tfa", artifact=artifact, begin=row, end=each.window.test_end)
        part = slice(row - found.result.windows[0].window.test_begin, None)
        assert np.array_equal(
            alone["series"]["exposure"], report["series"]["exposure"][part][: len(alone["series"]["ts"])]
        )


def test_the_command_says_what_came_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path / "project", days=8, ic=0.3, epochs=1)
    monkeypatch.chdir(project.root)
    arguments = ["walkforward", "--config", "configs/tfa.yaml", "--train", "4d", "--test", "2d", "--costs", "zero"]
    assert run(app, arguments, program="sentio") == 0
    captured = capsys.readouterr()
    assert all(len(line.rstrip()) <= 80 for line in captured.out.partition("IC, mean")[0].splitlines())
    (folder,) = (project.root / "runs" / "TFA").glob("walkforward-*")
    document = json.loads((folder / "walkforward.json").read_text())
    assert captured.out.splitlines()[-2:] == [document["verdict"], f"walk-forward: runs/TFA/{folder.name}"]
    assert document["costs"] == "zero"
    assert document["stitched"][0]["metrics"]["costs_paid"]["total"] == 0.0
    assert "window  2 of 2" in captured.err
    assert run(app, [*arguments, "--step", "3d"], program="sentio") == 2
    assert "--step: must be at most --test, 2d" in capsys.readouterr().err


def test_an_artifact_without_a_test_span_has_bars_out_of_sample_and_no_warning(walked: Walked) -> None:
    bars = read_csv(walked.project.root / "bars.csv")
    each = walked.result.windows[0].window
    artifact = sentio_inference.Artifact.load(window_folder(walked, 1))
    report = sentio_inference.backtest(bars, "tfa", artifact=artifact, begin=each.test_begin)
    assert artifact.warnings == []
    assert report["measured"]["samples"]["out-of-sample"] == report["measured"]["bars"]
    # Only the test may be missing.
    document = dict(artifact.metadata)
    folder = walked.project.root / "broken" / "w01"
    shutil.copytree(artifact.folder, folder)
    document["data"] = {**document["data"], "train": None}
    (folder / "metadata.json").write_bytes(sealed_json(document))
    with pytest.raises(sentio_inference.ArtifactError, match=r"data\.train: must be two ISO-8601 times"):
        sentio_inference.Artifact.load(folder)

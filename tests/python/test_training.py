"""Training from bars to artifact, and what is left when it is interrupted."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from sentio_features import FeatureBuilder, FeatureSpec, read_csv
from training_support import ONE_THREAD, Project, command, make_project

import sentio_trainer
from sentio_trainer.bootstrap import Interval
from sentio_trainer.config import given_by_flag, load_config
from sentio_trainer.config_check import check_config
from sentio_trainer.cross_training import cross_validate
from sentio_trainer.errors import ArtifactError, ConfigError, DataError, SentioError
from sentio_trainer.evaluation import Evaluation
from sentio_trainer.files import exclusive_lock
from sentio_trainer.market import MarketSpec, write_market
from sentio_trainer.report import Silence
from sentio_trainer.scores import Estimate
from sentio_trainer.trainers.tfa import train

REPOSITORY = Path(__file__).parents[2]
CHILD_ENVIRONMENT = {**os.environ, **ONE_THREAD}


pytestmark = pytest.mark.usefixtures("one_thread")


class Notes(Silence):
    """Keeps what a run said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.said.append(f"warning: {text}")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("trained") / "project")
    train(project.load(training__seed=3), overwrite=False, report=Silence())
    return project


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_artifact_has_all_its_files_and_their_hashes(trained: Project) -> None:
    files = contents(trained.artifact)
    assert set(files) == {
        "model.pt",
        "model.json",
        "weights.bin",
        "feature_spec.json",
        "metadata.json",
        "probe.json",
        "config.yaml",
        "train_log.csv",
    }
    hashes = trained.metadata()["files"]
    assert {"model.pt", "feature_spec.json", "probe.json"} <= set(hashes)
    for name, stated in hashes.items():
        assert stated == f"sha256:{hashlib.sha256(files[name]).hexdigest()}"


def test_the_metadata_says_what_was_trained_on_what(trained: Project) -> None:
    document = trained.metadata()
    spec = FeatureSpec.load(str(trained.root / "configs" / "features.json"))
    bars = read_csv(str(trained.root / "bars.csv"))
    assert list(document)[:5] == ["schema_version", "saved_at", "framework", "model_id", "version"]
    assert (document["schema_version"], document["framework"]) == ("1.1", "torchscript")
    assert (document["model_id"], document["version"]) == ("TFA", "v1")
    assert document["expects"] == {
        "input_dim": 8,
        "feature_names": list(spec.names),
        "spec_hash": spec.hash,
        "emit_from": spec.emit_from,
        "settle": spec.settle,
        "pad_value": 0.0,
        "dtype": "float32",
        "output": "logit",
        "layout": "BF",
        "sequence_length": 1,
    }
    assert document["decision"]["rule"] == "threshold"
    assert document["decision"]["short_below"] < document["decision"]["long_above"]
    assert (len(document["normalization"]["mean"]), len(document["normalization"]["std"])) == (8, 8)
    data = document["data"]
    assert (data["symbols"], data["bar_interval_s"], data["rows"]) == (["QQQ"], 60, len(bars))
    assert data["files"] == {
        "bars.csv": f"sha256:{hashlib.sha256((trained.root / 'bars.csv').read_bytes()).hexdigest()}"
    }
    assert data["synthetic"] is True
    assert data["synthetic_market"]["theoretical_ic"] == 0.1
    assert data["session"] == "us_equity"
    times = [*data["train"], *data["validation"], *data["test"]]
    assert times == sorted(times)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", each) for each in times)
    assert document["label"]["kind"] == "logret_fwd"
    assert document["training"]["seed"] == 3
    assert 1 <= document["training"]["best_epoch"] <= document["training"]["epochs_run"] == 2
    assert {"validation_loss", "validation_ic", "test_ic", "test_auc", "test_return_after_costs"} <= set(
        document["training"]["metrics"]
    )
    assert set(document["training"]["evaluation"]) == {
        "rows",
        "intervals",
        "looks",
        "forecasts",
        "ic_above",
        "reliability",
    }
    assert document["training"]["evaluation"]["rows"] == document["training"]["metrics"]["test_rows"]
    assert set(document["versions"]) == {"sentio", "engine", "torch", "python", "git_commit"}
    assert document["versions"]["git_commit"] is None  # the project is not a git repository


def test_nothing_in_an_artifact_names_a_place_on_this_machine(trained: Project) -> None:
    import io
    import zipfile

    package = Path(sentio_trainer.__file__).parent
    here = [f"{place}/".encode() for place in (trained.root, REPOSITORY, package, Path.home())]
    for name, content in contents(trained.artifact).items():
        members = {name: content}
        if name == "model.pt":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = {member: archive.read(member) for member in archive.namelist()}
        for member, data in members.items():
            assert not any(place in data for place in here), f"{name}: {member}"


def test_the_saved_config_trains_the_same_model(trained: Project) -> None:
    saved = trained.artifact / "config.yaml"
    assert yaml.safe_load(saved.read_text())["training"]["seed"] == 3
    again = load_config(
        saved, environment={}, overrides=[given_by_flag("export.out_dir", "artifacts/TFA/again", flag="test")]
    )
    train(again, overwrite=False, report=Silence())
    assert (trained.root / "artifacts/TFA/again/model.pt").read_bytes() == (trained.artifact / "model.pt").read_bytes()


def test_the_saved_model_gives_the_logits_of_its_probe_on_real_inputs(trained: Project) -> None:
    probe = json.loads((trained.artifact / "probe.json").read_text())
    model = torch.jit.load(str(trained.artifact / "model.pt"))  # type: ignore[no-untyped-call]
    inputs = np.array(probe["inputs"])
    assert inputs.shape == (8, 8)
    np.testing.assert_array_equal(inputs, inputs.astype(np.float32))  # float32, to the bit
    with torch.inference_mode():
        logits = model(torch.tensor(inputs, dtype=torch.float32))
    assert logits.shape == (8, 1)
    np.testing.assert_allclose(logits[:, 0].numpy(), probe["logits"], rtol=0, atol=1e-6)
    assert len(set(probe["logits"])) > 1

    spec = FeatureSpec.load(str(trained.artifact / "feature_spec.json"))
    assert spec.hash == trained.metadata()["expects"]["spec_hash"]
    x = FeatureBuilder(spec).build(read_csv(str(trained.root / "bars.csv")))
    assert all((x == row.astype(np.float32)).all(axis=1).any() for row in inputs)


def test_the_log_has_one_row_per_epoch(trained: Project) -> None:
    lines = (trained.artifact / "train_log.csv").read_text().splitlines()
    assert lines[0] == "epoch,step,lr,train_loss,loss,auc,ic,rank_ic,seconds"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]


def test_the_same_seed_gives_the_same_model_bits_and_another_seed_others(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", days=3, epochs=1)

    def model(version: str, seed: int) -> bytes:
        loaded = project.load(training__seed=seed, export__out_dir=f"artifacts/TFA/{version}")
        train(loaded, overwrite=False, report=Silence())
        return (project.root / "artifacts" / "TFA" / version / "model.pt").read_bytes()

    assert model("a", 1) == model("b", 1)
    assert model("c", 2) != model("a2", 1)


def test_bars_after_the_training_period_do_not_reach_the_model(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", days=3, epochs=1)
    train(project.load(), overwrite=False, report=Silence())
    lines = (project.root / "bars.csv").read_text().splitlines()
    border = 1 + next(i for i, line in enumerate(lines) if line.startswith(project.metadata()["data"]["train"][1]))
    assert 500 < border < 1000
    noise = np.random.default_rng(0)
    for i in range(border, len(lines)):
        time_text, *_ = lines[i].split(",")
        price = noise.uniform(1, 1000)
        lines[i] = f"{time_text},{price:.2f},{price + 1:.2f},{price / 2:.2f},{price:.2f},{noise.integers(1, 10**9)}"
    (project.root / "bars.csv").write_text("\n".join(lines) + "\n")
    train(project.load(export__out_dir="artifacts/TFA/noise"), overwrite=False, report=Silence())
    noisy = project.root / "artifacts" / "TFA" / "noise" / "model.pt"
    assert noisy.read_bytes() == (project.artifact / "model.pt").read_bytes()


RETURNS = ("logret_fwd", "close_diff", "open_to_open")


@pytest.mark.parametrize(
    ("kind", "objective"),
    [(kind, "direction") for kind in (*RETURNS, "direction", "triple_barrier")]
    + [(kind, "regression") for kind in RETURNS],
)
def test_every_label_trains(tmp_path: Path, kind: str, objective: str) -> None:
    project = make_project(tmp_path / "p", days=3, epochs=1)
    loaded = project.load(label__kind=kind, label__objective=objective, label__horizon=3)
    train(loaded, overwrite=False, report=Silence())
    assert project.metadata()["label"] == {
        "kind": kind,
        "horizon": 3,
        "objective": objective,
        "dead_band": 0.0,
        "barrier": 1.0,
        "volatility_window": 60,
    }


def planted(tmp_path: Path, *, ic: float, seed: int) -> tuple[Evaluation, list[str]]:
    """The evaluation of the shipped configuration, and what was said; the verdict is said last."""
    write_market(MarketSpec(seed=seed, ic=ic), tmp_path / "bars.csv", overwrite=False)
    overrides = {
        "data.bars_csv": str(tmp_path / "bars.csv"),
        "data.cache_dir": str(tmp_path / "cache"),
        "export.out_dir": str(tmp_path / "TFA" / "v1"),
        "training.device": "cpu",
    }
    loaded = load_config(
        REPOSITORY / "configs" / "tfa.yaml",
        environment={},
        overrides=[given_by_flag(key, value, flag="test") for key, value in overrides.items()],
    )
    notes = Notes()
    evaluation = train(loaded, overwrite=False, report=notes).evaluation
    return evaluation, [*notes.said, evaluation.verdict]


def sure(estimate: Estimate | None) -> tuple[float, Interval]:
    assert estimate is not None
    assert estimate.interval is not None
    return estimate.value, estimate.interval


def test_a_planted_edge_is_recovered_out_of_sample_and_beats_what_needs_no_training(tmp_path: Path) -> None:
    evaluation, said = planted(tmp_path, ic=0.10, seed=21)
    ic, interval = sure(evaluation.model.ic)
    assert ic >= 0.05  # half of what is possible
    assert interval.low <= 0.10
    constant, last, logistic = evaluation.baselines
    for mine, theirs in ((evaluation.model.auc, constant.auc), (evaluation.model.auc, last.auc)):
        assert sure(mine)[1].low > sure(theirs)[1].high
    assert evaluation.model.brier is not None
    assert constant.brier is not None
    assert evaluation.model.brier.value < constant.brier.value
    # The planted edge is a sum of past returns, so that a linear model is as good as any.
    assert sure(evaluation.ic_above[-1])[1].high > 0
    assert sure(logistic.ic)[1].low > 0
    assert said[-1].startswith("edge before costs: test IC")
    assert "logistic regression's +0." in said[-1]
    assert any(line.startswith("warning: SYNTHETIC bars") for line in said)


def test_without_an_edge_none_is_claimed(tmp_path: Path) -> None:
    evaluation, said = planted(tmp_path, ic=0.0, seed=24)
    ic, interval = sure(evaluation.model.ic)
    assert abs(ic) < 3 * (interval.high - ic) / 2  # the interval reaches two standard errors
    assert said[-1].startswith("no edge: the test IC of")
    for baseline in evaluation.baselines[1:]:
        value, interval = sure(baseline.ic)
        assert abs(value) < 3 * (interval.high - value) / 2


def test_an_existing_version_is_refused_before_any_work(trained: Project) -> None:
    before, notes = contents(trained.artifact), Notes()
    with pytest.raises(
        ConfigError, match=r"TFA/v1: this version exists; choose another, or replace it with --overwrite$"
    ):
        train(trained.load(), overwrite=False, report=notes)
    assert notes.said == []
    assert contents(trained.artifact) == before


def test_a_damaged_ledger_is_refused_before_any_work(tmp_path: Path) -> None:
    project, notes = make_project(tmp_path / "p", days=3), Notes()
    ledger = project.artifact.parent / "trials.csv"
    ledger.parent.mkdir(parents=True)
    ledger.write_text("a,b\n")
    for work in (
        lambda loaded: train(loaded, overwrite=False, report=notes),
        lambda loaded: cross_validate(loaded, notes),
        check_config,
    ):
        with pytest.raises(ArtifactError, match=r"trials\.csv:1: must be the columns time,version,"):
            work(project.load())
    assert notes.said == []


def test_overwrite_replaces_a_version_and_nothing_but_a_version(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", days=3, epochs=1)
    train(project.load(), overwrite=False, report=Silence())
    (project.artifact / "stale").touch()
    train(project.load(training__seed=99), overwrite=True, report=Silence())
    assert project.metadata()["training"]["seed"] == 99
    assert not (project.artifact / "stale").exists()
    assert sorted(path.name for path in project.artifact.parent.iterdir()) == ["trials.csv", "v1"]
    (project.root / "data" / "equities").mkdir(parents=True)
    with pytest.raises(
        ConfigError, match=r"data/equities: exists and is not an artifact; choose another export\.out_dir$"
    ):
        train(project.load(export__out_dir="data/equities"), overwrite=True, report=Silence())
    assert (project.root / "data" / "equities").exists()


def test_a_version_that_another_process_trains_is_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", days=3, epochs=1)
    holding = (
        "import sys\nfrom pathlib import Path\nfrom sentio_trainer.files import exclusive_lock\n"
        "with exclusive_lock(Path(sys.argv[1]), wait=False):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    lock = project.artifact.with_name(".v1.lock")
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(SentioError, match="another process is training this version"):
            train(project.load(), overwrite=False, report=Silence())
        holder.kill()
    with exclusive_lock(lock, wait=False):  # a killed holder holds no more
        pass


def start_long_training(project: Project) -> subprocess.Popen[str]:
    """A training that has finished its second epoch and would go on for hours."""
    endless = ("--set", "training.epochs=1000000", "--set", "training.patience=1000000")
    process = subprocess.Popen(
        command("train", "--config", str(project.config), *endless),
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=CHILD_ENVIRONMENT,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch   2"):
            return process
    raise AssertionError(f"training ended with {process.wait()}")


def test_an_interrupted_training_exits_130_and_leaves_no_artifact(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", days=3)
    process = start_long_training(project)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.fullmatch(
        r"sentio: interrupted after step [\d,]+ of [\d,]+; --resume-from runs/TFA/v1-\S+/checkpoint_\d+ goes on",
        errors.splitlines()[-1],
    )
    assert "Traceback" not in errors
    assert not project.artifact.exists()


def test_a_refused_resume_leaves_the_records_and_the_ledger_as_they_were(tmp_path: Path) -> None:
    class InterruptedAfterAnEpoch(Silence):
        def say(self, text: str) -> None:
            if text.startswith("epoch"):
                raise KeyboardInterrupt

    project = make_project(tmp_path / "p", days=3, training={"checkpoint_steps": 1})
    with pytest.raises(KeyboardInterrupt):
        train(project.load(), overwrite=False, report=InterruptedAfterAnEpoch())
    (run,) = (project.root / "runs" / "TFA").iterdir()
    ledger = project.root / "artifacts" / "TFA" / "trials.csv"
    records = [run / "run.json", run / "config.yaml", run / "train_log.csv", ledger]
    before = [path.read_bytes() for path in records]
    with pytest.raises(ConfigError, match=r"was written with training\.lr 0\.001, found 0\.5; "):
        train(project.load(training__lr=0.5), overwrite=False, resume_from="latest", report=Silence())
    assert [path.read_bytes() for path in records] == before
    write_market(MarketSpec(days=3, seed=99), project.root / "bars.csv", overwrite=True)
    with pytest.raises(ConfigError, match=r"was written with data\.content 'sha256:"):
        train(project.load(), overwrite=False, resume_from="latest", report=Silence())
    assert [path.read_bytes() for path in records[1:]] == before[1:]


def test_a_killed_training_leaves_no_artifact_and_the_next_one_succeeds(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", days=3)
    process = start_long_training(project)
    process.kill()
    process.communicate()
    assert not project.artifact.exists()
    train(project.load(), overwrite=False, report=Silence())
    assert sorted(path.name for path in project.artifact.parent.iterdir()) == ["trials.csv", "v1"]


# Kills the process at the n-th rename of a folder of the artifact, before or after it happens.
KILL_AT_RENAME = """
import os, signal, sys
from pathlib import Path
from sentio_trainer.cli import app, run
rename, count = Path.rename, 0
def lethal(self, target):
    global count
    if self.parents[1].name != "artifacts":
        return rename(self, target)
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
Path.rename = lethal
run(app, ["train", "--config", sys.argv[1], "--overwrite"], program="sentio")
"""


@pytest.mark.parametrize(("rename", "is_there"), [(1, True), (2, False)])
def test_killed_while_replacing_a_version_the_old_one_is_kept_or_comes_back(
    tmp_path: Path, rename: int, is_there: bool
) -> None:
    project = make_project(tmp_path / "p", days=3, epochs=1)
    train(project.load(), overwrite=False, report=Silence())
    before = contents(project.artifact)
    killed = subprocess.run(
        [sys.executable, "-c", KILL_AT_RENAME, str(project.config), str(rename)],
        cwd=project.root,
        capture_output=True,
        check=False,
        env=CHILD_ENVIRONMENT,
    )
    assert killed.returncode == -signal.SIGKILL
    assert project.artifact.exists() is is_there
    notes = Notes()
    with pytest.raises(ConfigError, match="this version exists"):
        train(project.load(), overwrite=False, report=notes)
    assert contents(project.artifact) == before
    assert sorted(path.name for path in project.artifact.parent.iterdir()) == ["trials.csv", "v1"]
    assert any("the old version is back" in line for line in notes.said) is not is_there


def test_killed_at_random_moments_a_version_is_whole_or_absent(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", days=3, epochs=1)
    began = time.perf_counter()
    arguments = command("train", "--config", str(project.config))
    subprocess.run(arguments, cwd=project.root, check=True, capture_output=True, env=CHILD_ENVIRONMENT)
    whole = time.perf_counter() - began
    names = set(contents(project.artifact))
    random = np.random.default_rng(0)
    for _ in range(3):
        process = subprocess.Popen(
            [*arguments, "--overwrite"],
            cwd=project.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=CHILD_ENVIRONMENT,
        )
        time.sleep(whole * random.uniform(0.6, 1.0))
        process.kill()
        process.wait()
        assert not project.artifact.exists() or set(contents(project.artifact)) == names
    subprocess.run(
        [*arguments, "--overwrite"], cwd=project.root, check=True, capture_output=True, env=CHILD_ENVIRONMENT
    )
    assert sorted(path.name for path in project.artifact.parent.iterdir()) == ["trials.csv", "v1"]


def use_flat_prices(project: Project) -> None:
    header, *lines = (project.root / "bars.csv").read_text().splitlines()
    flat = [f"{line.split(',')[0]},5,5,5,5,1" for line in lines]
    (project.root / "bars.csv").write_text("\n".join([header, *flat]) + "\n")


def use_flat_prices_at_the_end(project: Project) -> None:
    header, *lines = (project.root / "bars.csv").read_text().splitlines()
    flat = [f"{line.split(',')[0]},5,5,5,5,1" for line in lines[800:]]
    (project.root / "bars.csv").write_text("\n".join([header, *lines[:800], *flat]) + "\n")


def use_few_bars(project: Project) -> None:
    lines = (project.root / "bars.csv").read_text().splitlines()
    (project.root / "bars.csv").write_text("\n".join(lines[:101]) + "\n")


def use_no_bars(project: Project) -> None:
    (project.root / "bars.csv").write_text("ts,open,high,low,close,volume\n")


def use_a_bad_mark(project: Project) -> None:
    (project.root / "bars.csv.synthetic.json").write_text("[]")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (use_flat_prices, "every label of the training rows is 0: there is no direction to learn"),
        (use_flat_prices_at_the_end, "every label of the validation rows is 0: there is nothing to choose an epoch by"),
        (use_few_bars, "no rows left to use as validation: 100 bars"),
        (use_no_bars, "bars.csv: has no valid bars"),
        (use_a_bad_mark, "bars.csv.synthetic.json: must be a JSON object, found []"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_bars_that_do_not_suffice_are_refused_and_nothing_is_written(
    tmp_path: Path, spoil: Callable[[Project], None], message: str
) -> None:
    project = make_project(tmp_path / "p", days=3, epochs=1)
    spoil(project)
    with pytest.raises(DataError, match=re.escape(message)):
        train(project.load(), overwrite=False, report=Silence())
    # A label that is the same everywhere is found once training has begun: the ledger says so.
    assert {path.name for path in (project.root / "artifacts" / "TFA").iterdir()} <= {"trials.csv"}


@pytest.mark.parametrize("hidden", [2**50, 2**60])
def test_a_model_beyond_all_memory_is_one_line(tmp_path: Path, hidden: int) -> None:
    project = make_project(tmp_path / "p", days=3, hidden=hidden)
    with pytest.raises(SentioError, match=r"^out of memory on cpu: the model itself is too large \(model\.hidden, "):
        train(project.load(), overwrite=False, report=Silence())


def test_regular_hours_only_leaves_out_rows_and_not_bars(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", days=5, epochs=1)
    # Two hours later: the last third of each session lies outside regular hours.
    header, *lines = (project.root / "bars.csv").read_text().splitlines()
    moved = [f"{np.datetime64(line[:19], 's') + np.timedelta64(7200, 's')}Z,{line.split(',', 1)[1]}" for line in lines]
    (project.root / "bars.csv").write_text("\n".join([header, *moved]) + "\n")

    def rows(hours: str) -> int:
        loaded = project.load(data__hours=hours, export__out_dir=f"artifacts/TFA/{hours}")
        train(loaded, overwrite=False, report=(notes := Notes()))
        line = next(line for line in notes.said if line.startswith("rows: "))
        return sum(int(each.replace(",", "")) for each in re.findall(r"([\d,]+) (?:train|validation|test)", line))

    all_hours, regular = rows("all"), rows("regular")
    assert 0.6 < regular / all_hours < 0.75


def test_git_is_asked_and_its_absence_is_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sentio_trainer.artifact import git_commit

    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    assert git_commit(tmp_path) is None
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    commit = git_commit(tmp_path)
    assert commit is not None
    assert re.fullmatch(r"[0-9a-f]{40}", commit)
    (tmp_path / "a").write_text("1")
    subprocess.run([*git, "add", "a"], check=True)
    assert git_commit(tmp_path) == f"{commit}-dirty"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(tmp_path) is None

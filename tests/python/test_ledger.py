"""The ledger of models that were tried."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_support import epoch
from training_support import Project, make_project

from sentio_trainer import ledger
from sentio_trainer.config import LoadedConfig, given_by_flag, load_config
from sentio_trainer.errors import ArtifactError, SentioError, StoppedError
from sentio_trainer.ledger import COLUMNS, STATUSES, Trial, append, count, hash_config, hash_data, ledger_path, read
from sentio_trainer.recording import recorded
from sentio_trainer.run_log import train_log

TRIAL = Trial(
    time="2026-01-02T03:04:05Z",
    version="v1",
    study=None,
    trial=None,
    status="finished",
    changed={"training.lr": 3e-4},
    seed=7,
    epoch=2,
    loss=0.69,
    auc=0.51,
    ic=0.02,
    rank_ic=None,
    config_hash="sha256:c",
    data_hash="sha256:d",
)

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1)
NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)
TRIALS = st.builds(
    Trial,
    time=st.just(TRIAL.time),
    version=TEXT,
    study=st.none() | TEXT,
    trial=st.none() | st.integers(0),
    status=st.sampled_from(STATUSES),
    changed=st.dictionaries(TEXT, NUMBER | st.text() | st.booleans() | st.integers()),
    seed=st.integers(0, 2**63 - 1),
    epoch=st.none() | st.integers(1),
    loss=NUMBER,
    auc=NUMBER,
    ic=NUMBER,
    rank_ic=NUMBER,
    config_hash=TEXT,
    data_hash=TEXT,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trials=st.lists(TRIALS, max_size=4))
def test_what_is_read_is_what_was_appended(tmp_path: Path, trials: list[Trial]) -> None:
    path = tmp_path / "trials.csv"
    path.unlink(missing_ok=True)
    for trial in trials:
        append(path, trial)
    assert read(path) == trials


def test_the_file_is_a_table_with_a_header(tmp_path: Path) -> None:
    path = tmp_path / "TFA" / "trials.csv"
    append(path, TRIAL)
    append(path, replace(TRIAL, study="wide", trial=3, status="pruned", epoch=None, loss=None, changed={}))
    assert path.read_text() == (
        "time,version,study,trial,status,changed,seed,epoch,loss,auc,ic,rank_ic,config_hash,data_hash\n"
        '2026-01-02T03:04:05Z,v1,,,finished,"{""training.lr"": 0.0003}",7,2,0.69,0.51,0.02,,sha256:c,sha256:d\n'
        "2026-01-02T03:04:05Z,v1,wide,3,pruned,{},7,,,0.51,0.02,,sha256:c,sha256:d\n"
    )
    assert list(path.parent.iterdir()) == [path]


def test_rows_of_many_processes_are_neither_torn_nor_lost(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    each, writers = 25, 4
    code = (
        "import json, sys; from dataclasses import replace; from pathlib import Path\n"
        "from sentio_trainer.ledger import Trial, append\n"
        "trial = Trial(**json.loads(sys.stdin.readline()))\n"
        f"for number in range({each}):\n"
        "    append(Path(sys.argv[1]), replace(trial, study=sys.argv[2], trial=number, changed={'x': 'y' * 5000}))\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(path), f"writer{i}"], stdin=subprocess.PIPE)
        for i in range(writers)
    ]
    for child in children:  # all are let loose together
        assert child.stdin is not None
        child.stdin.write(json.dumps(asdict(TRIAL)).encode() + b"\n")
        child.stdin.close()
    assert [child.wait() for child in children] == [0] * writers
    found = [(trial.study, trial.trial) for trial in read(path)]
    assert sorted(found, key=str) == sorted(((f"writer{i}", n) for i in range(writers) for n in range(each)), key=str)
    for i in range(writers):  # each process's own rows are in its order
        assert [n for study, n in found if study == f"writer{i}"] == list(range(each))


def test_a_row_cut_short_by_a_dying_process_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    append(path, TRIAL)
    whole = path.read_bytes()
    for cut in (1, 40, len(whole) - whole.index(b"\n")):
        path.write_bytes(whole + whole[whole.index(b"\n") + 1 : -cut])
        assert read(path) == [TRIAL]
        append(path, replace(TRIAL, seed=8))
        assert [trial.seed for trial in read(path)] == [7, 8]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "a,b\n1,2\n",
            "trials.csv:1: must be the columns {columns}, found 'a,b'; move the file away to begin another",
        ),
        ("{columns}\n1,2\n", "trials.csv:2: not a row of a ledger: 14 cells expected, found 2"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    columns = ",".join(COLUMNS)
    Path("trials.csv").write_text(content.replace("{columns}", columns))
    with pytest.raises(ArtifactError) as caught:
        read(tmp_path / "trials.csv")
    assert str(caught.value) == message.replace("{columns}", columns)
    if ":1:" in message:
        with pytest.raises(ArtifactError):
            append(tmp_path / "trials.csv", TRIAL)
    assert Path("trials.csv").read_text() == content.replace("{columns}", columns)


def test_models_are_counted_once_and_only_those_with_metrics_on_these_data(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    assert count(path) == 0
    for trial in (
        TRIAL,
        replace(TRIAL, status="interrupted"),  # the same model, resumed later
        replace(TRIAL, config_hash="sha256:other", status="pruned"),
        replace(TRIAL, config_hash="sha256:failed", status="failed", epoch=None),
        replace(TRIAL, config_hash="sha256:third", data_hash="sha256:other bars"),
    ):
        append(path, trial)
    assert (count(path), count(path, data_hash="sha256:d"), count(path, data_hash="sha256:other bars")) == (3, 2, 1)
    assert count(path, tested=True) == 2
    append(path, replace(TRIAL, config_hash="sha256:a trial", study="wide", trial=1))
    append(path, replace(TRIAL, config_hash="sha256:stopped", status="interrupted"))
    assert (count(path), count(path, tested=True)) == (5, 2)


def test_a_training_that_was_stopped_is_recorded_with_its_best_epoch(tmp_path: Path, loaded: LoadedConfig) -> None:
    path, log = tmp_path / "trials.csv", tmp_path / "train_log.csv"
    for failure, status in ((StoppedError("stopped"), "interrupted"), (SentioError("nan"), "failed")):
        for best, epochs in ((None, []), (2, [epoch(1), epoch(2), epoch(3, loss=0.9)])):
            log.write_bytes(train_log(epochs))
            with pytest.raises(SentioError), recorded(loaded, path, data_hash="sha256:d", log=log):
                raise failure
            row = read(path)[-1]
            assert (row.status, row.epoch, row.loss) == (status, best, epochs[1].loss if best else None)


def test_the_ledger_lies_beside_the_versions(tmp_path: Path) -> None:
    assert ledger_path(tmp_path / "TFA" / "v1") == tmp_path / "TFA" / "trials.csv"


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedConfig:
    config = Project(root=tmp_path).config
    config.parent.mkdir()
    config.write_text("symbol: Q\nbars_csv: bars.csv\nfeature_spec: f.json\nout_dir: artifacts/TFA/v1\n")
    return load_config(config, environment={})


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("training.lr", 3e-4, False),
        ("training.seed", 8, False),
        ("label.horizon", 2, False),
        ("training.precision", "fp32", False),
        ("training.num_workers", 0, True),
        ("training.device", "cpu", True),
        ("data.cache_dir", "elsewhere", True),
        ("tracking.log_steps", 1, True),
        ("evaluation.cross_validation.folds", 4, True),
        ("evaluation.costs", "zero", False),
        ("export.out_dir", "artifacts/TFA/v2", True),
    ],
)
def test_a_configuration_counts_as_another_where_it_makes_another_model(
    loaded: LoadedConfig, tmp_path: Path, key: str, value: object, same: bool
) -> None:
    other = load_config(
        tmp_path / "configs/tfa.yaml", overrides=[given_by_flag(key, value, flag="test")], environment={}
    )
    assert (hash_config(other.config) == hash_config(loaded.config)) is same


@pytest.mark.parametrize(("activation", "same"), [("gelu", True), ("tanh", False)])
def test_a_config_from_before_a_key_is_the_same_model_as_with_its_default(
    tmp_path: Path, activation: str, same: bool
) -> None:
    make_project(tmp_path, days=1)
    given = [given_by_flag("model.activation", activation, flag="test")]
    config = load_config(tmp_path / "configs/tfa.yaml", overrides=given, environment={}).config
    document = config.model_dump(mode="json")
    del document["model"]["activation"]
    for section in ledger._OUTSIDE:
        del document[section]
    for section, names in ledger._HOW.items():
        for name in names:
            del document[section][name]
    assert (hash_config(config) == ledger._hash(document)) is same


def test_data_are_the_same_whatever_the_order_of_their_symbols() -> None:
    one = hash_data({"SPY": "sha256:a", "QQQ": "sha256:b"})
    assert one == hash_data({"QQQ": "sha256:b", "SPY": "sha256:a"})
    assert one != hash_data({"QQQ": "sha256:a", "SPY": "sha256:b"})

"""The configuration: where values come from, what is refused, and in which words."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sentio_trainer.config import DEFAULT_ORIGIN, given_by_flag, given_on_command_line, load_config
from sentio_trainer.errors import ConfigError
from sentio_trainer.schema import FLAT_KEYS, KEYS, Config
from sentio_trainer.yaml_reader import parse_scalar

REPOSITORY = Path(__file__).parents[2]

PUBLISHED = """\
symbol: "QQQ"
bars_csv: "data/equities/QQQ_NH.csv"
feature_spec: "configs/features/sentio_55.json"
out_dir: "artifacts/TFA/v1"
batch_size: 8192
epochs: 10
lr: 0.001
num_workers: 6
prefetch_factor: 4
hidden: 128
label_horizon: 1
label_kind: "logret_fwd"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "tfa.yaml").write_text(PUBLISHED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(project: Path, text: str, *, environment: dict[str, str] | None = None, sets: tuple[str, ...] = ()) -> str:
    (project / "c.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load_config(
            Path("c.yaml"), environment=environment or {}, overrides=[given_on_command_line(each) for each in sets]
        )
    return str(error.value)


def test_the_published_flat_keys_land_in_their_sections(project: Path) -> None:
    config = load_config(Path("configs/tfa.yaml"), environment={}).config
    assert config.data.symbol == "QQQ"
    assert config.data.bars_csv == "data/equities/QQQ_NH.csv"
    assert config.features.spec == "configs/features/sentio_55.json"
    assert config.export.out_dir == "artifacts/TFA/v1"
    assert (config.training.batch_size, config.training.epochs, config.training.lr) == (8192, 10, 0.001)
    assert (config.training.num_workers, config.training.prefetch_factor) == (6, 4)
    assert config.model.hidden == 128
    assert (config.label.horizon, config.label.kind) == (1, "logret_fwd")


def test_the_published_config_names_every_flat_key() -> None:
    assert set(yaml.safe_load(PUBLISHED)) == set(FLAT_KEYS)


def test_the_shipped_config_is_the_published_one() -> None:
    shipped = (REPOSITORY / "configs" / "tfa.yaml").read_text()
    assert yaml.safe_load(shipped) == yaml.safe_load(PUBLISHED)


def test_command_line_beats_environment_beats_file_beats_default(project: Path) -> None:
    path = Path("configs/tfa.yaml")
    environment = {"SENTIO_TRAINING__LR": "2e-3", "SENTIO_TRAINING__EPOCHS": "20", "SENTIO_DATA_DIR": "ignored"}
    loaded = load_config(
        path,
        environment=environment,
        overrides=[given_on_command_line("training.lr=3e-3"), given_by_flag("training.seed", 5, flag="--seed")],
    )
    training = loaded.config.training
    assert (training.lr, training.epochs, training.batch_size, training.patience) == (3e-3, 20, 8192, 5)
    assert loaded.origins["training.lr"] == "--set training.lr"
    assert loaded.origins["training.seed"] == "--seed"
    assert loaded.origins["training.epochs"] == "environment SENTIO_TRAINING__EPOCHS"
    assert loaded.origins["training.batch_size"] == "configs/tfa.yaml:5:1"
    assert loaded.origins["training.patience"] == DEFAULT_ORIGIN
    assert set(loaded.origins) == set(KEYS)


def test_the_last_way_to_name_the_bars_counts(project: Path) -> None:
    several = given_on_command_line("data.files={QQQ: a.csv, SPY: b.parquet}")
    data = load_config(Path("configs/tfa.yaml"), environment={}, overrides=[several]).config.data
    assert (data.symbol, data.bars_csv) == (None, None)
    assert data.sources == {"QQQ": "a.csv", "SPY": "b.parquet"}
    one = [given_on_command_line("data.symbol=SPY"), given_on_command_line("data.bars_csv=c.csv")]
    environment = {"SENTIO_DATA__FILES": "{QQQ: a.csv}"}
    assert load_config(Path("configs/tfa.yaml"), environment=environment, overrides=one).config.data.sources == {
        "SPY": "c.csv"
    }
    with pytest.raises(ConfigError, match="give either files or symbol and bars_csv, found files and symbol"):
        load_config(Path("configs/tfa.yaml"), environment=environment, overrides=one[:1])


def test_the_resolved_document_loads_as_the_same_config(project: Path) -> None:
    first = load_config(Path("configs/tfa.yaml"), environment={"SENTIO_DATA__SPLIT__EMBARGO": "7"})
    (project / "resolved.yaml").write_text(first.to_yaml())
    assert load_config(Path("resolved.yaml"), environment={}).config == first.config
    with_origins = first.to_yaml(with_origins=True)
    assert yaml.safe_load(with_origins) == yaml.safe_load(first.to_yaml())
    assert "environment SENTIO_DATA__SPLIT__EMBARGO" in with_origins


def test_paths_are_kept_relative_to_the_project_root(project: Path) -> None:
    text = PUBLISHED.replace("data/equities/QQQ_NH.csv", "{{ROOT}}/data/x.csv").replace(
        "configs/features/sentio_55.json", str(project.parent / "elsewhere" / "spec.json")
    )
    (project / "configs" / "deep.yaml").write_text(text)
    loaded = load_config(Path("configs/deep.yaml"), environment={})
    assert loaded.config.data.bars_csv == "data/x.csv"
    assert loaded.config.features.spec == "../elsewhere/spec.json"
    assert loaded.path(loaded.config.data.bars_csv) == project / "data" / "x.csv"
    assert str(project.parent) not in loaded.to_yaml()


def test_without_a_project_file_the_current_folder_is_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.yaml").write_text(PUBLISHED)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert load_config(tmp_path / "c.yaml", environment={}).root == tmp_path / "here"


def test_a_ticker_that_yaml_1_1_takes_for_a_boolean_is_a_ticker(project: Path) -> None:
    (project / "on.yaml").write_text(PUBLISHED.replace('"QQQ"', "ON").replace("0.001", "1e-3"))
    config = load_config(Path("on.yaml"), environment={}).config
    assert config.data.symbol == "ON"
    assert config.training.lr == 1e-3


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans()))
def test_numbers_and_booleans_after_set_keep_their_value(value: float) -> None:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    assert parse_scalar(text) == value
    assert type(parse_scalar(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batchsize: 3", "c.yaml:1:1: batchsize: unknown key; did you mean 'batch_size'?"),
        ("label:\n  sed: 3", "c.yaml:2:3: label.sed: unknown key; did you mean 'training.seed'?"),
        ("zzz: 3", "c.yaml:1:1: zzz: unknown key; 'sentio config show' lists all keys"),
        ("batch_size: 0", "c.yaml:1:1: batch_size: must be at least 1, found 0"),
        ("epochs: 1.5", "c.yaml:1:1: epochs: must be a whole number, found 1.5"),
        ("lr: fast", "c.yaml:1:1: lr: must be a number, found 'fast'"),
        ("lr: .inf", "c.yaml:1:1: lr: must be a number, found inf"),
        ("lr:", "c.yaml:1:1: lr: must be a number, found nothing"),
        ("symbol: 7", "c.yaml:1:1: symbol: must be a text, found 7"),
        ("decision:\n  tune: 1", "c.yaml:2:3: decision.tune: must be true or false, found 1"),
        (
            "label_kind: future",
            "c.yaml:1:1: label_kind: must be one of 'logret_fwd', 'close_diff', 'direction', 'open_to_open', "
            "'triple_barrier', found 'future'",
        ),
        (
            "data:\n  split:\n    train: 0.9",
            "c.yaml:3:5: data.split: train + validation + test must be 1, found 1.2",
        ),
        (
            "label:\n  objective: regression\n  kind: direction",
            "c.yaml:3:3: label: objective regression needs a return (logret_fwd, close_diff or open_to_open), "
            "found kind direction",
        ),
        ("out_dir: v1", "c.yaml:1:1: out_dir: must end in <model id>/<version>, found 'v1'"),
        ("bars_csv: '{{HOME}}/x.csv'", "c.yaml:1:1: bars_csv: the only mark in a path is {{ROOT}}, found {{HOME}}"),
        ("symbol: QQQ", "c.yaml:1:1: data.bars_csv (or bars_csv): is missing; several symbols are given as data.files"),
        ("", "c.yaml: data.symbol (or symbol): is missing; several symbols are given as data.files"),
        ("data: 5", "c.yaml:1:7: data: a section holds keys, found a single value"),
        ("- symbol", "c.yaml:1:1: a config is a list of 'key: value' lines, found a list"),
        ("symbol: A\nsymbol: B", "c.yaml:2:1: symbol: given twice, first in line 1"),
        (
            "epochs: 3\ntraining:\n  epochs: 4",
            "c.yaml:3:3: training.epochs: given twice, first at c.yaml:1:1: epochs",
        ),
        ("trainig:\n  lr: 1", "c.yaml:1:1: trainig: unknown key; did you mean 'training'?"),
        (
            "evaluation:\n  cross_validaton:\n    folds: 3",
            "c.yaml:2:3: evaluation.cross_validaton: unknown key; did you mean 'evaluation.cross_validation'?",
        ),
        (
            "data:\n  split:\n    embargoo: 3",
            "c.yaml:3:5: data.split.embargoo: unknown key; did you mean 'data.split.embargo'?",
        ),
        (
            "model:\n  kind: transfomer",
            "c.yaml:2:3: model.kind: must be one of 'mlp', 'transformer', found 'transfomer'; "
            "did you mean 'transformer'?",
        ),
        (
            "evaluation:\n  cross_validation:\n    scheme: combinatorial_purged\n    folds: 3\n    test_folds: 3",
            "c.yaml:5:5: evaluation.cross_validation: test_folds must be less than folds, found 3 and 3",
        ),
        ("data:\n  files: {A: a.csv, A: b.csv}", "c.yaml:2:21: not YAML: 'A' is given twice"),
        ("symbol: [", "c.yaml:1:10: not YAML: expected the node content, but found '<stream end>'"),
        ("symbol: *x", "c.yaml:1:9: not YAML: found undefined alias 'x'"),
        ("a: 1\n\tb: 2", "c.yaml:2:1: not YAML: found character '\\t' that cannot start any token"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line_with_its_place(project: Path, text: str, message: str) -> None:
    assert refusal(project, text) == message


FILES = "c.yaml:2:3: data.files"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ("", f"{FILES}: must be a mapping, such as {{SPY: bars/spy.csv}}, found nothing"),
        ("bars/spy.csv", f"{FILES}: must be a mapping, such as {{SPY: bars/spy.csv}}, found 'bars/spy.csv'"),
        ("[a.csv]", f"{FILES}: must be a mapping, such as {{SPY: bars/spy.csv}}, found a list"),
        ("{7203: a.csv}", f"{FILES}: a symbol must be a text, found 7203; put it in quotes"),
        ("{true: a.csv}", f"{FILES}: a symbol must be a text, found true; put it in quotes"),
        ("{'': a.csv}", f"{FILES}: a symbol must not be empty"),
        (f"{{{'A' * 65}: a.csv}}", f"{FILES}: a symbol must have at most 64 characters, found 65"),
        ("{A: 7}", f"{FILES}.A: must be a text, found 7"),
        ("{A: }", f"{FILES}.A: must be a text, found nothing"),
        ("{A: ''}", f"{FILES}.A: must not be empty"),
        ("{A: [a.csv]}", f"{FILES}.A: must be a text, found a list"),
        ("{BRK.B: '{{HOME}}/b.csv'}", f"{FILES}.BRK.B: the only mark in a path is {{{{ROOT}}}}, found {{{{HOME}}}}"),
        ("{A: a.csv, B: ./a.csv}", "c.yaml:2:3: data: files: A and B are one file, a.csv"),
        ("{}", "c.yaml:2:3: data.symbol (or symbol): is missing; several symbols are given as data.files"),
    ],
)
def test_wrong_files_of_symbols_are_refused_by_name(project: Path, files: str, message: str) -> None:
    assert refusal(project, f"data:\n  files: {files}\n") == message


def test_symbols_are_texts_whatever_yaml_1_1_takes_them_for(project: Path) -> None:
    head = "features: {spec: f.json}\nexport: {out_dir: a/T/v1}\n"
    (project / "several.yaml").write_text(
        f"{head}data:\n  files:\n    ON: a.csv\n    NO: '{{{{ROOT}}}}/b.csv'\n    '7203': c.csv\n"
    )
    loaded = load_config(Path("several.yaml"), environment={})
    assert loaded.config.data.sources == {"ON": "a.csv", "NO": "b.csv", "7203": "c.csv"}
    (project / "resolved.yaml").write_text(loaded.to_yaml())
    assert load_config(Path("resolved.yaml"), environment={}).config == loaded.config
    lines = loaded.to_yaml(with_origins=True).splitlines()
    shown = [line for line in lines if "several.yaml" in line]
    assert [line.split("#")[0].strip() for line in shown] == ["files:", "spec: f.json", "out_dir: a/T/v1"]
    assert yaml.safe_load("\n".join(lines))["data"]["files"] == loaded.config.data.files


def test_files_may_be_given_on_the_command_line_and_in_the_environment(project: Path) -> None:
    text = "{A: a.csv, B: b.csv}"
    single = [given_on_command_line(f"data.{key}=null") for key in ("symbol", "bars_csv")]
    for overrides, environment in (
        ([*single, given_on_command_line(f"data.files={text}")], {}),
        (single, {"SENTIO_DATA__FILES": text}),
    ):
        loaded = load_config(Path("configs/tfa.yaml"), overrides=overrides, environment=environment)
        assert loaded.config.data.sources == {"A": "a.csv", "B": "b.csv"}


def test_a_wrong_value_names_where_it_came_from(project: Path) -> None:
    assert (
        refusal(project, PUBLISHED, environment={"SENTIO_TRAINING__EPOCHS": "0"})
        == "environment SENTIO_TRAINING__EPOCHS: must be at least 1, found 0"
    )
    assert (
        refusal(project, PUBLISHED, environment={"SENTIO_TRAINING__EPOCH": "1"})
        == "environment SENTIO_TRAINING__EPOCH: unknown key; did you mean 'training.epochs'?"
    )
    assert refusal(project, PUBLISHED, sets=("epochs=0",)) == "--set epochs: must be at least 1, found 0"
    assert refusal(project, PUBLISHED, sets=("epoch=1",)) == "--set epoch: unknown key; did you mean 'epochs'?"
    assert refusal(project, PUBLISHED, sets=("training=1",)) == "--set training: is a section; name one of its keys"
    assert (
        refusal(project, PUBLISHED, sets=("epochs",))
        == "--set epochs: must be KEY=VALUE, such as --set training.lr=3e-4"
    )


def test_an_absent_config_is_refused_by_name(project: Path) -> None:
    with pytest.raises(ConfigError, match=r"^nope\.yaml: no such config file$"):
        load_config(Path("nope.yaml"), environment={})


def test_every_key_says_what_it_does() -> None:
    def sections(model: type) -> list[type]:
        inner = [f.annotation for f in model.model_fields.values() if hasattr(f.annotation, "model_fields")]  # type: ignore[attr-defined]
        return [model, *(each for section in inner for each in sections(section))]

    for section in sections(Config):
        for name, field in section.model_fields.items():  # type: ignore[attr-defined]
            assert hasattr(field.annotation, "model_fields") or field.description, f"{section.__name__}.{name}"

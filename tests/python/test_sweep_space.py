"""What a sweep varies, as it is written on the command line."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_support import load

from sentio_trainer.errors import ConfigError
from sentio_trainer.sweep_space import Space, open_space


def space_of(root: Path, *texts: str) -> Space:
    load(root)
    return open_space(root / "configs" / "tfa.yaml", texts, environment={})


@pytest.mark.parametrize(
    ("text", "key", "shown", "extremes"),
    [
        ("training.lr=loguniform(1e-4,1e-2)", "training.lr", "loguniform(0.0001, 0.01)", (1e-4, 1e-2)),
        ("lr = loguniform( 1e-4 , 1 )", "training.lr", "loguniform(0.0001, 1.0)", (1e-4, 1.0)),
        ("model.dropout=uniform(0,0.5)", "model.dropout", "uniform(0.0, 0.5)", (0.0, 0.5)),
        ("model.layers=int(1,4)", "model.layers", "int(1, 4)", (1, 4)),
        ("hidden=int(32, 256, 32)", "model.hidden", "int(32, 256, 32)", (32, 256)),
        ("batch_size=intlog(64,8192)", "training.batch_size", "intlog(64, 8192)", (64, 8192)),
        ("model.kind=choice(mlp, transformer)", "model.kind", "choice(mlp, transformer)", ("mlp", "transformer")),
        ("model.causal=choice(true,false)", "model.causal", "choice(true, false)", (True, False)),
        ("training.max_grad_norm=choice(null,0.5,1)", "training.max_grad_norm", "choice(none, 0.5, 1)", (None, 0.5, 1)),
        (
            "features.spec=choice(a.json,'b,c.json')",
            "features.spec",
            "choice(a.json, b,c.json)",
            ("a.json", "b,c.json"),
        ),
    ],
)
def test_a_distribution_is_read(tmp_path: Path, text: str, key: str, shown: str, extremes: tuple[object, ...]) -> None:
    (dimension,) = space_of(tmp_path, text).dimensions
    assert (dimension.key, str(dimension), dimension.extremes) == (key, shown, extremes)
    assert [type(value) for value in dimension.extremes] == [type(value) for value in extremes]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ((), "a sweep needs a key to vary, such as --set 'training.lr=loguniform(1e-4, 1e-2)'"),
        (("lr=0.1",), "a sweep needs a key to vary, such as --set 'training.lr=loguniform(1e-4, 1e-2)'"),
        (("lrate=uniform(0,1)",), "--set lrate: unknown key; 'sentio config show' lists all keys"),
        (("lr=loguniform (1,2",), "a sweep needs a key to vary, such as --set 'training.lr=loguniform(1e-4, 1e-2)'"),
        (("lr=loguniforn(1,2)",), "--set lr: unknown distribution 'loguniforn'; did you mean 'loguniform'?"),
        (
            ("lr=normal(1,2)",),
            "--set lr: unknown distribution 'normal'; known: loguniform, uniform, int, intlog, choice",
        ),
        (
            ("lr=loguniform(1e-4)",),
            "--set lr: loguniform takes two numbers, such as loguniform(1e-4, 1e-2); found loguniform(1e-4)",
        ),
        (
            ("lr=uniform(a,b)",),
            "--set lr: uniform takes two numbers, such as uniform(0, 0.5); found uniform(a,b)",
        ),
        (
            ("lr=uniform(0,.inf)",),
            "--set lr: uniform takes two numbers, such as uniform(0, 0.5); found uniform(0,.inf)",
        ),
        (
            ("lr=uniform(1,[)",),
            "--set lr: uniform takes two numbers, such as uniform(0, 0.5); found uniform(1,[)",
        ),
        (
            ("lr=loguniform(0,1)",),
            "--set lr: the numbers of loguniform must be above 0, such as loguniform(1e-4, 1e-2); "
            "found loguniform(0,1)",
        ),
        (
            ("lr=uniform(2,1)",),
            "--set lr: the first number of uniform must be below the second, such as uniform(0, 0.5); "
            "found uniform(2,1)",
        ),
        (
            ("hidden=int(1,2.5)",),
            "--set hidden: int takes two whole numbers, such as int(1, 4) or int(32, 256, 32); found int(1,2.5)",
        ),
        (
            ("hidden=int(1,10,4)",),
            "--set hidden: the third number of int is a step that leads from the first to the second, "
            "such as int(1, 4) or int(32, 256, 32); found int(1,10,4)",
        ),
        (
            ("hidden=choice(1)",),
            "--set hidden: choice takes two or more different values, such as choice(mlp, transformer); "
            "found choice(1)",
        ),
        (
            ("hidden=choice(1,1)",),
            "--set hidden: choice takes two or more different values, such as choice(mlp, transformer); "
            "found choice(1,1)",
        ),
        (
            ("hidden=choice(1,[2])",),
            "--set hidden: choice takes single values, such as choice(mlp, transformer); found choice(1,[2])",
        ),
        (("lr=uniform(0,1)",), "--set lr: must be greater than 0, found 0.0"),
        (("model.dropout=uniform(0,1)",), "--set model.dropout: must be less than 1, found 1.0"),
        (("hidden=uniform(1,9)",), "--set hidden: must be a whole number, found 1.0"),
        (("model.kind=choice(mlp,lstm)",), "--set model.kind: must be one of 'mlp', 'transformer', found 'lstm'"),
        (("lr=uniform(1,2)", "training.lr=uniform(1,2)"), "--set training.lr: is given two distributions"),
        (("lr=uniform(1,2)", "lr=1"), "--set training.lr: is given both a value and a distribution"),
        (("lr=uniform(1,2)", "epochs=0"), "--set epochs: must be at least 1, found 0"),
        (
            ("symbol=choice(QQQ,SPY)",),
            "--set symbol: must be the same for all trials, for they are compared; give it one value",
        ),
        (
            ("training.monitor=choice(auc,ic)",),
            "--set training.monitor: must be the same for all trials, for they are compared; give it one value",
        ),
        (
            ("label.horizon=int(1,5)",),
            "--set label.horizon: changes what the loss measures, so that trials cannot be compared by it; "
            "choose another metric, such as --set training.monitor=ic",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_swept_is_one_line_before_any_trial(
    tmp_path: Path, texts: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        space_of(tmp_path, *texts)
    assert str(caught.value) == message


def test_labels_may_vary_where_the_metric_is_not_the_loss(tmp_path: Path) -> None:
    space = space_of(tmp_path, "label.horizon=int(1,5)", "training.monitor=ic")
    assert space.load({"label.horizon": 4}).config.label.horizon == 4


def test_a_value_in_quotes_is_no_distribution(tmp_path: Path) -> None:
    space = space_of(tmp_path, "tracking.project='uniform(1,2)'", "lr=uniform(1,2)")
    assert space.load(space.corner()).config.tracking.project == "uniform(1,2)"


@settings(max_examples=30)
@given(kind=st.sampled_from(["int", "intlog", "uniform", "loguniform"]), data=st.data())
def test_drawn_values_lie_within_the_ends(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    optuna = pytest.importorskip("optuna", reason="needs sentio[sweep]")
    low, high = sorted(data.draw(st.lists(st.integers(1, 9_999), min_size=2, max_size=2, unique=True)))
    key = "model.hidden" if kind.startswith("int") else "training.lr"
    space = space_of(tmp_path_factory.mktemp("space"), f"{key}={kind}({low},{high})")
    (dimension,) = space.dimensions
    value = dimension.draw(optuna.trial.FixedTrial({key: data.draw(st.integers(low, high))}))
    assert isinstance(value, int if kind.startswith("int") else float)
    drawn = dimension.draw(optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)).ask())
    assert low <= drawn <= high
    assert space.load({key: drawn})

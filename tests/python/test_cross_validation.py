"""`sentio validate`: many splits, a training each, and no look at what a split tests."""

import json
import math
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_support import Project, bars_of, make_project, write_market_beside

from sentio_trainer import ledger
from sentio_trainer.bootstrap import Interval
from sentio_trainer.cross_console import print_cross_validation
from sentio_trainer.cross_document import validation_document
from sentio_trainer.cross_scores import Case, figures_of, judge, mean_over_folds, overall_figures, spread_of
from sentio_trainer.cross_training import CrossValidation, cross_validate
from sentio_trainer.cross_validation import Plan, plan_splits
from sentio_trainer.errors import ConfigError, DataError
from sentio_trainer.report import Silence
from sentio_trainer.rows import RowSet
from sentio_trainer.schema import Config
from sentio_trainer.scores import Estimate, Forecast, compare
from sentio_trainer.splits import purged_split
from sentio_trainer.thresholds import Forecasts, Venue, probability_of

pytestmark = pytest.mark.usefixtures("one_thread")

SCHEMES = ("walk_forward", "purged_k_fold", "combinatorial_purged")
NEEDS_SKFOLIO = "skfolio, the witness of these splits, is not installed: pip install skfolio"


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What a plan reads of a data set."""

    series: tuple[Any, ...]
    time_ns: np.ndarray

    def __len__(self) -> int:
        return len(self.time_ns)


def configured(**cross_validation: object) -> Config:
    document = {
        "data": {"symbol": "A", "bars_csv": "a.csv", "split": {"embargo": 3}},
        "features": {"spec": "f.json"},
        "evaluation": {"cross_validation": cross_validation},
        "export": {"out_dir": "artifacts/TFA/v1"},
    }
    return Config.model_validate(document, context={"root": Path()})


def samples_of(times: list[np.ndarray], ends: list[np.ndarray], eligible: np.ndarray) -> Any:
    """Series with these bar times; `ends` are places within each."""
    begins = np.cumsum([0, *map(len, times)])
    series = tuple(SimpleNamespace(rows=slice(int(a), int(b))) for a, b in pairwise(begins))
    end = np.concatenate([begin + end for begin, end in zip(begins, ends, strict=False)])
    data = Columns(series=series, time_ns=np.concatenate(times))
    return SimpleNamespace(data=data, labels=SimpleNamespace(end=end), eligible=eligible)


@st.composite
def some_samples(draw: st.DrawFn) -> Any:
    """One to three symbols whose bars begin, end and pause at times of their own; labels of many lengths."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    times, ends = [], []
    for _ in range(draw(st.integers(1, 3))):
        n = draw(st.integers(40, 90))
        times.append(draw(st.integers(-30, 30)) + np.cumsum(rng.integers(1, 4, n)))
        ends.append(np.minimum(np.arange(n) + rng.integers(0, draw(st.integers(1, 6)), n), n - 1))
    return samples_of(times, ends, rng.random(sum(map(len, times))) < 0.9)


def spans(samples: Any, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return samples.data.time_ns[rows], samples.data.time_ns[samples.labels.end[rows]]


def meet(samples: Any, some: np.ndarray, others: np.ndarray) -> bool:
    """Whether any label span of one set has a moment in common with one of the other, pair by pair."""
    (begin, end), (other_begin, other_end) = spans(samples, some), spans(samples, others)
    return bool(((begin[:, None] <= other_end) & (other_begin <= end[:, None])).any())


@settings(max_examples=150)
@given(
    samples=some_samples(),
    scheme=st.sampled_from(SCHEMES),
    window=st.sampled_from(["anchored", "rolling"]),
    folds=st.integers(3, 6),
    embargo=st.integers(0, 4),
)
def test_no_label_that_is_learned_or_chosen_by_meets_one_that_is_tested(
    samples: Any, scheme: str, window: str, folds: int, embargo: int
) -> None:
    config = configured(scheme=scheme, window=window, folds=folds, test_folds=2, embargo=embargo)
    data = samples.data
    try:
        plan = plan_splits(samples, config)
        final = purged_split(
            data.time_ns, [each.rows for each in data.series], samples.labels.end, samples.eligible, config.data.split
        )
    except DataError:
        return
    clock = np.unique(data.time_ns)
    final_begin = data.time_ns[final.test.indices()].min()
    folds_rows = [fold.indices() for fold in plan.folds]
    for split in plan.splits:
        train, validation = split.train.indices(), split.validation.indices()
        test = np.concatenate([folds_rows[fold] for fold in split.folds])
        sets = (train, validation, test)
        assert not meet(samples, train, test)
        assert not meet(samples, validation, test)
        assert not meet(samples, train, validation)
        assert samples.eligible[np.concatenate(sets)].all()
        # What a training tests at the end is left alone.
        assert max(spans(samples, rows)[1].max() for rows in sets) < final_begin
        learned_until = np.searchsorted(clock, spans(samples, train)[1].max())
        assert np.searchsorted(clock, spans(samples, validation)[0].min()) - learned_until > embargo
        for fold in split.folds:
            begin, end = spans(samples, folds_rows[fold])
            first, last = np.searchsorted(clock, [begin.min(), end.max()])
            for rows in (train, validation):
                place, until = (np.searchsorted(clock, each) for each in spans(samples, rows))
                assert (place[place > first] > last + embargo).all()
                if scheme == "walk_forward":
                    assert until.max() < first - embargo
        lone_stretches(samples, [split.train, split.validation, *(plan.folds[fold] for fold in split.folds)])
    each_fold_once(plan)


def lone_stretches(samples: Any, sets: list[RowSet]) -> None:
    """What is traded for one set holds no bar of another, and each stretch is of one symbol."""
    ranges = sorted((each.start, each.stop) for rows in sets for each in rows.ranges)
    assert all(stop <= start for (_, stop), (start, _) in pairwise(ranges))
    for start, stop in ranges:
        assert any(each.rows.start <= start and stop <= each.rows.stop for each in samples.data.series)


def each_fold_once(plan: Plan) -> None:
    tests = Counter((split, fold) for path in plan.paths for fold, split in enumerate(path))
    assert set(tests.values()) == {1}
    assert set(tests) == {(number, fold) for number, split in enumerate(plan.splits) for fold in split.folds}
    rows = np.concatenate([fold.indices() for fold in plan.folds])
    assert len(np.unique(rows)) == len(rows)


def plain_samples(n: int, horizon: int = 0) -> Any:
    return samples_of([np.arange(n)], [np.minimum(np.arange(n) + horizon, n - 1)], np.ones(n, dtype=bool))


@pytest.mark.parametrize(("folds", "test_folds"), [(4, 2), (6, 2), (5, 3)])
def test_without_purge_a_plan_learns_and_chooses_by_what_skfolio_learns_from(folds: int, test_folds: int) -> None:
    witness = pytest.importorskip("skfolio.model_selection", reason=NEEDS_SKFOLIO)
    config = configured(scheme="combinatorial_purged", folds=folds, test_folds=test_folds, embargo=0)
    n = 60  # of the rows, 0.85 are before the test of data.split
    theirs = witness.CombinatorialPurgedCV(n_folds=folds, n_test_folds=test_folds)
    plan = plan_splits(plain_samples(round(n / 0.85)), config)
    for split, (train, tests) in zip(plan.splits, theirs.split(np.zeros((n, 1))), strict=True):
        ours = np.concatenate([split.train.indices(), split.validation.indices()])
        np.testing.assert_array_equal(ours, train)
        tested = np.concatenate([plan.folds[fold].indices() for fold in split.folds])
        np.testing.assert_array_equal(tested, np.concatenate(tests))


def test_the_last_rows_in_time_choose_the_epoch() -> None:
    config = configured(scheme="purged_k_fold", folds=5, embargo=2)
    plan = plan_splits(plain_samples(100, horizon=1), config)
    # 70 + 15 of 100 rows, the 85th of which looks into the test: 84 samples, folds of 17 but the last of 16.
    first, last = plan.splits[0], plan.splits[-1]
    assert [(rows.indices()[0], rows.indices()[-1]) for rows in (plan.folds[0], plan.folds[4])] == [(0, 16), (68, 83)]
    # Bar 17 is the last that the test looks at, and two of embargo follow; of the 64 rows left 11 are to choose by.
    assert (first.train.ranges, first.validation.ranges) == ((slice(20, 70),), (slice(73, 84),))
    assert (last.train.ranges, last.validation.ranges) == ((slice(0, 52),), (slice(55, 67),))


def test_a_night_does_not_use_up_the_embargo() -> None:
    night = 1_000
    times = [np.concatenate([np.arange(50), night + np.arange(50)])] * 2
    samples = samples_of(times, [np.arange(100)] * 2, np.ones(200, dtype=bool))
    config = configured(scheme="purged_k_fold", folds=2, embargo=10)
    plan = plan_splits(samples, config)
    tested_until = samples.data.time_ns[plan.folds[0].indices()].max()
    begins = samples.data.time_ns[plan.splits[0].train.indices()].min()
    bars_between = np.count_nonzero((times[0] > tested_until) & (times[0] < begins))
    assert (tested_until < night < begins, bars_between) == (True, 10)


@pytest.mark.parametrize(
    ("rows", "settings", "error", "message"),
    [
        (5, {"folds": 6}, DataError, "4 samples are too few for 6 folds; give more bars"),
        (
            100,
            {"scheme": "combinatorial_purged", "folds": 40, "test_folds": 20},
            ConfigError,
            "evaluation.cross_validation: 20 of 40 folds make 137846528820 splits, each a training; "
            "at most 10000 are allowed",
        ),
        (
            100,
            {"scheme": "purged_k_fold", "folds": 4, "embargo": 60},
            DataError,
            "no rows left to learn from when testing on fold 1: 85 samples, embargo 60; give more bars, or lower "
            "evaluation.cross_validation.embargo or folds",
        ),
    ],
)
def test_what_cannot_be_split_is_refused_before_the_first_training(
    rows: int, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        plan_splits(plain_samples(rows), configured(**settings))
    assert str(caught.value) == message


# A mean of folds whose spread is known, and what it rests on.


def test_the_error_of_the_mean_fold_allows_for_rows_that_trainings_share() -> None:
    found = mean_over_folds([0.01, 0.02, 0.03], test_share=0.5, standard_errors=2.0)
    assert found.value == pytest.approx(0.02)
    assert found.interval is not None
    assert found.interval.high - found.value == pytest.approx(2.0 * 0.01 * math.sqrt(1 / 3 + 0.5))
    assert found.value - found.interval.low == pytest.approx(found.interval.high - found.value)
    assert mean_over_folds([0.01], test_share=0.5, standard_errors=2.0).interval is None


def test_folds_of_noise_are_seldom_an_edge() -> None:
    rng = np.random.default_rng(3)
    lows = [
        mean_over_folds(rng.standard_normal(6).tolist(), test_share=0.0, standard_errors=2.0).interval
        for _ in range(5_000)
    ]
    share = float(np.mean([each.low > 0.0 for each in lows if each is not None]))
    # Student's t of 5 degrees of freedom: 0.051 above 2; four standard errors of 5,000 draws.
    assert share == pytest.approx(0.051, abs=0.013)


RNG = np.random.default_rng(0)
RETURNS = 0.001 * RNG.standard_normal(3_000) * (RNG.random(3_000) > 0.05)
LOGIT = (0.2 * RETURNS / 0.001 + RNG.standard_normal(3_000)).astype(np.float32)


def test_one_fold_has_the_figures_and_errors_of_a_forecast() -> None:
    score = LOGIT.astype(np.float64)
    forecast = Forecast(key="model", name="model", score=score, probability=probability_of(score))
    (expected,) = compare([forecast], RETURNS, horizon=3, standard_errors=2.0).scores
    found = overall_figures([[LOGIT]], [RETURNS], horizon=3, standard_errors=2.0)
    for name in ("ic", "rank_ic", "auc", "brier"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.value == theirs.value == getattr(figures_of(LOGIT, RETURNS), name)
        assert (ours.interval.low, ours.interval.high) == pytest.approx((theirs.interval.low, theirs.interval.high))


def test_models_that_say_the_same_are_no_surer_than_one() -> None:
    one = overall_figures([[LOGIT]], [RETURNS], horizon=1, standard_errors=2.0).ic
    three = overall_figures([[LOGIT] * 3], [RETURNS], horizon=1, standard_errors=2.0).ic
    assert one is not None
    assert three is not None
    assert three.interval is not None
    assert one.interval is not None
    assert (three.value, three.interval.low) == pytest.approx((one.value, one.interval.low))


def test_models_of_different_folds_need_not_speak_on_one_scale() -> None:
    parts = [slice(0, 1_000), slice(1_000, 2_000), slice(2_000, 3_000)]
    came = [RETURNS[part] for part in parts]
    plain = overall_figures([[LOGIT[part]] for part in parts], came, horizon=1, standard_errors=2.0).ic
    scales = ((1.0, 0.0), (8.0, 3.0), (0.5, -9.0))
    odd = [[a * LOGIT[part] + b] for part, (a, b) in zip(parts, map(np.float32, scales), strict=True)]
    found = overall_figures(odd, came, horizon=1, standard_errors=2.0).ic
    assert plain is not None
    assert found is not None
    assert plain.interval is not None
    assert found.interval is not None
    assert (found.value, found.interval.low) == pytest.approx((plain.value, plain.interval.low), rel=1e-4)  # float32
    # Three folds know as much as the whole. An error of 200 resamples is itself sure to 5 %: four of those.
    whole = overall_figures([[LOGIT]], [RETURNS], horizon=1, standard_errors=2.0).ic
    assert whole is not None
    assert whole.interval is not None
    assert plain.value - plain.interval.low == pytest.approx(whole.value - whole.interval.low, rel=0.2)


def test_folds_of_fewer_than_ten_blocks_have_no_interval() -> None:
    found = overall_figures([[LOGIT]], [RETURNS], horizon=31, standard_errors=2.0).ic
    assert found is not None
    assert found.interval is None
    tenth = overall_figures([[LOGIT]], [RETURNS], horizon=30, standard_errors=2.0).ic
    assert tenth is not None
    assert tenth.interval is not None


def test_a_spread_is_of_all_paths_or_none() -> None:
    assert spread_of([None, 0.1]) is None
    found = spread_of([0.3, 0.1, 0.2])
    assert found is not None
    assert (found.low, found.middle, found.high) == (0.1, 0.2, 0.3)


def around(value: float, error: float) -> Estimate:
    return Estimate(value=value, interval=Interval(low=value - 2 * error, high=value + 2 * error))


CASE = Case(
    split_ics=(0.02, 0.04, 0.03),
    fold_ic=around(0.03, 0.01),
    resampled_ic=around(0.03, 0.005),
    rivals={"last return's sign": 0.01, "logistic regression": 0.02},
    learned="logistic regression",
    returns=(0.05,),
    standard_errors=2.0,
    looks=1,
)


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        (
            {},
            "edge before costs: IC above 0 in 3 of 3 splits, mean +0.0300 (between +0.0100 and +0.0500 over the "
            "folds), above logistic regression's +0.0200; +5.00% after costs on the tested bars",
        ),
        (
            {"returns": (-0.05, 0.01), "rivals": {"logistic regression": 0.05}},
            "edge before costs: IC above 0 in 3 of 3 splits, mean +0.0300 (between +0.0100 and +0.0500 over the "
            "folds), no more than logistic regression's +0.0500; none after costs: -2.00% on 2 paths, in the mean",
        ),
        (
            {"split_ics": (0.02, -0.04, 0.03), "fold_ic": around(0.003, 0.02)},
            "no edge: IC above 0 in 2 of 3 splits, mean +0.0030 (between -0.0370 and +0.0430 over the folds) is not "
            "surely above 0",
        ),
        (
            {"fold_ic": Estimate(value=0.03, interval=None), "split_ics": (0.03,)},
            "no edge: IC above 0 in 1 of 1 splits, mean +0.0300; one fold is too few to tell it from none",
        ),
        (
            {"resampled_ic": around(0.03, 0.02)},
            "no edge: IC above 0 in 3 of 3 splits, mean +0.0300 (between +0.0100 and +0.0500 over the folds), and "
            "between -0.0100 and +0.0700 over resampled bars, is not surely above 0",
        ),
        (
            {"resampled_ic": None},
            "no edge: IC above 0 in 3 of 3 splits, mean +0.0300 (between +0.0100 and +0.0500 over the folds); the bars "
            "are too few to tell it from none",
        ),
        (
            {"rivals": {"last return's sign": 0.04, "logistic regression": 0.02}},
            "no edge of its own: IC above 0 in 3 of 3 splits, mean +0.0300 (between +0.0100 and +0.0500 over the "
            "folds); last return's sign has +0.0400",
        ),
        (
            {"looks": 100},
            "no edge: IC above 0 in 3 of 3 splits, mean +0.0300 (between +0.0100 and +0.0500 over the folds) is 3.0 "
            "standard errors above 0, and the best of 100 configurations tried on these bars needs 3.5",
        ),
        (
            {"returns": (0.0,)},
            "edge before costs: IC above 0 in 3 of 3 splits, mean +0.0300 (between +0.0100 and +0.0500 over the "
            "folds), above logistic regression's +0.0200; nothing was traded",
        ),
    ],
)
def test_the_verdict_is_plain(changed: dict[str, Any], verdict: str) -> None:
    assert judge(replace(CASE, **changed)) == (verdict.startswith("edge"), verdict)


def test_stretches_of_one_symbol_are_traded_one_after_the_other() -> None:
    close = 100.0 * np.exp(np.cumsum(RETURNS[:900]))
    parts = [
        Forecasts(symbol=symbol, bars=bars_of(close[part]), probability=probability_of(LOGIT[:900][part] * 1.0))
        for symbol, part in (("A", slice(0, 300)), ("A", slice(300, 600)), ("B", slice(600, 900)))
    ]
    venue, rule = Venue(costs="zero", calendar="us_equity"), {"rule": "threshold"}
    first, second, other = (venue.trade(each.bars, each.probability, rule) for each in parts)
    together = venue.trade_each(parts, rule)
    for name in ("total_return", "buy_and_hold_return"):
        a, b, c = (getattr(each, name) for each in (first, second, other))
        assert getattr(together, name) == pytest.approx(((1 + a) * (1 + b) - 1 + c) / 2)


# Whole cross-validations of a small market.


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = make_project(tmp_path_factory.mktemp("validate") / "project", days=8, ic=0.3)
    write_market_beside(made, "other.csv", days=6, seed=5)
    return made


@pytest.fixture(scope="module")
def combined(project: Project) -> CrossValidation:
    """Two symbols, three folds, two of them tested at a time."""
    loaded = project.load(
        data__symbol=None,
        data__bars_csv=None,
        data__files={"A": "bars.csv", "B": "other.csv"},
        evaluation__cross_validation__scheme="combinatorial_purged",
        evaluation__cross_validation__folds=3,
    )
    return cross_validate(loaded, Silence())


def test_paths_are_made_of_the_folds_that_their_splits_tested(combined: CrossValidation) -> None:
    assert (len(combined.splits), len(combined.folds), len(combined.paths)) == (3, 3, 2)
    tested = {(split.number, each.fold): each for split in combined.splits for each in split.tested}
    for path in combined.paths:
        steps = [tested[split, fold] for fold, split in enumerate(path.splits)]
        growth = math.prod(1.0 + each.return_after_costs for each in steps if each.return_after_costs is not None)
        assert path.return_after_costs == pytest.approx(growth - 1.0)
        assert path.figures.ic == pytest.approx(np.mean([each.figures.ic for each in steps]))
    for number, fold in enumerate(combined.folds):
        of_splits = [each.figures.ic for (_, at), each in tested.items() if at == number]
        assert fold.figures.ic == pytest.approx(np.mean(of_splits))
    assert combined.fold_ic.value == pytest.approx(np.mean([fold.figures.ic for fold in combined.folds]))
    assert combined.overall.ic is not None
    assert combined.overall.ic.value == pytest.approx(np.mean([path.figures.ic for path in combined.paths]))


def test_the_tables_fit_80_columns(combined: CrossValidation, capsys: pytest.CaptureFixture[str]) -> None:
    print_cross_validation(combined, standard_errors=2.0, folder="runs/x")
    *tables, verdict, folder = capsys.readouterr().out.splitlines()
    assert max(map(len, tables)) <= 80
    assert (verdict, folder) == (combined.verdict, "validation: runs/x")
    assert sum(line.startswith(("1 ", "2 ", "3 ")) for line in tables) == 3 + 2


def test_prices_of_a_tested_block_change_nothing_that_its_split_learned_or_chose(
    project: Project, tmp_path: Path
) -> None:
    other = Project(root=tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "pyproject.toml").touch()
    for name in ("tfa.yaml", "features.json"):
        (tmp_path / "configs" / name).write_text((project.root / "configs" / name).read_text())
    first = cross_validate(project.load(evaluation__cross_validation__folds=2), Silence())
    begin = first.folds[-1].span[0]
    header, *lines = (project.root / "bars.csv").read_text().splitlines()
    assert header.split(",")[0] in ("ts", "ts_utc", "timestamp"), header
    changed, rng = [header], np.random.default_rng(1)
    factor = 1.0
    for line in lines:
        cells = line.split(",")
        factor *= math.exp(0.01 * rng.standard_normal()) if cells[0] >= begin else 1.0
        changed.append(",".join([cells[0], *(repr(float(cell) * factor) for cell in cells[1:5]), *cells[5:]]))
    (tmp_path / "bars.csv").write_text("\n".join(changed) + "\n")
    second = cross_validate(other.load(evaluation__cross_validation__folds=2), Silence())
    ours, theirs = first.splits[-1], second.splits[-1]
    assert ours.tested != theirs.tested
    assert (ours.choice, ours.train_span, ours.validation_span) == (
        theirs.choice,
        theirs.train_span,
        theirs.validation_span,
    )
    assert replace(ours.best, seconds=0.0) == replace(theirs.best, seconds=0.0)


def test_without_an_edge_none_is_found_and_with_one_it_is(tmp_path: Path) -> None:
    settings = {"evaluation__cross_validation__scheme": "purged_k_fold", "training__epochs": 3}
    for ic in (0.0, 0.3):
        made = make_project(tmp_path / f"{ic}", days=12, ic=ic, seed=2)
        result = cross_validate(made.load(**settings), Silence())
        assert result.has_edge == (ic > 0), result.verdict


class Interrupting(Silence):
    """Ctrl-C after the first split."""

    def say(self, text: str) -> None:
        if text.startswith("split  1"):
            raise KeyboardInterrupt


def test_an_interrupted_validation_leaves_the_trainings_in_the_ledger_and_no_document(tmp_path: Path) -> None:
    made = make_project(tmp_path / "project", days=4)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(made.load(), Interrupting())
    (trial,) = ledger.read(made.root / "artifacts" / "TFA" / "trials.csv")
    assert (trial.trial, trial.status, (trial.study or "")[:9]) == (1, "finished", "validate-")
    assert not (made.root / "runs").exists()


def test_each_training_is_in_the_ledger_and_each_configuration_counts_once(tmp_path: Path) -> None:
    made = make_project(tmp_path / "project", days=4, epochs=1)
    trials = made.root / "artifacts" / "TFA" / "trials.csv"
    looks = []
    for scheme, lr in (("walk_forward", 1e-3), ("purged_k_fold", 1e-3), ("walk_forward", 2e-3)):
        loaded = made.load(
            evaluation__cross_validation__scheme=scheme, evaluation__cross_validation__folds=2, training__lr=lr
        )
        looks.append(cross_validate(loaded, Silence()).looks)
    assert looks == [1, 1, 2]
    assert [trial.trial for trial in ledger.read(trials)] == [1, 2] * 3
    assert ledger.count(trials, tested=True) == 0  # the test period is still unseen


class Warnings(Silence):
    def __init__(self) -> None:
        self.told: list[str] = []

    def warn(self, text: str) -> None:
        self.told.append(text)


@pytest.mark.parametrize("embargo", [0, 1])
def test_an_embargo_shorter_than_a_window_is_told(tmp_path: Path, embargo: int) -> None:
    made = make_project(tmp_path / "project", days=3, epochs=1)
    given = {"scheme": "purged_k_fold", "folds": 2, "embargo": embargo}
    report = Warnings()
    cross_validate(made.load(**{f"evaluation__cross_validation__{key}": value for key, value in given.items()}), report)
    told = any("embargo 0 is shorter than a window of 1 rows" in text for text in report.told)
    assert told is (embargo == 0)


def test_the_document_is_json_whatever_is_undefined(combined: CrossValidation, project: Project) -> None:
    nothing = replace(combined, overall=replace(combined.overall, ic=None), fold_ic=Estimate(value=0.1, interval=None))
    document = validation_document(project.load(), nothing)
    assert json.loads(json.dumps(document, allow_nan=False))["overall"]["ic"] is None
    assert document["fold_ic"] == {"value": 0.1, "low": None, "high": None}

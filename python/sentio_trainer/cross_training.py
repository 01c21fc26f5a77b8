"""A training for each split, and what its model says of the rows that neither it nor its choices have seen."""

import time
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
import torch

from sentio_trainer import ledger
from sentio_trainer.assessment import choose, forecasts_of, in_time_order, linear_rival
from sentio_trainer.baselines import last_return, last_sign
from sentio_trainer.cache import Float32
from sentio_trainer.config import LoadedConfig
from sentio_trainer.cross_scores import (
    Case,
    Figures,
    Overall,
    figures_of,
    judge,
    mean_figures,
    mean_of,
    mean_over_folds,
    overall_figures,
)
from sentio_trainer.cross_validation import Plan, plan_splits
from sentio_trainer.device import pick_device
from sentio_trainer.distributed import Group
from sentio_trainer.files import time_for_name
from sentio_trainer.forecast import bar_outputs
from sentio_trainer.learning import Learned, learn
from sentio_trainer.metrics import correlation
from sentio_trainer.recording import recorded
from sentio_trainer.report import Report, WarningsOnly
from sentio_trainer.rows import RowSet
from sentio_trainer.samples import Samples, load_samples, row_span
from sentio_trainer.scores import Estimate
from sentio_trainer.splits import fold_list
from sentio_trainer.thresholds import Choice, Forecasts, Venue, compound
from sentio_trainer.watch import Epoch

LOGISTIC = "logistic regression"
LAST_SIGN = "last return's sign"


@dataclass(frozen=True, kw_only=True)
class Tested:
    """One fold, as one split's model forecasts and trades it."""

    fold: int
    figures: Figures
    rival_ics: dict[str, float]  # of forecasts that need no network, by name; 0 where undefined
    return_after_costs: float | None
    buy_and_hold_return: float | None


@dataclass(frozen=True, kw_only=True)
class SplitResult:
    """One training."""

    number: int
    train_rows: int
    validation_rows: int
    train_span: list[str]
    validation_span: list[str]
    epochs_run: int
    best: Epoch
    choice: Choice
    figures: Figures  # of all rows that it is tested on
    tested: tuple[Tested, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Fold:
    """A block of tested rows; its figures are means over the splits that test it."""

    span: list[str]
    rows: int
    figures: Figures
    rival_ics: dict[str, float]
    return_after_costs: float | None
    buy_and_hold_return: float | None


@dataclass(frozen=True, kw_only=True)
class Path:
    """A history in which each fold is forecast once: means over its folds, and their returns one after the other."""

    splits: tuple[int, ...]  # of each fold
    figures: Figures
    return_after_costs: float | None
    buy_and_hold_return: float | None


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    samples: Samples
    device: torch.device
    splits: tuple[SplitResult, ...]
    folds: tuple[Fold, ...]
    paths: tuple[Path, ...]
    overall: Overall
    fold_ic: Estimate  # mean over the folds
    has_edge: bool
    verdict: str
    study: str  # its name in the ledger
    looks: int  # configurations that were cross-validated on these bars, this one included
    seconds: float


def cross_validate(loaded: LoadedConfig, report: Report) -> CrossValidation:
    """Trains and tests on each split of a configuration; bars and features are loaded once, each training is noted.

    Raises:
        ConfigError: the folds do not fit each other, or there is no such device or cost model.
        DataError: the bars are wrong or too few.
        ArtifactError: the ledger is damaged.
        SentioError: a training fails.
    """
    began = time.perf_counter()
    study = ledger.VALIDATION + time_for_name(datetime.now(timezone.utc))
    config = loaded.config
    device = pick_device(config.training.device)
    venue = Venue.of(loaded)
    venue.check()
    trials = ledger.ledger_path(loaded.path(config.export.out_dir))
    ledger.read(trials)  # a damaged one would refuse the end of it
    samples = load_samples(loaded, report)
    plan = plan_splits(samples, config)
    scheme = config.evaluation.cross_validation
    if scheme.scheme != "walk_forward" and scheme.embargo < samples.window:
        report.warn(
            f"evaluation.cross_validation.embargo {scheme.embargo} is shorter than a window of {samples.window} rows: "
            "rows that are learned from after a test still read tested bars"
        )
    counts = [fold.count() for fold in plan.folds]
    report.say(
        f"{scheme.scheme}: {len(plan.splits)} trainings on {device}, tested on "
        f"{sum(counts):,} rows in {len(counts)} folds; the last {config.data.split.test:.0%} of the rows stay unseen, "
        f"for the test of a training"
    )
    data_hash = ledger.hash_data(samples.data.file_hashes)
    results: list[SplitResult] = []
    logits: dict[tuple[int, int], Float32] = {}  # of a split and a fold, in time order
    with report.steps(len(plan.splits)) as advance:
        for number, split in enumerate(plan.splits):
            split_began = time.perf_counter()
            with recorded(loaded, trials, data_hash=data_hash, study=study, trial=number + 1) as tried:
                learned = learn(
                    samples,
                    config,
                    train=split.train,
                    validation=split.validation,
                    group=Group(device=device),
                    report=WarningsOnly(report),
                )
                tried.best = learned.fit.best
            result, said = _test(loaded, samples, plan, number, learned, venue=venue, device=device, began=split_began)
            results.append(result)
            logits.update(((number, fold), each) for fold, each in zip(split.folds, said, strict=True))
            report.say(_line(result, len(plan.splits)))
            advance()
    looks = ledger.count(trials, data_hash=data_hash, validated=True)
    return _together(loaded, samples, plan, results, logits, device=device, study=study, looks=looks, began=began)


def _test(
    loaded: LoadedConfig,
    samples: Samples,
    plan: Plan,
    number: int,
    learned: Learned,
    *,
    venue: Venue,
    device: torch.device,
    began: float,
) -> tuple[SplitResult, list[Float32]]:
    """The result, and the logits of each tested fold in time order."""
    split = plan.splits[number]
    choice = choose(loaded, samples, learned, split.validation, venue, device)
    logistic = linear_rival(loaded, samples, learned, split.train)
    said, tested, returns = [], [], []
    for fold in split.folds:
        rows = plan.folds[fold]
        logit, forecasts = _forecast(samples, learned, rows, device)
        traded = venue.trade_each(forecasts, choice.decision)
        order = in_time_order(samples.data, rows.indices())
        forward_return = samples.labels.forward_return[order]
        sign = last_sign(last_return(samples.data.close, order))
        rivals = {LAST_SIGN: sign, LOGISTIC: logistic.logits(samples.data.x, order)}
        said.append(logit)
        returns.append(forward_return)
        tested.append(
            Tested(
                fold=fold,
                figures=figures_of(logit, forward_return),
                rival_ics={name: correlation(score, forward_return) or 0.0 for name, score in rivals.items()},
                return_after_costs=traded.total_return,
                buy_and_hold_return=traded.buy_and_hold_return,
            )
        )
    result = SplitResult(
        number=number,
        train_rows=split.train.count(),
        validation_rows=split.validation.count(),
        train_span=row_span(samples, split.train),
        validation_span=row_span(samples, split.validation),
        epochs_run=len(learned.fit.epochs),
        best=learned.fit.best,
        choice=choice,
        figures=figures_of(np.concatenate(said), np.concatenate(returns)),
        tested=tuple(tested),
        seconds=time.perf_counter() - began,
    )
    return result, said


def _forecast(
    samples: Samples, learned: Learned, rows: RowSet, device: torch.device
) -> tuple[Float32, list[Forecasts]]:
    """The logits of `rows` in time order, and what is said at every bar of their ranges, as when trading."""
    data = samples.data
    logits, forecasts = [], []
    for each in rows.ranges:
        logit = bar_outputs(learned.model, data, each, window=samples.window, device=device)
        logits.append(logit[rows.usable[each]].astype(np.float32))  # as the model gives them
        forecasts.append(forecasts_of(data, each, logit))
    by_row = np.concatenate(logits)
    return by_row[np.argsort(data.time_ns[rows.indices()], kind="stable")], forecasts


def _together(
    loaded: LoadedConfig,
    samples: Samples,
    plan: Plan,
    results: list[SplitResult],
    logits: dict[tuple[int, int], Float32],
    *,
    device: torch.device,
    study: str,
    looks: int,
    began: float,
) -> CrossValidation:
    evaluation = loaded.config.evaluation
    tested = {(result.number, each.fold): each for result in results for each in result.tested}
    of_fold = [[key for key in tested if key[1] == fold] for fold in range(len(plan.folds))]
    folds = tuple(
        _fold(samples, rows, [tested[key] for key in keys]) for rows, keys in zip(plan.folds, of_fold, strict=True)
    )
    paths = tuple(_path([(int(split), fold) for fold, split in enumerate(path)], tested) for path in plan.paths)
    overall = overall_figures(
        [[logits[key] for key in keys] for keys in of_fold],
        [samples.labels.forward_return[in_time_order(samples.data, rows.indices())] for rows in plan.folds],
        # Rows of one bar are as much alike as rows of neighbouring bars.
        horizon=loaded.config.label.horizon * len(samples.data.series),
        standard_errors=evaluation.standard_errors,
    )
    fold_ic = mean_over_folds(
        [fold.figures.ic or 0.0 for fold in folds],
        test_share=float(np.mean([fold.rows for fold in folds]) / np.mean([each.train_rows for each in results])),
        standard_errors=evaluation.standard_errors,
    )
    case = Case(
        split_ics=tuple(result.figures.ic or 0.0 for result in results),
        fold_ic=fold_ic,
        resampled_ic=overall.ic,
        rivals={name: float(np.mean([fold.rival_ics[name] for fold in folds])) for name in folds[0].rival_ics},
        learned=LOGISTIC,
        returns=tuple(path.return_after_costs for path in paths),
        standard_errors=evaluation.standard_errors,
        looks=looks,
    )
    has_edge, verdict = judge(case)
    return CrossValidation(
        samples=samples,
        device=device,
        splits=tuple(results),
        folds=folds,
        paths=paths,
        overall=overall,
        fold_ic=fold_ic,
        has_edge=has_edge,
        verdict=verdict,
        study=study,
        looks=looks,
        seconds=time.perf_counter() - began,
    )


def _fold(samples: Samples, rows: RowSet, tested: list[Tested]) -> Fold:
    return Fold(
        span=row_span(samples, rows),
        rows=rows.count(),
        figures=mean_figures([each.figures for each in tested]),
        rival_ics={name: float(np.mean([each.rival_ics[name] for each in tested])) for name in tested[0].rival_ics},
        return_after_costs=mean_of([each.return_after_costs for each in tested]),
        buy_and_hold_return=tested[0].buy_and_hold_return,
    )


def _path(keys: list[tuple[int, int]], tested: dict[tuple[int, int], Tested]) -> Path:
    """`keys` are the split and the fold of each step."""
    steps = [tested[key] for key in keys]
    return Path(
        splits=tuple(split for split, _ in keys),
        figures=mean_figures([step.figures for step in steps]),
        return_after_costs=compound([step.return_after_costs for step in steps]),
        buy_and_hold_return=compound([step.buy_and_hold_return for step in steps]),
    )


def _line(result: SplitResult, splits: int) -> str:
    folds = fold_list(tuple(each.fold for each in result.tested))
    ic = "–" if result.figures.ic is None else f"{result.figures.ic:+.4f}"
    return (
        f"split {result.number + 1:2d} of {splits}  {result.train_rows:,} rows learned, best epoch {result.best.epoch} "
        f"of {result.epochs_run}  {folds}: IC {ic}  {result.seconds:.1f} s"
    )

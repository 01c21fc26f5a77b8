"""Walk-forward over retrained artifacts: train, freeze, test on the bars behind, roll; then trade all tests as one.

A window's artifact is made of bars before its test begins, and of labels that end before. It is sealed, loaded again by
C++ and left as it is: what it decides at a bar of its test depends on no later bar. docs/walkforward.md.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from sentio_trainer import ledger
from sentio_trainer.artifact import to_json
from sentio_trainer.assessment import in_time_order
from sentio_trainer.bars import Float64, Int64, iso_time
from sentio_trainer.baselines import last_return, last_sign
from sentio_trainer.config import LoadedConfig
from sentio_trainer.cross_document import check_free
from sentio_trainer.cross_scores import Case, Figures, Overall, figures_of, judge, mean_over_folds, overall_figures
from sentio_trainer.cross_training import LAST_SIGN
from sentio_trainer.cross_validation import label_spans
from sentio_trainer.device import pick_device
from sentio_trainer.errors import ConfigError, SentioError, StoppedError
from sentio_trainer.files import exclusive_lock, remove_folder, sync_folder, time_for_name
from sentio_trainer.metrics import correlation
from sentio_trainer.paths import shown_path
from sentio_trainer.report import Report
from sentio_trainer.samples import Samples, load_samples
from sentio_trainer.scores import Estimate
from sentio_trainer.thresholds import Venue
from sentio_trainer.walk_trading import Decisions, Stitched, Stretch, bars_of, decide, trade_stitched
from sentio_trainer.walk_training import (
    Walk,
    clock_of,
    frozen,
    is_trained,
    require_interval_known,
    train_window,
    window_rows,
)
from sentio_trainer.walk_windows import Cut, Window, cut_windows

PLAN = "plan.json"
PLAN_SCHEMA = "1.0"
ARTIFACTS = "artifacts"
REPORTS = "reports"


@dataclass(frozen=True, kw_only=True)
class WindowResult:
    """One model, and what it did on the bars behind those that it learned from."""

    window: Window
    train_span: list[str]  # of its artifact: first bar, last bar that a label looked at
    validation_span: list[str]
    test_span: list[str]  # first and last bar that it decides at
    train_rows: int
    epoch: int  # the best one
    decision: Mapping[str, Any]
    validation_return: float | None  # after costs
    rows: int  # tested ones with a label
    figures: Figures
    last_sign_ic: float  # of the forecast that needs no network; 0 where undefined
    stretches: tuple[Stretch | None, ...]  # of each symbol
    kept: bool  # from before, by --resume


@dataclass(frozen=True, kw_only=True)
class WalkForward:
    model_id: str
    study: str
    folder: Path
    samples: Samples
    cut: Cut
    windows: tuple[WindowResult, ...]
    stitched: tuple[Stitched, ...]  # of each symbol
    total_return: float | None  # the mean over the symbols, as from equal shares
    buy_and_hold_return: float | None
    overall: Overall
    window_ic: Estimate  # mean over the windows
    has_edge: bool
    verdict: str
    trials: int  # walk-forwards over these data, this one included
    tried: int  # models of any kind on these data, in the same ledger
    seconds: float


def walk_forward_folder(loaded: LoadedConfig, study: str) -> Path:
    """`<runs>/<model id>/walkforward-<UTC time>`."""
    return loaded.path(loaded.config.tracking.runs_dir) / _model_id(loaded) / study


def new_study() -> str:
    """The name of a walk-forward that begins now, to the millisecond."""
    return ledger.WALK_FORWARD + time_for_name(datetime.now(timezone.utc))


def walk_forward(
    loaded: LoadedConfig, cut: Cut, report: Report, *, folder: Path | None = None, resume: bool = False
) -> WalkForward:
    """Trains each window that has no artifact yet, then trades all.

    Args:
        loaded: the configuration that is trained again and again.
        cut: how history is cut.
        folder: where artifacts and reports go; None: `walk_forward_folder`.
        resume: whether to go on in a folder that exists. What is there must be of the same configuration, bars and cut.

    Raises:
        ConfigError: the folder exists, or is of another walk-forward, or there is no such device or cost model.
        DataError: the bars are wrong or too few.
        ArtifactError: a window's artifact was altered, or the ledger is damaged.
        StoppedError: Ctrl-C; finished windows are kept.
        SentioError: a training fails, or another process writes the folder.
    """
    began = time.perf_counter()
    study = new_study()
    if resume and folder is None:
        raise ConfigError("--resume: needs --out, the folder to go on with")
    # Whole: a lock and a partial folder lie beside it, also beside ".".
    folder = (folder or walk_forward_folder(loaded, study)).resolve()
    if resume:
        study = _study_of(folder)
    else:
        check_free(folder)
    device = pick_device(loaded.config.training.device)
    venue = Venue.of(loaded)
    venue.check()
    trials = ledger.ledger_path(loaded.path(loaded.config.export.out_dir))
    ledger.read(trials)  # a damaged one would refuse the end of it
    with _sole(folder):
        samples = load_samples(loaded, report)
        walk = Walk(
            loaded=loaded,
            samples=samples,
            cut=cut,
            study=study,
            folder=folder / ARTIFACTS / _model_id(loaded),
            trials=trials,
            data_hash=ledger.hash_data(samples.data.file_hashes),
            venue=venue,
            device=device,
        )
        windows = _windows(walk)
        if resume:
            _require_same(folder, _plan(walk, windows))
        else:
            _begin(folder, loaded, _plan(walk, windows))
        return _walk(walk, windows, folder, report, began=began)


def _windows(walk: Walk) -> tuple[Window, ...]:
    samples = walk.samples
    clock = clock_of(samples)
    first = int(np.searchsorted(clock, samples.data.time_ns[samples.eligible].min()))
    windows = cut_windows(clock, walk.cut, first=first, calendar=walk.loaded.config.data.calendar)
    require_interval_known(samples, int(clock[windows[0].test_begin]))
    symbols = [series.symbol for series in samples.data.series]
    if len({_file_name(symbol) for symbol in symbols}) < len(symbols):
        raise ConfigError(f"data.files: symbols need different names as folders, found {', '.join(symbols)}")
    return windows


def _walk(walk: Walk, windows: tuple[Window, ...], folder: Path, report: Report, *, began: float) -> WalkForward:
    data = walk.samples.data
    clock = clock_of(walk.samples)
    end = len(clock)
    tested = sum(window.test_end - window.test_begin for window in windows)
    report.say(
        f"walk-forward: {len(windows)} windows, {walk.cut}, trained on {walk.device}, tested on {tested:,} bars from "
        f"{iso_time(clock[windows[0].test_begin])}; {end - windows[-1].test_end:,} bars behind are left"
    )
    bars = [bars_of(data, series, on_bad_bar=walk.loaded.config.data.on_bad_bar) for series in data.series]
    tests = [[_rows_of(series_bars.ts, clock, window) for window in windows] for series_bars in bars]
    decisions = [Decisions.none(len(series_bars)) for series_bars in bars]
    artifacts, kept = [], []
    try:
        with report.steps(len(windows)) as advance:
            for i, window in enumerate(windows):
                window_began = time.perf_counter()
                kept.append(is_trained(walk, window))
                if not kept[-1]:
                    train_window(walk, window, report)
                artifact = frozen(walk, window)
                for series_bars, rows, decided in zip(bars, tests, decisions, strict=True):
                    if rows[i].start < rows[i].stop:
                        decide(artifact, series_bars, rows[i], walk.venue, decided)
                artifacts.append(artifact.metadata)
                report.say(_line(window, artifact.metadata, kept=kept[-1], began=window_began, windows=len(windows)))
                advance()
    except (KeyboardInterrupt, StoppedError) as stopped:
        raise StoppedError(
            f"interrupted after {len(artifacts)} of {len(windows)} windows; go on by --resume --out "
            f"{shown_path(folder)}"
        ) from stopped
    looks = ledger.count_walked(walk.trials, data_hash=walk.data_hash)
    stitched = tuple(
        trade_stitched(
            series_bars,
            decided,
            rows,
            walk.venue,
            symbol=series.symbol,
            strategy=f"walk-forward of {_model_id(walk.loaded)}",
            trials=looks,
            origin=series,
            folder=folder / REPORTS / _file_name(series.symbol),
        )
        for series, series_bars, decided, rows in zip(data.series, bars, decisions, tests, strict=True)
        if any(each.start < each.stop for each in rows)
    )
    return _together(walk, windows, artifacts, kept, decisions, stitched, folder, looks=looks, began=began)


def _rows_of(time_ns: Int64, clock: Int64, window: Window) -> slice:
    """A symbol's bars within the test of a window, counted from its first."""
    ends = [
        len(time_ns) if tick == len(clock) else int(np.searchsorted(time_ns, clock[tick]))
        for tick in (window.test_begin, window.test_end)
    ]
    return slice(*ends)


def _together(
    walk: Walk,
    windows: tuple[Window, ...],
    artifacts: list[dict[str, Any]],
    kept: list[bool],
    decisions: list[Decisions],
    stitched: tuple[Stitched, ...],
    folder: Path,
    *,
    looks: int,
    began: float,
) -> WalkForward:
    loaded, samples = walk.loaded, walk.samples
    data = samples.data
    said = np.concatenate([each.probability for each in decisions])
    standard_errors = loaded.config.evaluation.standard_errors
    clock = clock_of(samples)
    scored = [_scored(samples, window, said) for window in windows]
    results = []
    for i, (window, metadata, (rows, logit)) in enumerate(zip(windows, artifacts, scored, strict=True)):
        came = samples.labels.forward_return[rows]
        sign = last_sign(last_return(data.close, rows))
        training = metadata["training"]
        results.append(
            WindowResult(
                window=window,
                train_span=metadata["data"]["train"],
                validation_span=metadata["data"]["validation"],
                test_span=[iso_time(clock[window.test_begin]), iso_time(clock[window.test_end - 1])],
                train_rows=window_rows(walk, window).train.count(),
                epoch=training["best_epoch"],
                decision=metadata["decision"],
                validation_return=training["metrics"]["validation_return_after_costs"],
                rows=len(rows),
                figures=figures_of(logit.astype(np.float32), came),
                last_sign_ic=correlation(sign, came) or 0.0,
                stretches=tuple(each.stretches[i] for each in stitched),
                kept=kept[i],
            )
        )
    overall = overall_figures(
        [[logit.astype(np.float32)] for _, logit in scored],
        [samples.labels.forward_return[rows] for rows, _ in scored],
        # Rows of one bar are as much alike as rows of neighbouring bars.
        horizon=loaded.config.label.horizon * len(data.series),
        standard_errors=standard_errors,
    )
    window_ic = mean_over_folds(
        [each.figures.ic or 0.0 for each in results],
        test_share=float(np.mean([each.rows for each in results]) / np.mean([each.train_rows for each in results])),
        standard_errors=standard_errors,
    )
    total = _mean([each.report["metrics"]["total_return"] for each in stitched])
    case = Case(
        split_ics=tuple(each.figures.ic or 0.0 for each in results),
        fold_ic=window_ic,
        resampled_ic=overall.ic,
        rivals={LAST_SIGN: float(np.mean([each.last_sign_ic for each in results]))},
        learned=None,
        returns=(total,),
        standard_errors=standard_errors,
        looks=looks,
        what="window",
        over="window",
    )
    has_edge, verdict = judge(case)
    return WalkForward(
        model_id=_model_id(loaded),
        study=walk.study,
        folder=folder,
        samples=samples,
        cut=walk.cut,
        windows=tuple(results),
        stitched=stitched,
        total_return=total,
        buy_and_hold_return=_mean([each.report["buy_and_hold"]["total_return"] for each in stitched]),
        overall=overall,
        window_ic=window_ic,
        has_edge=has_edge,
        verdict=verdict if data.synthetic is None else f"SYNTHETIC bars: {verdict}",
        trials=looks,
        tried=ledger.count(walk.trials, data_hash=walk.data_hash),
        seconds=time.perf_counter() - began,
    )


def _scored(samples: Samples, window: Window, said: Float64) -> tuple[Int64, Float64]:
    """The tested rows that have a label, in the order of their times, and the logit of what was said there."""
    order = in_time_order(samples.data, np.flatnonzero(samples.eligible))
    begin = label_spans(samples, order).begin
    rows = order[(begin >= window.test_begin) & (begin < window.test_end)]
    rows = rows[np.isfinite(said[rows])]
    p = np.clip(said[rows], np.finfo(np.float64).tiny, 1.0 - np.finfo(np.float64).epsneg)
    return rows, np.log(p) - np.log1p(-p)


def _line(window: Window, metadata: dict[str, Any], *, kept: bool, began: float, windows: int) -> str:
    training = metadata["training"]
    ic = training["metrics"]["validation_ic"]
    how = "kept" if kept else f"trained, best epoch {training['best_epoch']} of {training['epochs_run']}"
    shown = "–" if ic is None else f"{ic:+.4f}"
    return (
        f"window {window.number:2d} of {windows}  {metadata['data']['train'][0][:10]} to "
        f"{metadata['data']['validation'][1][:10]}  {how}, validation IC {shown}  {time.perf_counter() - began:.1f} s"
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _model_id(loaded: LoadedConfig) -> str:
    return PurePosixPath(loaded.config.export.out_dir).parts[-2]


def _file_name(symbol: str) -> str:
    return "".join(each if each.isalnum() or each in "._-" else "_" for each in symbol)


def _plan(walk: Walk, windows: tuple[Window, ...]) -> dict[str, Any]:
    clock = clock_of(walk.samples)
    return {
        "schema_version": PLAN_SCHEMA,
        "model_id": _model_id(walk.loaded),
        "study": walk.study,
        "config_hash": ledger.hash_config(walk.loaded.config),
        "data_hash": walk.data_hash,
        "cut": walk.cut.document(),
        "windows": [
            {
                "window": window.number,
                "train_begin": iso_time(clock[window.train_begin]),
                "test_begin": iso_time(clock[window.test_begin]),
                "test_last": iso_time(clock[window.test_end - 1]),
            }
            for window in windows
        ],
    }


def _begin(folder: Path, loaded: LoadedConfig, plan: Mapping[str, Any]) -> None:
    """Makes the folder, whole or not at all."""
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        remove_folder(partial)
        partial.mkdir(parents=True)
        (partial / PLAN).write_bytes(to_json(plan))
        (partial / "config.yaml").write_bytes(loaded.to_yaml().encode())
        sync_folder(partial)
        partial.rename(folder)
    finally:
        remove_folder(partial)


def _read_plan(folder: Path) -> dict[str, Any]:
    path = folder / PLAN
    try:
        plan = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(
            f"--resume: {shown_path(folder)} is not the folder of a walk-forward: it has no {PLAN}"
        ) from None
    except ValueError as error:
        raise ConfigError(f"{shown_path(path)}: is not the plan of a walk-forward: {error}") from error
    if not isinstance(plan, dict) or not isinstance(plan.get("study"), str):
        raise ConfigError(f"{shown_path(path)}: is not the plan of a walk-forward: it names no study")
    return plan


def _study_of(folder: Path) -> str:
    return str(_read_plan(folder)["study"])


_MEANT = {
    "schema_version": "version of this program",
    "model_id": "model id",
    "config_hash": "configuration",
    "data_hash": "bars",
    "cut": "--train, --test, --step, --windows or --anchored",
    "windows": "windows",
}


def _require_same(folder: Path, plan: Mapping[str, Any]) -> None:
    found = _read_plan(folder)
    for key, what in _MEANT.items():
        if found.get(key) != plan[key]:
            raise ConfigError(f"--resume: {shown_path(folder)} was begun with another {what}; begin a new one")


@contextmanager
def _sole(folder: Path) -> Iterator[None]:
    try:
        with exclusive_lock(folder.with_name(f".{folder.name}.lock"), wait=False):
            yield
    except BlockingIOError as error:
        raise SentioError(f"{shown_path(folder)}: another process is writing this walk-forward") from error

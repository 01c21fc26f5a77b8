"""A cross-validation on the disk: `validation.json`, configuration and plot, in a folder that is whole or absent."""

from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from sentio_trainer.artifact import to_json, versions_document
from sentio_trainer.bootstrap import RESAMPLES, block_length
from sentio_trainer.config import LoadedConfig
from sentio_trainer.cross_plot import plot_png
from sentio_trainer.cross_scores import spread_of
from sentio_trainer.cross_training import CrossValidation, Fold, SplitResult
from sentio_trainer.cross_training import Path as HistoryPath
from sentio_trainer.errors import ConfigError
from sentio_trainer.evaluation import estimate_document
from sentio_trainer.files import write_folder
from sentio_trainer.paths import shown_path
from sentio_trainer.plot import EXTRA
from sentio_trainer.report import Report

DOCUMENT = "validation.json"
PLOT = "validation.png"
SCHEMA_VERSION = "1.0"


def validation_folder(loaded: LoadedConfig, result: CrossValidation) -> Path:
    """`<runs>/<model id>/validate-<UTC time>`."""
    model_id = PurePosixPath(loaded.config.export.out_dir).parts[-2]
    return loaded.path(loaded.config.tracking.runs_dir) / model_id / result.study


def check_free(folder: Path) -> None:
    """Refuses a folder that is there, before any work.

    Raises:
        ConfigError: it exists.
    """
    if folder.exists():
        raise ConfigError(f"{shown_path(folder)}: exists; choose another --out")


def write_validation(folder: Path, loaded: LoadedConfig, result: CrossValidation, report: Report) -> None:
    """Writes all files beside the place, then takes it in one rename."""
    files = {DOCUMENT: to_json(validation_document(loaded, result)), "config.yaml": loaded.to_yaml().encode()}
    if loaded.config.tracking.plot:
        if find_spec("matplotlib") is None:
            report.say(f"no {PLOT}: needs matplotlib: {EXTRA}")
        else:
            files[PLOT] = plot_png(result)
    write_folder(folder, files)


def validation_document(loaded: LoadedConfig, result: CrossValidation) -> dict[str, Any]:
    """All figures, with their intervals, and what they were made of; folds and splits are counted from 1."""
    config, data = loaded.config, result.samples.data
    horizon = config.label.horizon * len(data.series)
    return {
        "schema_version": SCHEMA_VERSION,
        "model_id": PurePosixPath(config.export.out_dir).parts[-2],
        "verdict": result.verdict,
        "has_edge": result.has_edge,
        "scheme": config.evaluation.cross_validation.model_dump(),
        "study": result.study,
        "looks": result.looks,
        "trainings": len(result.splits),
        "splits_with_ic_above_0": sum((each.figures.ic or 0.0) > 0.0 for each in result.splits),
        "fold_ic": estimate_document(result.fold_ic),
        "overall": {name: estimate_document(each) for name, each in vars(result.overall).items()},
        "intervals": {
            "standard_errors": config.evaluation.standard_errors,
            "fold_ic": "spread over folds, corrected for shared training rows (Nadeau & Bengio 2003)",
            "overall": "circular block bootstrap within each fold",
            "block_rows": [block_length(fold.rows, horizon=horizon) for fold in result.folds],
            "resamples": RESAMPLES,
        },
        "spread_over_paths": _spread(result.paths),
        "paths": [_path(each) for each in result.paths],
        "folds": [_fold(number, each) for number, each in enumerate(result.folds, start=1)],
        "splits": [_split(each) for each in result.splits],
        "data": {
            "symbols": [series.symbol for series in data.series],
            "files": {series.symbol: series.file_hash for series in data.series},
            "bar_interval_s": data.interval_s,
            "synthetic": data.synthetic is not None,
            "synthetic_market": data.synthetic,
            "rows": len(data),
        },
        "device": str(result.device),
        "duration_s": round(result.seconds, 3),
        "versions": versions_document(loaded.root),
    }


def _fold(number: int, fold: Fold) -> dict[str, Any]:
    return {
        "fold": number,
        "span": fold.span,
        "rows": fold.rows,
        **asdict(fold.figures),
        "rival_ics": fold.rival_ics,
        "return_after_costs": fold.return_after_costs,
        "buy_and_hold_return": fold.buy_and_hold_return,
    }


def _split(result: SplitResult) -> dict[str, Any]:
    return {
        "split": result.number + 1,
        "tested_folds": [each.fold + 1 for each in result.tested],
        "train": {"rows": result.train_rows, "span": result.train_span},
        "validation": {"rows": result.validation_rows, "span": result.validation_span, **asdict(result.best)},
        "epochs_run": result.epochs_run,
        "decision": result.choice.decision,
        "validation_return_after_costs": result.choice.validation_return,
        **asdict(result.figures),
        "tested": [
            {
                "fold": each.fold + 1,
                **asdict(each.figures),
                "rival_ics": each.rival_ics,
                "return_after_costs": each.return_after_costs,
                "buy_and_hold_return": each.buy_and_hold_return,
            }
            for each in result.tested
        ],
        "duration_s": round(result.seconds, 3),
    }


def _path(path: HistoryPath) -> dict[str, Any]:
    return {
        "splits": [split + 1 for split in path.splits],
        **asdict(path.figures),
        "return_after_costs": path.return_after_costs,
        "buy_and_hold_return": path.buy_and_hold_return,
    }


def _spread(paths: tuple[HistoryPath, ...]) -> dict[str, dict[str, float] | None]:
    figures = {
        "ic": [path.figures.ic for path in paths],
        "rank_ic": [path.figures.rank_ic for path in paths],
        "return_after_costs": [path.return_after_costs for path in paths],
    }
    spreads = {name: spread_of(values) for name, values in figures.items()}
    return {name: None if spread is None else asdict(spread) for name, spread in spreads.items()}

"""A walk-forward as a document: `walkforward.json`, written last, so that a folder that has it is whole."""

from dataclasses import asdict
from typing import Any

from sentio_trainer.artifact import to_json, versions_document
from sentio_trainer.bootstrap import RESAMPLES, block_length
from sentio_trainer.config import LoadedConfig
from sentio_trainer.evaluation import estimate_document
from sentio_trainer.files import write_atomic
from sentio_trainer.walk_forward import ARTIFACTS, WalkForward, WindowResult
from sentio_trainer.walk_trading import Stitched

DOCUMENT = "walkforward.json"
SCHEMA_VERSION = "1.0"


def write_walk_forward(loaded: LoadedConfig, result: WalkForward) -> None:
    """Takes its place in one rename."""
    write_atomic(result.folder / DOCUMENT, to_json(walk_forward_document(loaded, result)))


def walk_forward_document(loaded: LoadedConfig, result: WalkForward) -> dict[str, Any]:
    """All figures, and what they were made of; paths are relative to the folder."""
    config, data = loaded.config, result.samples.data
    horizon = config.label.horizon * len(data.series)
    return {
        "schema_version": SCHEMA_VERSION,
        "model_id": result.model_id,
        "verdict": result.verdict,
        "has_edge": result.has_edge,
        "cut": result.cut.document(),
        "embargo": config.data.split.embargo,
        "study": result.study,
        "trials": result.trials,
        "models_tried_on_these_bars": result.tried,
        "costs": config.evaluation.costs,
        "total_return": result.total_return,
        "buy_and_hold_return": result.buy_and_hold_return,
        "window_ic": estimate_document(result.window_ic),
        "overall": {name: estimate_document(each) for name, each in vars(result.overall).items()},
        "intervals": {
            "standard_errors": config.evaluation.standard_errors,
            "window_ic": "spread over windows, corrected for shared training rows (Nadeau & Bengio 2003)",
            "overall": "circular block bootstrap within each window",
            "block_rows": [block_length(each.rows, horizon=horizon) for each in result.windows],
            "resamples": RESAMPLES,
        },
        "stitched": [_stitched(each, result) for each in result.stitched],
        "windows": [_window(each, result) for each in result.windows],
        "data": {
            "symbols": [series.symbol for series in data.series],
            "files": {series.symbol: series.file_hash for series in data.series},
            "bar_interval_s": data.interval_s,
            "synthetic": data.synthetic is not None,
            "synthetic_market": data.synthetic,
            "rows": len(data),
        },
        "duration_s": round(result.seconds, 3),
        "versions": versions_document(loaded.root),
    }


def _stitched(stitched: Stitched, result: WalkForward) -> dict[str, Any]:
    """What the report in the folder says, in short."""
    report = stitched.report
    return {
        "symbol": stitched.symbol,
        "report": stitched.folder.relative_to(result.folder).as_posix(),
        "measured": report["measured"],
        "fills_hash": report["fills_hash"],
        "metrics": report["metrics"],
        "buy_and_hold": report["buy_and_hold"],
        "evidence": report["evidence"],
    }


def _window(window: WindowResult, result: WalkForward) -> dict[str, Any]:
    return {
        "window": window.window.number,
        "artifact": f"{ARTIFACTS}/{result.model_id}/{window.window.name}",
        "train": window.train_span,
        "validation": window.validation_span,
        "test": window.test_span,
        "train_rows": window.train_rows,
        "test_rows": window.rows,
        "best_epoch": window.epoch,
        "decision": dict(window.decision),
        "validation_return_after_costs": window.validation_return,
        **asdict(window.figures),
        "last_sign_ic": window.last_sign_ic,
        "stretches": {
            stitched.symbol: None if each is None else asdict(each)
            for stitched, each in zip(result.stitched, window.stretches, strict=True)
        },
    }

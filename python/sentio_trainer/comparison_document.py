"""A comparison of models on the disk: report, picture and figures, in a folder that is whole or absent."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sentio_features import ENGINE_VERSION

from sentio_trainer.artifact import METADATA
from sentio_trainer.bars import Int64, iso_time
from sentio_trainer.errors import SentioError
from sentio_trainer.files import sha256_file, time_for_name
from sentio_trainer.model_comparison import LEVEL, ModelComparison, Scope
from sentio_trainer.model_list import RuleModel
from sentio_trainer.model_runs import Row, Trader, artifact_folder, notes_of
from sentio_trainer.named_bars import NamedBars
from sentio_trainer.paired_comparison import CONFIDENCE, RESAMPLES, PairedComparison
from sentio_trainer.paths import shown_path

SCHEMA_VERSION = "1.0"
DOCUMENT = "evaluation_results.json"
PAGE = "evaluation_report.md"
PLOT = "comparison_plots.png"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What was asked for."""

    test_days: int
    allow_in_sample: bool
    seed: int


def comparison_document(found: ModelComparison, settings: Settings, *, created_at: datetime) -> dict[str, Any]:
    """Everything that the report says, for machines. Fractions and session figures, not annualised; null: undefined."""
    runs = found.runs
    return {
        "schema_version": SCHEMA_VERSION,
        "created_at": created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "verdict": found.verdict,
        "baseline": found.baseline,
        "settings": {
            "test_days": settings.test_days,
            "session": runs.calendar,
            "costs": runs.rows[0].report["costs"],
            "allow_in_sample": settings.allow_in_sample,
            "seed": settings.seed,
        },
        "statistics": {
            "method": "paired circular block bootstrap of session returns",
            "resamples": RESAMPLES,
            "confidence": CONFIDENCE,
            "adjustment": "largest standardised difference among all pairs",
            "level": LEVEL,
        },
        "versions": {"sentio": version("sentio"), "engine": ENGINE_VERSION},
        "models": [_trader(trader, found.left_out) for trader in runs.traders],
        "symbols": [_symbol(named) for named in runs.symbols],
        "sessions": session_dates(runs.sessions),
        "rows": [_row(row) for row in runs.rows],
        "comparisons": [_scope(scope) for scope in found.scopes],
        "notes": notes_of(runs),
    }


def session_dates(days: Int64) -> list[str]:
    """`2024-08-30` of days since 1970."""
    return [str(day) for day in days.astype("datetime64[D]")]


def _trader(trader: Trader, left_out: Mapping[str, str]) -> dict[str, Any]:
    model, folder = trader.model, artifact_folder(trader)
    common = {"label": trader.label, "not_ranked": left_out.get(trader.label)}
    if isinstance(model, RuleModel):
        return {**common, "kind": "rule", "rule": model.rule, "params": dict(model.params)}
    assert folder is not None
    assert trader.artifact is not None
    data = trader.artifact.metadata.get("data", {})
    return {
        **common,
        "kind": "artifact",
        "folder": shown_path(folder),
        # Of the folder that was loaded: a link may lead elsewhere by now.
        "metadata_hash": sha256_file(trader.artifact.folder / METADATA),
        "backend": trader.artifact.backend,
        "trials": trader.trials,
        "trained_on": {key: data.get(key) for key in ("symbols", "bar_interval_s", "train", "validation", "test")},
    }


def _symbol(named: NamedBars) -> dict[str, Any]:
    return {
        "symbol": named.symbol,
        "file": shown_path(named.path),
        "sha256": named.sha256,
        "bars": len(named.bars),
        "first": iso_time(named.bars.ts[0]),
        "last": iso_time(named.bars.ts[-1]),
        "interval_s": named.bars.interval_s,
        "synthetic": named.bars.synthetic,
    }


def _row(row: Row) -> dict[str, Any]:
    report = row.report
    return {
        "model": row.model,
        "symbol": row.symbol,
        "sample": row.sample,
        "seen_bars": row.seen_bars,
        "measured": report["measured"],
        "verdict": report["verdict"],
        "metrics": report["metrics"],
        "evidence": report["evidence"],
        "fills_hash": report["fills_hash"],
        "session_returns": row.session_returns.tolist(),
    }


def _scope(scope: Scope) -> dict[str, Any]:
    found: PairedComparison | None = scope.comparison
    return {
        "scope": scope.name,
        "verdict": scope.verdict,
        "sessions": None if found is None else found.sessions,
        "block_sessions": None if found is None else found.block,
        "standings": [] if found is None else [asdict(each) for each in found.standings],
        "pairs": [] if found is None else [asdict(each) for each in found.pairs],
    }


def free_folder(out: Path, now: datetime) -> Path:
    """`<out>/eval_<UTC time>`.

    Raises:
        SentioError: it exists.
    """
    folder = out / f"eval_{time_for_name(now.astimezone(timezone.utc))}"
    if folder.exists():
        raise SentioError(f"{shown_path(folder)}: exists; another evaluation began in the same millisecond; try again")
    return folder

"""Small projects to train in."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from sentio_features import Bars, FeatureSpec

from sentio_trainer.config import LoadedConfig, given_by_flag, load_config
from sentio_trainer.data_set import DataSet, open_data_set
from sentio_trainer.market import MarketSpec, write_market

MINUTE_NS = 60_000_000_000
# For child processes: two threads on a small batch, on a busy machine, wait for each other.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}

# Eight features, ready after 60 bars: what a model needs to find momentum over 20 bars, and some noise.
FEATURE_SPEC = {
    "schema_version": "1.0",
    "features": [
        {"name": "ret_1", "op": "LOGRET", "source": "close", "window": 1},
        {"name": "ret_5", "op": "LOGRET", "source": "close", "window": 5},
        {"name": "ret_20", "op": "LOGRET", "source": "close", "window": 20},
        {"name": "ret_60", "op": "LOGRET", "source": "close", "window": 60},
        {"name": "vol_20", "op": "STD", "source": "ret_1", "window": 20},
        {"name": "rsi_14", "op": "RSI", "source": "close", "window": 14},
        {"name": "sma_20", "op": "SMA", "source": "close", "window": 20, "as": "relative"},
        {"name": "spread", "op": "SPREAD_BP"},
    ],
}


@dataclass(frozen=True, kw_only=True)
class Project:
    """A folder with bars, a spec and a configuration."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "configs" / "tfa.yaml"

    @property
    def artifact(self) -> Path:
        return self.root / "artifacts" / "TFA" / "v1"

    def load(self, **overrides: object) -> LoadedConfig:
        """The configuration; `training__lr=0.1` sets training.lr."""
        given = [given_by_flag(key.replace("__", "."), value, flag="test") for key, value in overrides.items()]
        return load_config(self.config, overrides=given, environment={})

    def metadata(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.artifact / "metadata.json").read_text())
        return document


def make_project(root: Path, *, days: int = 6, seed: int = 1, ic: float = 0.1, **flat: object) -> Project:
    """A project on synthetic bars; `flat` are flat configuration keys."""
    project = Project(root=root)
    (root / "configs").mkdir(parents=True)
    (root / "pyproject.toml").touch()
    (root / "configs" / "features.json").write_text(json.dumps(FEATURE_SPEC))
    write_market(MarketSpec(days=days, seed=seed, ic=ic), root / "bars.csv", overwrite=False)
    document = {
        "symbol": "QQQ",
        "bars_csv": "bars.csv",
        "feature_spec": "configs/features.json",
        "out_dir": "artifacts/TFA/v1",
        "batch_size": 256,
        "epochs": 2,
        "hidden": 16,
        "num_workers": 1,
        "tracking": {"plot": False},  # a second of each training
        **flat,
    }
    project.config.write_text(yaml.safe_dump(document, sort_keys=False))
    return project


def write_market_beside(project: Project, name: str, *, days: int, seed: int) -> None:
    """Further bars for a project."""
    write_market(MarketSpec(days=days, seed=seed), project.root / name, overwrite=False)


def command(*arguments: str) -> list[str]:
    """The `sentio` command in a process of its own."""
    return [sys.executable, "-m", "sentio_trainer", *arguments]


def run_sentio(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ONE_THREAD, **environment},
    )


def bars_of(close: npt.ArrayLike, *, open_: npt.ArrayLike | None = None, minutes: npt.ArrayLike | None = None) -> Bars:
    """Minute bars with these closes; opens equal closes unless given."""
    close = np.asarray(close, dtype=np.float64)
    opens = close if open_ is None else np.asarray(open_, dtype=np.float64)
    at = np.arange(len(close)) if minutes is None else np.asarray(minutes)
    ts = 1_704_205_800_000_000_000 + at.astype(np.int64) * MINUTE_NS
    return Bars(ts, opens, np.maximum(opens, close), np.minimum(opens, close), close, np.ones_like(close))


def write_bars(path: Path, bars: Bars) -> Path:
    """The bars as a CSV file, every digit of them."""
    columns = [bars[name].tolist() for name in ("ts", "open", "high", "low", "close", "volume")]  # type: ignore[call-overload]
    lines = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    path.write_text("\n".join(["ts,open,high,low,close,volume", *lines]) + "\n")
    return path


def data_set_of(folder: Path, *series: Bars) -> DataSet:
    """A data set of these symbols' bars and the features of FEATURE_SPEC."""
    sources = {f"S{i}": write_bars(folder / f"S{i}.csv", bars) for i, bars in enumerate(series)}
    spec = FeatureSpec.from_json(json.dumps(FEATURE_SPEC))
    return open_data_set(sources, spec, on_bad_bar="refuse", cache_dir=folder / "cache", say=lambda _: None)

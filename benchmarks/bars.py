"""The bars that everything is timed on: the synthetic market's, in files that every process reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sentio_features import Bars, read_csv

from sentio_trainer.market import MarketSpec, write_market

PROJECT = Path(__file__).resolve().parents[1]
LEVELS = PROJECT / "configs" / "features" / "sentio_55_levels.json"
STATIONARY = PROJECT / "configs" / "features" / "sentio_55.json"
FIELDS = ("open", "high", "low", "close", "volume")
COLUMNS = ("ts", *FIELDS)

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stored:
    """Bars as one CSV file, and as one .npy file a column."""

    folder: Path

    @property
    def csv(self) -> Path:
        return self.folder / "bars.csv"

    def column(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def load(self) -> Bars:
        return Bars(*(np.load(self.column(name)) for name in COLUMNS))


def make_bars(folder: Path, *, days: int) -> Stored:
    """Sessions of 390 minutes, some of them half."""
    stored = Stored(folder)
    write_market(MarketSpec(days=days, seed=1, ic=0.1), stored.csv, overwrite=False)
    bars = read_csv(stored.csv)
    for name in COLUMNS:
        np.save(stored.column(name), bars.ts if name == "ts" else getattr(bars, name))
    return stored

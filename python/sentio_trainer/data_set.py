"""All bars of a run and their features: one symbol after another, in columns of one length.

Shapes: n rows, one a bar; F features.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sentio_features import Bars, FeatureSpec

from sentio_trainer.bars import Float64, Int64, load_bars
from sentio_trainer.cache import Float32, feature_matrix
from sentio_trainer.errors import DataError
from sentio_trainer.paths import shown_path


@dataclass(frozen=True, kw_only=True)
class Series:
    """One symbol's place in a data set."""

    symbol: str
    path: Path
    rows: slice
    interval_s: float  # the usual distance of two bars
    file_hash: str
    synthetic: dict[str, Any] | None  # the mark of a generated market; None for recorded bars
    skipped: tuple[Mapping[str, object], ...]  # bad bars that were left out: kind, count, first

    def __len__(self) -> int:
        return len(range(self.rows.start, self.rows.stop))


@dataclass(frozen=True, kw_only=True)
class DataSet:
    series: tuple[Series, ...]
    spec: FeatureSpec
    time_ns: Int64  # [n]
    open: Float64
    high: Float64
    low: Float64
    close: Float64
    volume: Float64
    x: Float32  # [n, F], memory-mapped

    def __len__(self) -> int:
        return len(self.time_ns)

    @property
    def interval_s(self) -> float:
        """The usual distance of two bars, the same for all symbols."""
        return self.series[0].interval_s

    @property
    def synthetic(self) -> dict[str, Any] | None:
        """The mark of the first generated series; None where all bars are recorded ones."""
        return next((each.synthetic for each in self.series if each.synthetic is not None), None)

    def bars(self, rows: slice) -> Bars:
        """Bars of rows that lie within one series."""
        columns = (self.open, self.high, self.low, self.close, self.volume)
        return Bars(self.time_ns[rows], *(column[rows] for column in columns))


def open_data_set(
    sources: Mapping[str, Path],
    spec: FeatureSpec,
    *,
    on_bad_bar: Literal["refuse", "skip"],
    cache_dir: Path,
    say: Callable[[str], None],
) -> DataSet:
    """Reads the bars of each symbol and computes their features, or finds them in the cache.

    Raises:
        DataError: a file is absent or wrong, or the symbols' bars have different intervals.
    """
    series: list[Series] = []
    bars: list[Bars] = []
    matrices: list[Float32] = []
    begin = 0
    for symbol, path in sources.items():
        file = load_bars(path, on_bad_bar=on_bad_bar)
        rows = slice(begin, begin + len(file.bars))
        series.append(
            Series(
                symbol=symbol,
                path=path,
                rows=rows,
                interval_s=file.bars.interval_s,
                file_hash=file.file_hash,
                synthetic=file.synthetic,
                skipped=tuple(file.bars.skipped),
            )
        )
        if series[-1].interval_s != series[0].interval_s:
            raise DataError(
                f"{shown_path(path)}: bars of {series[-1].interval_s:g} s, but those of {series[0].symbol} are of "
                f"{series[0].interval_s:g} s; one model learns from bars of one interval"
            )
        bars.append(file.bars)
        matrices.append(feature_matrix(file.bars, spec, bars_hash=file.content_hash, cache_dir=cache_dir, say=say))
        begin = rows.stop

    return DataSet(
        series=tuple(series),
        spec=spec,
        time_ns=np.concatenate([each.ts for each in bars]),
        open=np.concatenate([each.open for each in bars]),
        high=np.concatenate([each.high for each in bars]),
        low=np.concatenate([each.low for each in bars]),
        close=np.concatenate([each.close for each in bars]),
        volume=np.concatenate([each.volume for each in bars]),
        x=matrices[0] if len(matrices) == 1 else np.concatenate(matrices),
    )

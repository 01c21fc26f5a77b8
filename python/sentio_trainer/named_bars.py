"""Bars by their symbol: named files, or those of a data folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sentio_features import Bars, InputError, find_bars, read_csv

from sentio_trainer.bars import require_enough, require_file
from sentio_trainer.errors import ConfigError, DataError
from sentio_trainer.files import sha256_file

DATA_DIR = Path("data/equities")


@dataclass(frozen=True, kw_only=True)
class NamedBars:
    """All bars of a symbol, and the file that they are from."""

    symbol: str
    path: Path
    sha256: str
    bars: Bars


def parse_bars_files(texts: Sequence[str]) -> dict[str, Path]:
    """Symbols and files, each written `SYMBOL=FILE`.

    Raises:
        ConfigError: a text has another form, or names a symbol again.
    """
    files: dict[str, Path] = {}
    for text in texts:
        symbol, equals, path = text.partition("=")
        if not equals or not symbol or not path:
            raise ConfigError(f"--bars {text}: must be SYMBOL=FILE, such as SPY=data/SPY_1m.csv.gz")
        if symbol in files:
            raise ConfigError(f"--bars {text}: {symbol} has a file already, {files[symbol]}")
        files[symbol] = Path(path)
    return files


def read_named_bars(symbol: str, *, files: Mapping[str, Path], data_dir: Path) -> NamedBars:
    """The bars of a symbol: its file in `files`, else the one in `data_dir` that has its name.

    Raises:
        DataError: no file fits, or it is wrong.
        ConfigError: several files fit.
    """
    try:
        path = files[symbol] if symbol in files else Path(find_bars(data_dir, symbol))
        require_file(path)
        bars = read_csv(path)
    except InputError as error:
        raise DataError(str(error)) from error
    except ValueError as error:
        raise ConfigError(str(error)) from error
    require_enough(path, len(bars))
    return NamedBars(symbol=symbol, path=path, sha256=sha256_file(path), bars=bars)

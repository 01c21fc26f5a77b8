"""What a model must show, after costs and on bars that it has not seen, before it may be deployed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sentio_features import Bars, InputError, find_bars, read_csv, session_days
from sentio_inference import Artifact, backtest
from sentio_inference import ArtifactError as RefusedArtifact

from sentio_trainer.bars import iso_time
from sentio_trainer.config import load_config
from sentio_trainer.errors import ArtifactError, ConfigError, DataError
from sentio_trainer.files import sha256_file
from sentio_trainer.ledger import LEDGER
from sentio_trainer.named_bars import DATA_DIR
from sentio_trainer.paths import shown_path

# Nothing is annualised from fewer.
FEWEST_SESSIONS = 20
DEFAULT_CALENDAR = "us_equity"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The gates, each a limit that the figure must reach; None: not asked for.

    Raises:
        ConfigError: a limit is out of range, or none is given.
    """

    min_sharpe: float | None = None  # annualised
    max_drawdown: float | None = None  # a fraction of equity
    min_win_rate: float | None = None  # of trades, a fraction
    min_profit_factor: float | None = None
    min_deflated_sharpe: float | None = None  # a probability
    min_trades: int = 1  # completed; a model that does nothing loses nothing either, and shows nothing

    def __post_init__(self) -> None:
        if self.min_trades < 0:
            raise ConfigError(f"--min-trades must be at least 0, found {self.min_trades}")
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "min_trades"}
        flags = {name: f"--{name.replace('_', '-')}" for name in given}
        if all(limit is None for limit in given.values()):
            raise ConfigError(f"no gate is given; at least one of {', '.join(flags.values())} must be")
        for name, limit in given.items():
            if limit is None:
                continue
            low, high = (0.0, 1.0) if name in ("max_drawdown", "min_win_rate", "min_deflated_sharpe") else _ANY
            if name == "min_profit_factor":
                low = 0.0
            if not (low <= limit <= high and math.isfinite(limit)):
                allowed = f"between {low:g} and {high:g}" if math.isfinite(high) else "a number"
                raise ConfigError(f"{flags[name]} must be {allowed}, found {limit:g}")


_ANY = (-math.inf, math.inf)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One figure, held against its limit."""

    symbol: str
    figure: str  # "sharpe"
    comparison: Literal[">=", "<="]
    limit: float
    value: float | None  # None: undefined, which does not pass
    why: str | None  # it is undefined

    @property
    def passed(self) -> bool:
        if self.value is None:
            return False
        return self.value >= self.limit if self.comparison == ">=" else self.value <= self.limit

    @property
    def shown(self) -> str:
        """The figure, or why there is none."""
        return f"{self.value:.4g}" if self.value is not None else self.why or "undefined"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Bars to judge a model by."""

    symbol: str
    path: Path
    recorded_hash: str | None  # of the file that the model was trained on; None: another file was given


@dataclass(frozen=True, kw_only=True)
class Bench:
    """How a model is judged."""

    limits: Limits
    symbols: Sequence[str] = ()  # those of the model if none is given
    data_dir: Path | None = None
    bars: Path | None = None
    costs: str = "us_equity"
    test_days: int | None = None  # the last sessions that count; all that the model has not seen if None
    on_bad_bar: Literal["refuse", "skip"] = "refuse"
    allow_synthetic: bool = False

    def __post_init__(self) -> None:
        if self.test_days is not None and self.test_days < 1:
            raise ConfigError(f"--test-days must be at least 1, found {self.test_days}")
        if self.bars is not None and (self.data_dir is not None or len(self.symbols) > 1):
            raise ConfigError("--bars is the file of one symbol; give it without --data-dir and further --symbols")


def bad_bar_rule(text: str) -> Literal["refuse", "skip"]:
    """Raises:
    ConfigError: it is neither.
    """
    if text == "refuse":
        return "refuse"
    if text == "skip":
        return "skip"
    raise ConfigError(f"--on-bad-bar must be refuse or skip, found '{text}'")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a model showed on the bars of one symbol."""

    gates: list[Gate]
    evidence: dict[str, Any]


def judge(artifact: Artifact, *, origin: Path, trials: int | None, bench: Bench) -> list[Judgement]:
    """Backtests a model on bars that it has not seen, symbol by symbol, in C++.

    Args:
        artifact: the model.
        origin: the folder that it comes from.
        trials: how many models it was picked from; None: nothing says.
        bench: the gates, and on which bars.

    Raises:
        ArtifactError: the artifact does not say what it has seen, or was trained on synthetic bars.
        DataError: bars are missing, altered, synthetic, of another interval, or none of them is unseen.
    """
    seen_ns = _seen_until(artifact, origin)
    if artifact.metadata["data"].get("synthetic", False) and not bench.allow_synthetic:
        raise ArtifactError(f"{shown_path(origin)}: was trained on SYNTHETIC bars; --allow-synthetic deploys it anyway")
    return [_judge(artifact, source, seen_ns, trials, bench) for source in _sources(artifact, origin, bench)]


def _seen_until(artifact: Artifact, origin: Path) -> int:
    """Open time of the last bar that the model, its thresholds included, was made from."""
    data = artifact.metadata.get("data", {})
    ends = []
    for part in ("train", "validation"):
        if part not in data:
            raise ArtifactError(
                f"{shown_path(origin)}: its metadata lacks data.{part}, so which bars it has seen is not known and no "
                "figure of it is out of sample"
            )
        ends.append(int(np.datetime64(data[part][1].removesuffix("Z"), "ns").astype(np.int64)))
    return max(ends)


def _sources(artifact: Artifact, origin: Path, bench: Bench) -> list[Source]:
    symbols = list(dict.fromkeys(bench.symbols)) or list(artifact.metadata["data"].get("symbols", []))
    if not symbols:
        raise DataError(f"{shown_path(origin)}: names no symbol; give --symbols")
    if bench.bars is not None:
        if len(symbols) > 1:
            raise ConfigError(f"--bars is the file of one symbol of {', '.join(symbols)}; name it with --symbols")
        if not bench.bars.is_file():
            raise DataError(f"{shown_path(bench.bars)}: no such bars file")
        return [Source(symbol=symbols[0], path=bench.bars, recorded_hash=None)]
    if bench.symbols or bench.data_dir is not None:
        folder = bench.data_dir if bench.data_dir is not None else DATA_DIR
        return [Source(symbol=symbol, path=_found(folder, symbol), recorded_hash=None) for symbol in symbols]
    return _own_sources(artifact, origin)


def _found(folder: Path, symbol: str) -> Path:
    try:
        return Path(find_bars(folder, symbol))
    except ValueError as error:
        raise DataError(str(error)) from error


def _own_sources(artifact: Artifact, origin: Path) -> list[Source]:
    """The files that the model was trained on, as its configuration names them."""
    where = f"{shown_path(origin)}: the bars of its training cannot be used"
    instead = "give --bars, or --data-dir and --symbols"
    config = origin / "config.yaml"
    hashes: Mapping[str, str] = artifact.metadata["data"].get("files", {})
    if not config.is_file() or not hashes:
        raise DataError(f"{where}: it does not say which they were; {instead}")
    loaded = load_config(config, environment={})
    sources = []
    for symbol, text in loaded.config.data.sources.items():
        path = loaded.path(text)
        recorded = hashes.get(path.name, hashes.get(text))
        if recorded is None:
            raise DataError(f"{where}: it states no hash of {shown_path(path)}; {instead}")
        if not path.is_file():
            raise DataError(f"{where}: {shown_path(path)} is not there; {instead}")
        sources.append(Source(symbol=symbol, path=path, recorded_hash=recorded))
    return sources


def _judge(artifact: Artifact, source: Source, seen_ns: int, trials: int | None, bench: Bench) -> Judgement:
    file_hash = sha256_file(source.path)
    if source.recorded_hash not in (None, file_hash):
        raise DataError(
            f"{shown_path(source.path)}: is not the file that the model was trained on: its hash is {file_hash}, the "
            f"model states {source.recorded_hash}; --bars {shown_path(source.path)} takes it all the same"
        )
    try:
        bars = read_csv(source.path, on_bad_bar=bench.on_bad_bar)
    except InputError as error:
        raise DataError(str(error)) from error
    _require_fit(artifact, bars, source, allow_synthetic=bench.allow_synthetic)
    calendar = artifact.metadata["data"].get("session", DEFAULT_CALENDAR)
    begin, sessions = _unseen(bars, source, calendar, seen_ns, bench.test_days)
    try:
        report = backtest(
            bars, "tfa", artifact=artifact, symbol=source.symbol, costs=bench.costs, begin=begin, trials=trials or 1
        )
    except RefusedArtifact as error:
        raise ArtifactError(str(error)) from error
    except ValueError as error:  # of the cost model
        raise ConfigError(str(error)) from error
    evidence = {
        "symbol": source.symbol,
        "bars": shown_path(source.path),
        "bars_hash": file_hash,
        "on_bad_bar": bench.on_bad_bar,
        "synthetic": bars.synthetic is not None,
        "seen_until": iso_time(seen_ns),
        "sessions": sessions,
        "measured": report["measured"],
        "costs": bench.costs,
        "cost_model": report["costs"],
        "metrics": report["metrics"],
        "evidence": report["evidence"],
        "trials": trials,
        "fills_hash": report["fills_hash"],
    }
    return Judgement(gates=_gates(evidence, bench.limits), evidence=evidence)


def _require_fit(artifact: Artifact, bars: Bars, source: Source, *, allow_synthetic: bool) -> None:
    if bars.synthetic is not None and not allow_synthetic:
        raise DataError(
            f"{shown_path(source.path)}: the bars are SYNTHETIC and say nothing about a market; --allow-synthetic "
            "takes them anyway"
        )
    interval_s = artifact.metadata["data"].get("bar_interval_s")
    if interval_s is not None and bars.interval_s != interval_s:
        raise DataError(
            f"{shown_path(source.path)}: has bars of {bars.interval_s:g} s, the model was trained on {interval_s:g} s"
        )


def _unseen(bars: Bars, source: Source, calendar: str, seen_ns: int, wanted: int | None) -> tuple[int, int]:
    """The first bar to measure, and how many sessions begin there: whole ones, of which the model saw no bar."""
    days = session_days(bars.ts, calendar)
    seen = int(np.searchsorted(bars.ts, seen_ns, side="right"))
    first = seen if seen == 0 else int(np.searchsorted(days, days[seen - 1], side="right"))
    sessions = len(np.unique(days[first:]))
    if sessions == 0:
        raise DataError(
            f"{shown_path(source.path)}: no whole session lies behind {iso_time(seen_ns)}, up to which the model has "
            "seen bars; give later bars with --bars"
        )
    if wanted is None:
        return first, sessions
    if wanted > sessions:
        raise DataError(
            f"{shown_path(source.path)}: {sessions} sessions lie behind {iso_time(seen_ns)}, up to which the model has "
            f"seen bars, --test-days asks for {wanted}"
        )
    return int(np.searchsorted(days, np.unique(days)[-wanted])), wanted


def _gates(evidence: Mapping[str, Any], limits: Limits) -> list[Gate]:
    metrics, sessions, trials = evidence["metrics"], evidence["sessions"], evidence["trials"]
    trades = metrics["trades"]
    few = f"not annualised: {_counted(sessions, 'session')}" if sessions < FEWEST_SESSIONS else None
    of_trades = f"undefined: {_counted(trades['count'], 'trade')}"
    flat = "undefined: the returns do not vary"
    figures: list[tuple[str, Literal[">=", "<="], float | None, float | None, str | None]] = [
        ("trades", ">=", limits.min_trades, trades["count"], None),
        ("sharpe", ">=", limits.min_sharpe, None if few else metrics["sharpe"], few or flat),
        ("max_drawdown", "<=", limits.max_drawdown, metrics["max_drawdown"]["depth"], None),
        ("win_rate", ">=", limits.min_win_rate, trades["win_rate"], of_trades),
        ("profit_factor", ">=", limits.min_profit_factor, trades["profit_factor"], of_trades),
        (
            "deflated_sharpe",
            ">=",
            limits.min_deflated_sharpe,
            None if few or trials is None else evidence["evidence"]["deflated_sharpe"],
            few or _undeflated(sessions, trials),
        ),
    ]
    return [
        Gate(
            symbol=evidence["symbol"],
            figure=figure,
            comparison=comparison,
            limit=limit,
            value=value,
            why=why if value is None else None,
        )
        for figure, comparison, limit, value, why in figures
        if limit is not None
    ]


def _undeflated(sessions: int, trials: int | None) -> str:
    if trials is None:
        return f"undefined: no {LEDGER} beside the artifact says of how many models it was picked"
    return f"undefined: {_counted(sessions, 'session')}, {_counted(trials, 'trial')}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"

"""Trained models and backtests: the C++ code that trades, called from Python.

Shapes: n bars or windows, F features, T rows a window (`Artifact.sequence_length`).
"""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sentio_features import Bars, InputError
from typing_extensions import Unpack

class ArtifactError(InputError):
    """An artifact folder is incomplete, inconsistent, altered, or too new: one line that names the file."""

class Trials(TypedDict):
    """How many strategies somebody could have picked one from. `from` says where the number comes from."""

    count: int

class Artifact:
    """A trained model with all that it needs, loaded from its folder and verified."""

    @staticmethod
    def load(
        folder: str | PathLike[str],
        *,
        backend: Literal["auto", "native", "torch"] = "auto",
        device: str = "cpu",
        threads: int = 1,
    ) -> Artifact:
        """Loads `artifacts/<MODEL_ID>/<version>/` and checks everything in it.

        Args:
            folder: the artifact's.
            backend: what runs the model; `auto` is native where the artifact has its graph, `model.json`, else torch.
            device: where LibTorch runs it: `cpu`, `cuda`, `cuda:1`.
            threads: of a forward pass; torch's own number stays as it is.

        Raises:
            ArtifactError: what is wrong, in which file.
            ValueError: another argument is wrong, or the device is not there.
        """

    @property
    def folder(self) -> Path: ...
    @property
    def backend(self) -> Literal["native", "torch"]:
        """What runs the model."""

    @property
    def device(self) -> str:
        """What the model runs on."""

    @property
    def metadata(self) -> dict[str, Any]: ...
    @property
    def decision(self) -> dict[str, Any]:
        """The rule that turns a probability into an exposure, its defaults filled in."""

    @property
    def spec_hash(self) -> str: ...
    @property
    def feature_names(self) -> list[str]: ...
    @property
    def spec_json(self) -> str:
        """The feature spec, for `FeatureSpec.from_json`."""

    @property
    def sequence_length(self) -> int: ...
    @property
    def warmup(self) -> int:
        """The first bar that can have a logit."""

    @property
    def warnings(self) -> list[str]:
        """What could not be verified, one line each."""

    @property
    def trials(self) -> Trials | None:
        """How many models this one was picked from, read now: by the ledger `trials.csv` beside the artifact, those on
        its own data where it has the artifact's row; of a deployed model, as its deployment counted. None: no ledger.

        Raises:
            ArtifactError: the ledger, or `deployment.json`, is damaged.
        """

    def logits(self, x: ArrayLike) -> NDArray[np.float32]:
        """Raw logits, shape [n]. Other threads of Python run meanwhile, and may call the same artifact.

        float32 whose rows, or windows of rows, each lie in one piece are read where they are, at any distance from each
        other: memory maps, slices of rows, overlapping windows made with strides. Other real numbers and layouts are
        converted to float32 a part at a time, so that memory does not grow with n.

        Args:
            x: features, shape [n, F], or [n, T, F] where T is above 1; finite.

        Raises:
            TypeError: `x` does not hold real numbers.
            ValueError: `x` has another shape, or a cell is not finite.
            ArtifactError: the model fails.
        """

    def predict(self, x: ArrayLike) -> NDArray[np.float64]:
        """Probabilities of a rise, shape [n], in [0, 1]: the logits through the sigmoid that trading decides by.

        Takes and raises what `logits` does.
        """

    def stream(self, *, session: str | None = None, interval_s: float | None = None) -> Stream:
        """The model as a strategy that runs live, before its first bar.

        Args:
            session: calendar that gaps are judged by; the model's, or us_equity, if not given.
            interval_s: usual seconds from bar to bar; the model's, or learned from the bars, if not given.

        Raises:
            ValueError: an argument is wrong.
        """

class RefusedBarError(ValueError):
    """A bar that a stream did not take: one line that says why. Nothing has changed; the stream goes on."""

    kind: str
    """bad_bar, duplicate (the last bar again), conflict (its time, other values) or late (older)."""

class StreamDecision:
    """What a stream wants once a bar has closed."""

    @property
    def ts(self) -> int:
        """Open time of the bar, nanoseconds since 1970 in UTC."""

    @property
    def exposure(self) -> float:
        """Wanted value of the position over equity, in [-1, 1]."""

    @property
    def probability(self) -> float | None:
        """That the price rises; None for a rule, and during the warm-up."""

    @property
    def logit(self) -> float | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def missing_bars(self) -> int:
        """Bars that should have come between the one before and this one; a night is no gap."""

class Stream:
    """A strategy that runs live: bar in, decision out, with the bits of a backtest. For one thread at a time."""

    def push(self, ts: int, open: float, high: float, low: float, close: float, volume: float) -> StreamDecision:
        """Takes the next bar. Keeps the GIL: it takes microseconds.

        Args:
            ts: open time of the bar, nanoseconds since 1970 in UTC.

        Raises:
            RefusedBarError: the bar is not valid, or not later than the last one.
            ArtifactError: the model fails; the stream cannot go on.
        """

    def warm(self, bars: Bars) -> int:
        """Takes those bars that are later than the last one, without telling their decisions. Releases the GIL.

        Returns:
            How many it took.
        """

    def state(self) -> bytes:
        """All that the next decision depends on, sealed by a checksum."""

    def restore(self, state: bytes) -> None:
        """Goes on from a state, with the same bits.

        Raises:
            InputError: it is cut off, altered, or another model's or strategy's; nothing has changed.
        """

    @property
    def identity(self) -> dict[str, Any]:
        """What decides every bit of its decisions: a rule and its params, or a model's hashes and backend."""

    @property
    def bars_seen(self) -> int: ...
    @property
    def last_ts(self) -> int | None: ...
    @property
    def warmup(self) -> int:
        """Bars that it wants to have seen before its decisions count."""

    @property
    def settle(self) -> int | None:
        """Bars after which the start of the bars no longer shows in a model's logit; None if it always may."""

def rule_stream(
    strategy: str,
    params: Mapping[str, float | bool | str] = ...,
    *,
    session: str = "us_equity",
    interval_s: float | None = None,
) -> Stream:
    """A rule strategy that runs live, before its first bar.

    Args:
        strategy: a name of `sentio_cli list strategies`, but for `tfa`: that is `Artifact.stream`.
        params: what is left out has its default.

    Raises:
        ValueError: an argument is wrong.
    """

OrderKind: TypeAlias = Literal["market", "limit", "stop"]

class SimulationSettings(TypedDict, total=False):
    """How to trade. Bars before `begin` only warm the strategy up; `end` is one past the last measured bar. `stop_loss`
    and `take_profit` close a position that far, as a fraction, from its average price; `max_volume_share` is what the
    fills of a bar may take of its volume: see docs/broker.md. `trials` is how many strategies this one was picked from,
    by default what the ledger beside an artifact says, else 1; `out` is a folder for the files of
    `sentio_cli backtest --out`."""

    symbol: str
    capital: float
    max_exposure: float
    fractional: bool
    flat_at_close: bool
    stop_loss: float | None
    take_profit: float | None
    max_volume_share: float | None
    session: str
    begin: int
    end: int | None
    trials: int
    out: str | PathLike[str]

class Settings(SimulationSettings, total=False):
    """The same, with the cost model: a shipped name or a file."""

    costs: str | PathLike[str]

def simulate(
    bars: Bars,
    probability: ArrayLike,
    decision: Mapping[str, Any],
    costs: str | PathLike[str] = "us_equity",
    **settings: Unpack[SimulationSettings],
) -> dict[str, Any]:
    """Trades given probabilities of a rise by a decision rule; returns as `backtest`.

    Args:
        bars: n bars.
        probability: shape [n], known at each bar's close, acted on at the next open; NaN where not known.
        decision: `{"rule": "threshold", ...}` as in an artifact.

    Raises:
        InputError: the decision rule or the cost file is wrong.
        ValueError: another argument is wrong.
    """

def trade(
    bars: Bars,
    exposure: ArrayLike,
    costs: str | PathLike[str] = "us_equity",
    *,
    probability: ArrayLike | None = None,
    order: OrderKind | ArrayLike | None = None,
    price: ArrayLike | None = None,
    strategy: str = "given exposures",
    **settings: Unpack[SimulationSettings],
) -> dict[str, Any]:
    """Trades wanted exposures as they are given; returns as `backtest`.

    Args:
        bars: n bars.
        exposure: shape [n], in [-1, 1], known at each bar's close, acted on in the next bar.
        costs: a shipped cost model or a file.
        probability: shape [n], of a rise; NaN where not known. For the figures of the signal alone.
        order: the kind of order that reaches each exposure, one name for all or texts of shape [n]; it lives for one
            bar, see docs/broker.md. Market orders, at the next open, if not given.
        price: shape [n], of limit and stop orders; NaN for market orders.
        strategy: the name in the report.

    Raises:
        InputError: the cost file is wrong.
        ValueError: another argument is wrong.
    """

def backtest(
    bars: Bars,
    strategy: str,
    *,
    artifact: Artifact | None = None,
    params: Mapping[str, float | bool | str] = ...,
    bar_by_bar: bool = False,
    **settings: Unpack[Settings],
) -> dict[str, Any]:
    """Runs a rule strategy, or `tfa` with an artifact, over bars.

    Args:
        bars: n bars, m of them measured.
        strategy: a name of `sentio_cli list strategies`.
        artifact: the model of `tfa`.
        params: of a rule; what is left out has its default.
        bar_by_bar: feeds the bars one by one, as live trading does, and not in blocks.
        **settings: see Settings.

    Returns:
        The report of `sentio_cli backtest --json`, with `series` (columns of shape [m]) and `fills` (columns, one value
        a fill; `at` is what it met: open, close, limit or stop).

    Raises:
        InputError: the cost file is wrong.
        ValueError: another argument is wrong.
    """

def metric_cards() -> list[dict[str, str]]:
    """One card for each figure of a report; `docs/metrics.md` shows them.

    Returns:
        `name` (its key in the report's `metrics`, as `max_drawdown.depth`, or from the report's top, as
        `evidence.sessions`), `formula`, `n` (how many of what it is computed from), `per_year` (what it is annualised
        by), `undefined` (when it is None), `source` and `peers` (how quantstats, empyrical-reloaded and vectorbt
        differ). Empty where there is nothing to say.
    """

def measure(
    equity: ArrayLike,
    ts: ArrayLike,
    *,
    start: float,
    session: str = "us_equity",
    periods_per_year: float | None = None,
    trials: int = 1,
    sharpe_variance: float | None = None,
) -> dict[str, Any]:
    """The figures of an equity curve, by the definitions of `metric_cards`.

    Args:
        equity: shape [n], at the close of each bar; finite.
        ts: shape [n], open times of the bars, int64 nanoseconds since 1970 in UTC or datetime64; increasing.
        start: equity before the first bar, above 0.
        session: calendar that tells which session a bar belongs to.
        periods_per_year: bars per year; found from `ts` if not given.
        trials: strategies that this one was picked from.
        sharpe_variance: of their Sharpe ratios per session; what chance gives to trials without skill if not given.

    Returns:
        `metrics` (those of equity alone), `evidence` and `periods_per_year`, as in a report. Undefined is None.

    Raises:
        TypeError: an array does not hold such numbers.
        ValueError: another argument is wrong.
    """

def probabilistic_sharpe(
    sharpe: float, count: int, skewness: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float | None:
    """Probability that the true Sharpe ratio is above `benchmark`; the deflated one with `expected_maximum_sharpe`.

    Bailey & Lopez de Prado, The Sharpe Ratio Efficient Frontier, 2012.

    Args:
        sharpe: per period, not annualised, as is `benchmark`.
        count: returns that it is of.
        skewness: of the returns.
        kurtosis: of the returns; 3 for a normal distribution.
    """

def expected_maximum_sharpe(variance: float, trials: int) -> float:
    """The largest Sharpe ratio that so many independent trials without skill are expected to show; 0 for one.

    Bailey & Lopez de Prado, The Deflated Sharpe Ratio, 2014.

    Args:
        variance: of the Sharpe ratios across the trials, in the square of the result's unit.

    Raises:
        ValueError: an argument is out of its range.
    """

def minimum_track_record(
    sharpe: float, skewness: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0, confidence: float = 0.95
) -> float | None:
    """Returns after which `probabilistic_sharpe` reaches `confidence`; None if `sharpe` is not above `benchmark`.

    Bailey & Lopez de Prado, The Sharpe Ratio Efficient Frontier, 2012.

    Raises:
        ValueError: `confidence` does not lie between 0 and 1.
    """

class AuditDifference(TypedDict):
    """A value that is not what it was. Values that are not finite are None."""

    check: Literal["future", "start", "fill price"]
    column: str
    bar: int
    time: str
    value: float | None
    """With the bars as they are."""
    other: float | None
    """With the other future or start; of a fill price: the nearest that the bar traded at."""
    cut: int
    """The last bar of which anything is known; for `start` the first bar."""
    cut_time: str
    how: str
    trials: int
    """In which the column differed by this check."""
    text: str
    """All of it in a sentence."""

class AuditCheck(TypedDict):
    name: str
    trials: int
    values: int
    differences: int

class AuditStart(TypedDict):
    """How long another start showed in a column of which `settle` says nothing."""

    column: str
    starts: int
    longest: int
    to_the_end: int

class Audit(TypedDict):
    schema_version: str
    clean: bool
    columns: list[str]
    checks: list[AuditCheck]
    differences: list[AuditDifference]
    starts: list[AuditStart]
    not_compared: list[str]

def audit(
    bars: Bars,
    pipeline: Callable[[Bars], Mapping[str, ArrayLike]],
    *,
    cuts: int = 40,
    seed: int = 1,
    warmup: int | None = None,
    window: int = 0,
    at_open: Sequence[str] = (),
    fill_prices: Sequence[str] = (),
    settle: Mapping[str, int] = ...,
    tolerance: float = 1e-9,
) -> Audit:
    """Looks for look-ahead in Python code, as `sentio_cli audit` does: see docs/audit.md.

    At each cut the bars after it are replaced by nine kinds of noise, and what the pipeline makes of the bars up to it
    must stay the same. Leave labels out: they look ahead on purpose.

    Args:
        bars: n bars.
        pipeline: makes named arrays of bars, shape [n] or [n, k], row t of what is known at the close of bar t; always
            the same names. It must be able to run on `warmup` + 1 bars.
        cuts: bars at which the future is replaced.
        seed: of the cuts and of the noise.
        warmup: no cut lies before this bar; a tenth of the bars if not given.
        window: bars given to the pipeline around each cut, 0 for all. What it remembers must fit.
        at_open: arrays whose row t is known at the open of bar t, such as quantities and prices of fills at the open.
        fill_prices: arrays of prices before costs, NaN without a fill, that must lie within the low and high of their
            bar.
        settle: by name, the first bar after a start at which the start shows no longer.
        tolerance: what rounding may do to a value, relative to it or, if that is more, to the largest of its array,
            which counts as 1 at most; 0 compares bits. NumPy rounds sums and products by the number of bars.

    Raises:
        TypeError: the pipeline does not return named arrays of real numbers.
        ValueError: bars or arguments allow no cut, an array has another shape, or the names change.
    """

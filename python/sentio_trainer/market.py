"""A seeded, synthetic intraday market with a weak edge whose size is known.

Minute bars of a US share in regular hours: volatility and volume are high at the open and raised at the close,
volatility clusters, nights bring gaps, some days are half. The standardised return of bar t,
close to close within a session, is

    z[t+1] = a · m[t] + sqrt(1 − a²) · ε[t+1],    m[t] = S[t] / sd(S),    S[t] = z[t] + … + z[t−19]

with ε independent, mean 0, variance 1. So z is an autoregression of order p = 20 with equal coefficients φ = a / sd(S).
Its autocorrelations ρ obey Yule and Walker's equations, ρ[k] = φ · Σ ρ[|k − i|] over i = 1 … p, which gives
Var S = ΣΣ ρ[|i − j|] and with it the best forecast's standard deviation |φ| · sd(S) = |a|. As z has variance 1, the
correlation of z[t+1] with its best forecast from the past, the theoretical information coefficient, is |a| exactly.

Returns are r = σ · z with σ independent of z, so |a| is also the correlation of r with E[r | past, σ]. A forecaster
who does not know the coming σ, or who forecasts the sign, gets up to E[σ] / sqrt(E[σ²]) of it.
"""

import json
import math
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from sentio_features import session_hours

from sentio_trainer.bars import Float64, Int64, synthetic_mark
from sentio_trainer.errors import ConfigError
from sentio_trainer.files import write_atomic
from sentio_trainer.paths import shown_path

GENERATOR = "sentio synthetic market 1"
EDGE_WINDOW = 20

_START_PRICE = 400.0
_ANNUAL_VOLATILITY = 0.18
_NIGHT_VOLATILITY = 0.005
_MINUTES_A_YEAR = 252 * 390
_LOG_VOLATILITY_SD = 0.30
_LOG_VOLATILITY_HALF_LIFE = 390.0  # minutes: one session
_TAIL_DEGREES = 6.0  # Student's t: fat tails with a finite kurtosis
_MEDIAN_VOLUME = 60_000.0
_BURN_IN = 2_000
_MINUTE_NS = 60_000_000_000


@dataclass(frozen=True, kw_only=True)
class MarketSpec:
    symbol: str = "QQQ"
    days: int = 250
    seed: int = 7
    ic: float = 0.10  # a above: the planted edge; positive for momentum, negative for reversal, 0 for none
    start: date = date(2024, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Market:
    """n bars, oldest first, and what drove them; arrays of shape [n]."""

    time_ns: Int64
    open: Float64
    high: Float64
    low: Float64
    close: Float64
    volume: Int64
    z: Float64  # standardised return of the bar
    best_forecast: Float64  # of the next bar's z, at this bar


@dataclass(frozen=True, kw_only=True)
class PlantedEdge:
    """The autoregression of one theoretical information coefficient."""

    coefficient: float  # φ
    sum_sd: float  # sd(S)
    innovation_sd: float

    @staticmethod
    def of(ic: float) -> "PlantedEdge":
        """Finds φ by bisection: the information coefficient grows with it.

        Raises:
            ConfigError: `ic` is not inside ±0.9.
        """
        if not -0.9 < ic < 0.9:
            raise ConfigError(f"ic must be between -0.9 and 0.9, found {ic:g}")
        # The autoregression is stationary for -1 < φ < 1/p.
        low, high = -1.0, 1.0 / EDGE_WINDOW
        for _ in range(200):
            middle = (low + high) / 2.0
            if middle * _sum_sd(middle) < ic:
                low = middle
            else:
                high = middle
        coefficient = (low + high) / 2.0 if ic else 0.0
        return PlantedEdge(coefficient=coefficient, sum_sd=_sum_sd(coefficient), innovation_sd=math.sqrt(1.0 - ic * ic))


def _sum_sd(coefficient: float) -> float:
    """Standard deviation of S for variance 1 of z: Yule and Walker's equations, solved for ρ[1] … ρ[p]."""
    p = EDGE_WINDOW
    equations, right = np.eye(p), np.zeros(p)
    for k in range(1, p + 1):
        for i in range(1, p + 1):
            if lag := abs(k - i):
                equations[k - 1, lag - 1] -= coefficient
            else:
                right[k - 1] += coefficient
    rho = np.concatenate([[1.0], np.linalg.solve(equations, right)])
    lags = np.abs(np.subtract.outer(np.arange(p), np.arange(p)))
    return math.sqrt(rho[lags].sum())


def make_market(spec: MarketSpec) -> Market:
    """Generates; equal specs give equal bars.

    Raises:
        ConfigError: a value of `spec` is out of range.
    """
    if spec.days < 1:
        raise ConfigError(f"days must be at least 1, found {spec.days}")
    edge = PlantedEdge.of(spec.ic)
    opens_ns, lengths = _sessions(spec.start, spec.days)
    n = sum(lengths)
    rng = np.random.default_rng(spec.seed)

    z, best_forecast = _returns(edge, n, rng)
    shape = np.concatenate([_session_shape(length) for length in lengths])
    log_volatility = _log_volatility(n, rng)
    minute_volatility = _ANNUAL_VOLATILITY / math.sqrt(_MINUTES_A_YEAR)
    sigma = minute_volatility * shape * np.exp(log_volatility - _LOG_VOLATILITY_SD**2)

    first_of_day = np.zeros(n, dtype=np.bool_)
    first_of_day[np.cumsum([0, *lengths[:-1]])] = True
    night = np.where(first_of_day, rng.normal(0.0, _NIGHT_VOLATILITY, n), 0.0)
    night[0] = 0.0
    moves = sigma * z
    log_close = math.log(_START_PRICE) + np.cumsum(night + moves)
    log_open = log_close - moves

    # The first trade of a minute is a tick away from the last trade of the minute before.
    tick = rng.integers(-1, 2, n) * 0.01
    open_, close = np.exp(log_open) + tick, np.exp(log_close)
    high, low = _extremes(log_open, log_close, sigma, rng)
    open_, close, high, low = (np.round(prices, 2) for prices in (open_, close, high, low))
    volume = _MEDIAN_VOLUME * shape**1.5 * np.exp(0.8 * log_volatility + rng.normal(0.0, 0.35, n))
    return Market(
        time_ns=_times(opens_ns, lengths),
        open=open_,
        high=np.maximum(high, np.maximum(open_, close)),
        low=np.minimum(low, np.minimum(open_, close)),
        close=close,
        volume=np.maximum(1, np.round(volume)).astype(np.int64),
        z=z,
        best_forecast=best_forecast,
    )


def _returns(edge: PlantedEdge, n: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
    scale = edge.innovation_sd * math.sqrt((_TAIL_DEGREES - 2.0) / _TAIL_DEGREES)
    innovations = (rng.standard_t(_TAIL_DEGREES, n + _BURN_IN) * scale).tolist()
    z = [0.0] * EDGE_WINDOW
    forecasts = []
    for innovation in innovations:
        z.append(edge.coefficient * math.fsum(z[-EDGE_WINDOW:]) + innovation)
        forecasts.append(edge.coefficient * math.fsum(z[-EDGE_WINDOW:]))
    return np.array(z[-n:]), np.array(forecasts[-n:])


def _session_shape(minutes: int) -> Float64:
    """Volatility over a session, relative to the root mean square of a full one."""

    def curve(length: int) -> Float64:
        minute = np.arange(length, dtype=np.float64)
        return 0.8 + 1.1 * np.exp(-minute / 25.0) + 0.5 * np.exp(-(length - 1 - minute) / 20.0)

    shape: Float64 = curve(minutes) / np.sqrt(np.mean(curve(390) ** 2))
    return shape


def _log_volatility(n: int, rng: np.random.Generator) -> Float64:
    """An autoregression of order 1, with its stationary start."""
    keep = 0.5 ** (1.0 / _LOG_VOLATILITY_HALF_LIFE)
    shocks = (rng.standard_normal(n) * (_LOG_VOLATILITY_SD * math.sqrt(1.0 - keep * keep))).tolist()
    value, values = _LOG_VOLATILITY_SD * rng.standard_normal(), []
    for shock in shocks:
        value = keep * value + shock
        values.append(value)
    return np.array(values)


def _extremes(
    log_open: Float64, log_close: Float64, sigma: Float64, rng: np.random.Generator
) -> tuple[Float64, Float64]:
    """Highest and lowest price of a Brownian bridge from open to close, each drawn from its exact distribution."""
    n = len(log_open)
    change = log_close - log_open
    up, down = (np.sqrt(change**2 - 2.0 * sigma**2 * np.log1p(-rng.random(n))) for _ in range(2))
    middle = (log_open + log_close) / 2.0
    return np.exp(middle + up / 2.0), np.exp(middle - down / 2.0)


def _sessions(start: date, count: int) -> tuple[list[int], list[int]]:
    """Opening times, nanoseconds since 1970, and lengths in minutes of the first `count` sessions from `start` on."""
    first = (start - date(1970, 1, 1)).days
    # Weekends and holidays leave more than two sessions of three days, but for a few days at the start.
    opens_ns, minutes = session_hours(np.arange(first, first + count * 3 // 2 + 10), "us_equity")
    open_days = np.flatnonzero(minutes)[:count]
    return opens_ns[open_days].tolist(), minutes[open_days].tolist()


def _times(opens_ns: list[int], lengths: list[int]) -> Int64:
    minutes = [
        open_ns + _MINUTE_NS * np.arange(length, dtype=np.int64)
        for open_ns, length in zip(opens_ns, lengths, strict=True)
    ]
    return np.concatenate(minutes)


def csv_text(market: Market) -> str:
    """The bars in the normal form: `ts,open,high,low,close,volume`, times in ISO-8601 UTC."""
    times = np.datetime_as_string(market.time_ns.astype("datetime64[ns]").astype("datetime64[s]"))
    columns = (times, market.open, market.high, market.low, market.close, market.volume)
    rows = (
        f"{time}Z,{open_:.2f},{high:.2f},{low:.2f},{close:.2f},{volume}\n"
        for time, open_, high, low, close, volume in zip(*(column.tolist() for column in columns), strict=True)
    )
    return "ts,open,high,low,close,volume\n" + "".join(rows)


def write_market(spec: MarketSpec, path: Path, *, overwrite: bool) -> Market:
    """Writes the bars to `path`, and beside it the sidecar that marks them as synthetic.

    Raises:
        ConfigError: `path` is not a CSV file, or holds bars that this generator did not make.
    """
    if path.suffix != ".csv":
        raise ConfigError(f"{shown_path(path)}: the output must be a .csv file")
    mark = synthetic_mark(path)
    if path.exists() and not mark.exists() and not overwrite:
        raise ConfigError(f"{shown_path(path)}: exists and is not marked as synthetic; --overwrite replaces it")
    market = make_market(spec)
    document = {
        "synthetic": True,
        "generator": GENERATOR,
        **asdict(spec),
        "start": spec.start.isoformat(),
        "last_day": (date(1970, 1, 1) + timedelta(days=int(market.time_ns[-1] // 86_400_000_000_000))).isoformat(),
        "bars": len(market.close),
        "theoretical_ic": abs(spec.ic),
        "edge": f"{'momentum' if spec.ic > 0 else 'reversal' if spec.ic < 0 else 'none'} over {EDGE_WINDOW} bars",
    }
    # The mark first: at no moment do generated bars lie there without it.
    write_atomic(mark, (json.dumps(document, indent=2) + "\n").encode())
    write_atomic(path, csv_text(market).encode())
    return market

"""Mistakes as people make them, 25 of the 50 that the audit must find; the others are in tests/cpp/leaks.hpp.

Each makes named arrays of n bars, shape [n] or [n, k].
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from market_bars import FIRST_NS, MINUTE_NS, market
from scipy import signal  # type: ignore[import-untyped]
from sentio_features import Bars
from sklearn.cluster import KMeans  # type: ignore[import-untyped]
from sklearn.decomposition import PCA  # type: ignore[import-untyped]
from sklearn.linear_model import LinearRegression, Ridge  # type: ignore[import-untyped]
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler  # type: ignore[import-untyped]

Float64 = npt.NDArray[np.float64]
Made = dict[str, Float64]

HOUR, DAY = 4, 96  # quarters of an hour


def quarters(seed: int, n: int = 960) -> Bars:
    """Ten days of quarters of an hour."""
    bars = market(seed, n)
    ts = FIRST_NS - FIRST_NS % (DAY * 15 * MINUTE_NS) + 15 * MINUTE_NS * np.arange(n)
    return Bars(ts, bars.open, bars.high, bars.low, bars.close, bars.volume)


def momentum(bars: Bars, n: int) -> Float64:
    close = bars.close
    result = np.zeros(len(bars))
    result[n:] = close[n:] / close[:-n] - 1.0
    return result


def table(bars: Bars) -> Float64:
    """Features that do not look ahead, shape [n, 3]."""
    volume = np.log1p(bars.volume)
    return np.column_stack([momentum(bars, 1), momentum(bars, 8), volume - np.concatenate([[0.0], volume[:-1]])])


def forward_return(bars: Bars, horizon: int) -> Float64:
    """NaN where the bars end before the exit."""
    label = np.full(len(bars), np.nan)
    label[:-horizon] = bars.close[horizon:] / bars.close[:-horizon] - 1.0
    return label


def groups(bars: Bars, size: int) -> npt.NDArray[np.int64]:
    return np.asarray(bars.ts // (size * 15 * MINUTE_NS))


def sum_by_group(values: Float64, group: npt.NDArray[np.int64]) -> Float64:
    """The sum of the values of each row's group, on each of its rows."""
    _, place = np.unique(group, return_inverse=True)
    return np.asarray(np.bincount(place, values)[place])


# Features


def mean_with_same(bars: Bars) -> Made:
    return {"smooth": np.convolve(bars.close, np.ones(9) / 9, mode="same")}


def central_slope(bars: Bars) -> Made:
    return {"slope": np.gradient(bars.close)}


def filled_backwards(bars: Bars) -> Made:
    """The return of bars with much volume; the others take the next one's."""
    busy = momentum(bars, 1)
    busy[bars.volume < 3000.0] = np.nan
    for t in range(len(busy) - 2, -1, -1):
        if np.isnan(busy[t]):
            busy[t] = busy[t + 1]
    return {"busy_return": np.nan_to_num(busy)}


def smoothing_polynomial(bars: Bars) -> Made:
    return {"trend": signal.savgol_filter(bars.close, 11, 2)}


def filter_both_ways(bars: Bars) -> Made:
    b, a = signal.butter(2, 0.1)
    return {"cycle": bars.close - signal.filtfilt(b, a, bars.close)}


# Labels


def label_in_table(bars: Bars) -> Made:
    return {"x": np.column_stack([table(bars), np.nan_to_num(forward_return(bars, 1))])}


def predicts_its_training(bars: Bars) -> Made:
    x, y = table(bars), forward_return(bars, 4)
    known = np.isfinite(y)
    return {"prediction": LinearRegression().fit(x[known], y[known]).predict(x)}


def shuffled_split(bars: Bars) -> Made:
    """Train and test rows are drawn at random, so that they are neighbours."""
    x, y = table(bars), np.nan_to_num(forward_return(bars, 4))
    train, _ = train_test_split(np.arange(len(bars)), test_size=0.5, random_state=0)
    return {"prediction": Ridge(alpha=1e-3).fit(x[train], y[train]).predict(x)}


def no_embargo(bars: Bars) -> Made:
    """Trained on the first six days, but their last labels are known on the seventh only."""
    split = 6 * DAY
    prediction = np.full(len(bars), np.nan)
    x, y = table(bars), forward_return(bars, 10)
    known = np.isfinite(y[:split])
    if len(bars) > split:
        prediction[split:] = LinearRegression().fit(x[:split][known], y[:split][known]).predict(x[split:])
    return {"prediction": prediction}


def win_rate_of_open_trades(bars: Bars) -> Made:
    wins = np.nan_to_num(forward_return(bars, 5)) > 0.0
    return {"win_rate": np.cumsum(wins) / np.arange(1, len(bars) + 1)}


# Scalers


def standard_scaler(bars: Bars) -> Made:
    return {"x": StandardScaler().fit_transform(table(bars))}


def min_max_scaler(bars: Bars) -> Made:
    return {"x": MinMaxScaler().fit_transform(table(bars))}


def principal_components(bars: Bars) -> Made:
    return {"component": PCA(n_components=1).fit_transform(table(bars))}


def quantile_transformer(bars: Bars) -> Made:
    return {"x": QuantileTransformer(n_quantiles=50).fit_transform(table(bars))}


# Fills


def earns_the_deciding_bar(bars: Bars) -> Made:
    """Held while the bar rises, as its close tells."""
    held = np.sign(momentum(bars, 1))
    return {"held": held, "equity": 1.0 + np.cumsum(held * momentum(bars, 1))}


def filled_at_the_close_before(bars: Bars) -> Made:
    wanted = momentum(bars, 8) > 0.0
    buys = np.concatenate([[False, False], wanted[1:-1] & ~wanted[:-2]])
    return {"price": np.where(buys, np.concatenate([bars.close[:1], bars.close[:-1]]), np.nan)}


def stop_filled_through_a_gap(bars: Bars) -> Made:
    """A stop half a percent below the highest close; filled at its price also where the bar opens below."""
    price = np.full(len(bars), np.nan)
    highest = bars.close[0]
    for t in range(1, len(bars)):
        stop = 0.995 * highest
        if bars.low[t] <= stop:
            price[t] = stop
            highest = bars.close[t]
        highest = max(highest, bars.close[t])
    return {"price": price}


# Resampling


def hours_labelled_left(bars: Bars) -> Made:
    return {"hour_return": sum_by_group(momentum(bars, 1), groups(bars, HOUR))}


def share_of_the_day(bars: Bars) -> Made:
    return {"volume_share": bars.volume / sum_by_group(bars.volume, groups(bars, DAY))}


def day_demeaned(bars: Bars) -> Made:
    day = groups(bars, DAY)
    return {"from_day_mean": bars.close - sum_by_group(bars.close, day) / sum_by_group(np.ones(len(bars)), day)}


def hours_interpolated(bars: Bars) -> Made:
    at = np.arange(0, len(bars), HOUR)
    return {"hour_line": np.interp(np.arange(len(bars)), at, bars.close[at])}


# Thresholds


def quantile_of_probabilities(bars: Bars) -> Made:
    probability = 1.0 / (1.0 + np.exp(-100.0 * momentum(bars, 4)))
    return {"probability": probability, "exposure": (probability > np.quantile(probability, 0.8)).astype(np.float64)}


def best_sharpe(bars: Bars) -> Made:
    score, earned = momentum(bars, 4), np.nan_to_num(forward_return(bars, 1))
    gains = {}
    for above in np.linspace(-0.004, 0.004, 9):
        returns = earned * (score > above)
        gains[above] = np.mean(returns) / (np.std(returns) + 1e-12)
    return {"score": score, "exposure": 1.0 * (score > max(gains, key=lambda above: gains[above]))}


def strongest_hundred(bars: Bars) -> Made:
    score = momentum(bars, 4)
    chosen = np.zeros(len(bars))
    chosen[np.argsort(score)[-100:]] = 1.0
    return {"score": score, "exposure": chosen}


def regimes_of_the_file(bars: Bars) -> Made:
    size = np.abs(momentum(bars, 8))
    return {"regime": KMeans(2, n_init=1, random_state=0).fit_predict(size[:, None]).astype(np.float64)}


@dataclass(frozen=True, kw_only=True)
class Leak:
    kind: str
    pipeline: Callable[[Bars], Made]
    column: str
    """In which it shows first."""
    at_open: list[str] = field(default_factory=list)
    fill_prices: list[str] = field(default_factory=list)


LEAKS = [
    Leak(kind="feature", pipeline=mean_with_same, column="smooth"),
    Leak(kind="feature", pipeline=central_slope, column="slope"),
    Leak(kind="feature", pipeline=filled_backwards, column="busy_return"),
    Leak(kind="feature", pipeline=smoothing_polynomial, column="trend"),
    Leak(kind="feature", pipeline=filter_both_ways, column="cycle"),
    Leak(kind="label", pipeline=label_in_table, column="x[3]"),
    Leak(kind="label", pipeline=predicts_its_training, column="prediction"),
    Leak(kind="label", pipeline=shuffled_split, column="prediction"),
    Leak(kind="label", pipeline=no_embargo, column="prediction"),
    Leak(kind="label", pipeline=win_rate_of_open_trades, column="win_rate"),
    Leak(kind="scaler", pipeline=standard_scaler, column="x[0]"),
    Leak(kind="scaler", pipeline=min_max_scaler, column="x[0]"),
    Leak(kind="scaler", pipeline=principal_components, column="component[0]"),
    Leak(kind="scaler", pipeline=quantile_transformer, column="x[0]"),
    Leak(kind="fill", pipeline=earns_the_deciding_bar, column="held", at_open=["held"]),
    Leak(kind="fill", pipeline=filled_at_the_close_before, column="price", fill_prices=["price"]),
    Leak(kind="fill", pipeline=stop_filled_through_a_gap, column="price", fill_prices=["price"]),
    Leak(kind="resample", pipeline=hours_labelled_left, column="hour_return"),
    Leak(kind="resample", pipeline=share_of_the_day, column="volume_share"),
    Leak(kind="resample", pipeline=day_demeaned, column="from_day_mean"),
    Leak(kind="resample", pipeline=hours_interpolated, column="hour_line"),
    Leak(kind="threshold", pipeline=quantile_of_probabilities, column="exposure"),
    Leak(kind="threshold", pipeline=best_sharpe, column="exposure"),
    Leak(kind="threshold", pipeline=strongest_hundred, column="exposure"),
    Leak(kind="threshold", pipeline=regimes_of_the_file, column="regime"),
]

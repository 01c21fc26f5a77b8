"""Ops that read one column or two, docs/numerics.md, "Ops". The defaults are those of docs/ops.md."""

from collections.abc import Callable

from . import recursive, windows
from .column import Column, bar_by_bar, from_bar
from .shared import FADED, limited, log_return, ratio, simple_return


def ident(x: Column) -> Column:
    return x


def lag(x: Column, *, window: int = 1) -> Column:
    return from_bar(x.first + window, x.end, lambda t: x[t - window])


def logret(x: Column, *, window: int = 1, offset: float = 0.0) -> Column:
    return log_return(x, window, offset)


def momentum(x: Column, *, window: int = 10) -> Column:
    return simple_return(x, window)


def roc(x: Column, *, window: int = 10) -> Column:
    return bar_by_bar(lambda r: limited(100.0 * r), simple_return(x, window))


def sma(x: Column, *, window: int = 20) -> Column:
    return windows.mean(x, window)


def ema(x: Column, *, window: int = 20, seed: str = "sma") -> Column:
    return recursive.ema_from_first(x, window) if seed == "first" else recursive.ema(x, window)


def wilder(x: Column, *, window: int = 14) -> Column:
    return recursive.wilder(x, window)


def total(x: Column, *, window: int = 20) -> Column:
    return bar_by_bar(limited, windows.total(x, window)) if window > 1 else x


def std(x: Column, *, window: int = 20) -> Column:
    return windows.standard_deviation(x, window)


def volatility(x: Column, *, window: int = 20) -> Column:
    return windows.standard_deviation(log_return(x, 1, 0.0), window)


def zwin(x: Column, *, window: int = 20) -> Column:
    mean, deviation = windows.mean(x, window), windows.standard_deviation(x, window)
    return bar_by_bar(lambda x, m, s: ratio(x - m, s), x, mean, deviation)


def smallest(x: Column, *, window: int = 20) -> Column:
    return windows.smallest(x, window)


def largest(x: Column, *, window: int = 20) -> Column:
    return windows.largest(x, window)


def rsi(x: Column, *, window: int = 14) -> Column:
    first = x.first + 1
    gain = from_bar(first, x.end, lambda t: x[t] - x[t - 1] if x[t] > x[t - 1] else 0.0)
    loss = from_bar(first, x.end, lambda t: x[t - 1] - x[t] if x[t] < x[t - 1] else 0.0)

    def share(g: float, l: float) -> float:
        s = g + l
        return 100.0 * (g / s) if s > FADED else 50.0

    return bar_by_bar(share, recursive.wilder(gain, window), recursive.wilder(loss, window))


def band(x: Column, n: int, k: float) -> Column:
    return bar_by_bar(lambda m, s: limited(m + k * s), windows.mean(x, n), windows.standard_deviation(x, n))


def bollinger_upper(x: Column, *, window: int = 20, k: float = 2.0) -> Column:
    return band(x, window, k)


def bollinger_middle(x: Column, *, window: int = 20, k: float = 2.0) -> Column:
    return windows.mean(x, window)


def bollinger_lower(x: Column, *, window: int = 20, k: float = 2.0) -> Column:
    return band(x, window, -k)


def macd(x: Column, fast: int, slow: int, signal: int) -> tuple[Column, Column]:
    """The line and its signal."""
    shorter, longer = min(fast, slow), max(fast, slow)
    quick, sluggish = recursive.ema(x, shorter, skip=longer - shorter), recursive.ema(x, longer)
    line = bar_by_bar(lambda a, b: limited(a - b), quick, sluggish)
    signal_line = recursive.ema(line, signal)
    return line.since(signal_line.first), signal_line


def macd_line(x: Column, *, fast: int = 12, slow: int = 26, signal: int = 9) -> Column:
    return macd(x, fast, slow, signal)[0]


def macd_signal(x: Column, *, fast: int = 12, slow: int = 26, signal: int = 9) -> Column:
    return macd(x, fast, slow, signal)[1]


def macd_histogram(x: Column, *, fast: int = 12, slow: int = 26, signal: int = 9) -> Column:
    return bar_by_bar(lambda line, mean: limited(line - mean), *macd(x, fast, slow, signal))


def add(a: Column, b: Column) -> Column:
    return bar_by_bar(lambda a, b: limited(a + b), a, b)


def sub(a: Column, b: Column) -> Column:
    return bar_by_bar(lambda a, b: limited(a - b), a, b)


def mul(a: Column, b: Column) -> Column:
    return bar_by_bar(lambda a, b: limited(a * b), a, b)


def div(a: Column, b: Column) -> Column:
    return bar_by_bar(ratio, a, b)


def absolute(x: Column) -> Column:
    return bar_by_bar(abs, x)


def sign(x: Column) -> Column:
    return bar_by_bar(lambda x: 1.0 if x > 0.0 else -1.0 if x < 0.0 else 0.0, x)


def clip(x: Column, *, low: float = -1.0, high: float = 1.0) -> Column:
    return bar_by_bar(lambda x: low if x < low else high if x > high else x, x)


OPS: dict[str, Callable[..., Column]] = {
    "IDENT": ident,
    "LAG": lag,
    "LOGRET": logret,
    "MOMENTUM": momentum,
    "ROC": roc,
    "SMA": sma,
    "EMA": ema,
    "WILDER": wilder,
    "SUM": total,
    "STD": std,
    "VOLATILITY": volatility,
    "ZWIN": zwin,
    "MIN": smallest,
    "MAX": largest,
    "RSI": rsi,
    "BOLLINGER_UPPER": bollinger_upper,
    "BOLLINGER_MIDDLE": bollinger_middle,
    "BOLLINGER_LOWER": bollinger_lower,
    "MACD_LINE": macd_line,
    "MACD_SIGNAL": macd_signal,
    "MACD_HISTOGRAM": macd_histogram,
    "ADD": add,
    "SUB": sub,
    "MUL": mul,
    "DIV": div,
    "ABS": absolute,
    "SIGN": sign,
    "CLIP": clip,
}

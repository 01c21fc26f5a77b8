"""Our metrics beside quantstats, empyrical-reloaded, vectorbt, SciPy and mpmath.

Legend: N bars, S series. Returns have shape [N, S], as the peers take them.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from sentio_features import Bars
from sentio_inference import expected_maximum_sharpe, measure, minimum_track_record, probabilistic_sharpe, trade

Float64 = npt.NDArray[np.float64]
Kind = Literal["daily", "one-minute"]

SERIES = 1000
START = 100_000.0
DAY_NS, MINUTE_NS = 86_400_000_000_000, 60_000_000_000
MONDAY_NS = 19_723 * DAY_NS  # 2024-01-01
SAME = 1e-12
"""Relative. Returns and drawdowns are relative to the growth that they are 1 less than: the peers multiply growths and
then take 1 away, which leaves a return near 0 fewer digits."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Random equity curves and what `measure` says of them. Returns are those of the rounded equity."""

    returns: Float64
    equity: Float64
    ts: npt.NDArray[np.int64]
    per_year: float
    found: list[dict[str, Any]]

    def metric(self, *path: str) -> Float64:
        values = []
        for figures in self.found:
            value: Any = figures["metrics"]
            for key in path:
                value = value[key]
            values.append(np.nan if value is None else value)
        return np.array(values)


def times(kind: Kind) -> npt.NDArray[np.int64]:
    """500 weekdays, or 25 of them with an hour of minutes each."""
    days = np.array([day for day in range(700) if day % 7 < 5])
    if kind == "daily":
        return MONDAY_NS + days[:500] * DAY_NS
    minutes = 15 * 60 + np.arange(60)
    return (MONDAY_NS + days[:25, None] * DAY_NS + minutes[None, :] * MINUTE_NS).ravel()


def random_curves(kind: Kind) -> Curves:
    """Fat tails, drifts of either sign, all sizes of moves; a third of the series hold nothing half of the time."""
    random = np.random.default_rng(6)
    ts, per_year = times(kind), 252.0 if kind == "daily" else 252.0 * 60
    size = np.exp(random.uniform(np.log(1e-4), np.log(0.02), SERIES))
    moves = size * (random.standard_t(4, (len(ts), SERIES)) + random.normal(0, 0.1, SERIES))
    held = np.where(np.arange(SERIES) % 3 == 0, random.random((len(ts), SERIES)) < 0.5, True)
    equity = np.asarray(START * np.cumprod(1 + np.clip(moves, -0.2, 0.3) * held, axis=0), dtype=np.float64)
    returns = equity / np.vstack([np.full(SERIES, START), equity[:-1]]) - 1
    found = [measure(column, ts, start=START, periods_per_year=per_year) for column in equity.T]
    return Curves(returns=returns, equity=equity, ts=ts, per_year=per_year, found=found)


@pytest.fixture(scope="module", params=["daily", "one-minute"])
def curves(request: pytest.FixtureRequest) -> Curves:
    kind: Kind = request.param
    return random_curves(kind)


def agree(ours: Float64, theirs: Any, at_least: "Float64 | float" = 0.0) -> float:
    """Asserts that the figures are the same; returns the largest difference, relative to theirs or to `at_least`."""
    other = np.asarray(theirs, dtype=np.float64)
    assert ours.shape == other.shape == (SERIES,)
    assert np.isfinite(ours).all()
    difference = float(np.max(np.abs(ours - other) / np.maximum(np.abs(other), at_least)))
    assert difference <= SAME
    return difference


def peer(name: str) -> Any:
    """The package, or a skip that says that it is not there. Their warnings at import are theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed")


def test_quantstats_agrees(curves: Curves, record_property: Any) -> None:
    stats, pandas = peer("quantstats").stats, peer("pandas")
    table = pandas.DataFrame(curves.returns, index=pandas.DatetimeIndex(curves.ts))
    year, of = curves.per_year, curves.metric
    drawdown, yearly = -stats.max_drawdown(table), stats.cagr(table, periods=year)
    differences = {
        "sharpe": agree(of("sharpe"), stats.sharpe(table, periods=year)),
        "sortino": agree(of("sortino"), stats.sortino(table, periods=year)),
        "volatility": agree(of("volatility"), stats.volatility(table, periods=year)),
        "total_return": agree(of("total_return"), stats.comp(table), 1.0),
        "annualised_return": agree(of("annualised_return"), yearly, 1.0),
        "monthly_return": agree(of("monthly_return"), stats.cagr(table, periods=year / 12), 1.0),
        "max_drawdown": agree(of("max_drawdown", "depth"), drawdown, 1.0),
        "calmar": agree(of("calmar"), yearly / drawdown, 1 / of("max_drawdown", "depth")),
    }
    for name, difference in differences.items():
        record_property(name, difference)


def test_empyrical_agrees(curves: Curves, record_property: Any) -> None:
    empyrical = peer("empyrical")
    year, r, of = curves.per_year, curves.returns, curves.metric
    drawdown = -empyrical.max_drawdown(r)
    yearly = np.array([empyrical.annual_return(column, annualization=year) for column in r.T])
    differences = {
        "sharpe": agree(of("sharpe"), empyrical.sharpe_ratio(r, annualization=year)),
        "sortino": agree(of("sortino"), empyrical.sortino_ratio(r, annualization=year)),
        "volatility": agree(of("volatility"), empyrical.annual_volatility(r, annualization=year)),
        "total_return": agree(of("total_return"), empyrical.cum_returns_final(r), 1.0),
        "annualised_return": agree(of("annualised_return"), yearly, 1.0),
        "max_drawdown": agree(of("max_drawdown", "depth"), drawdown, 1.0),
        "calmar": agree(of("calmar"), yearly / drawdown, 1 / of("max_drawdown", "depth")),
    }
    for name, difference in differences.items():
        record_property(name, difference)


def test_vectorbt_agrees_and_takes_the_first_close_for_the_first_peak(curves: Curves, record_property: Any) -> None:
    nb = peer("vectorbt").returns.nb
    year, r, of = curves.per_year, np.ascontiguousarray(curves.returns), curves.metric
    later = [measure(e[1:], curves.ts[1:], start=e[0])["metrics"]["max_drawdown"]["depth"] for e in curves.equity.T]
    assert (of("max_drawdown", "depth") > np.array(later)).any()
    differences = {
        "sharpe": agree(of("sharpe"), nb.sharpe_ratio_nb(r, year)),
        "sortino": agree(of("sortino"), nb.sortino_ratio_nb(r, year)),
        "volatility": agree(of("volatility"), nb.annualized_volatility_nb(r, year)),
        "total_return": agree(of("total_return"), nb.cum_returns_final_nb(r), 1.0),
        "annualised_return": agree(of("annualised_return"), nb.annualized_return_nb(r, year), 1.0),
        "max_drawdown": agree(np.array(later), -nb.max_drawdown_nb(r), 1.0),
    }
    for name, difference in differences.items():
        record_property(name, difference)


def one_curve(seed: int, *, n: int = 300) -> "tuple[Float64, dict[str, Any]]":
    """Returns of skewed, fat-tailed days, and what `measure` says of them."""
    random = np.random.default_rng(seed)
    moves = 0.01 * (random.exponential(1.0, n) - 1.0 + 0.05) * random.choice([-1.0, 1.0, 1.0], n)
    equity = START * np.cumprod(1 + moves)
    returns = equity / np.concatenate([[START], equity[:-1]]) - 1
    return returns, measure(equity, times("daily")[:n], start=START, periods_per_year=252, trials=40)


def test_quantstats_corrects_the_bias_of_skewness_and_kurtosis_and_we_do_not() -> None:
    stats, pandas = peer("quantstats").stats, peer("pandas")
    returns, found = one_curve(1)
    series, n, evidence = pandas.Series(returns), len(returns), found["evidence"]
    skewness = evidence["skewness"] * math.sqrt(n * (n - 1)) / (n - 2)
    excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (evidence["kurtosis"] - 3) + 6)
    assert stats.skew(series) == pytest.approx(skewness, rel=1e-11)
    assert stats.kurtosis(series) == pytest.approx(excess, rel=1e-11)
    corrected = probabilistic_sharpe(evidence["sharpe_per_session"], n, skewness, excess + 3)
    assert stats.probabilistic_sharpe_ratio(series) == pytest.approx(corrected, rel=1e-11)
    assert evidence["probabilistic_sharpe"] != pytest.approx(corrected, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_vectorbt_has_our_deflated_sharpe_ratio_if_told_the_same_variance(seed: int) -> None:
    deflated_sharpe_ratio = peer("vectorbt.returns.metrics").deflated_sharpe_ratio
    _, found = one_curve(seed)
    evidence = found["evidence"]
    theirs = deflated_sharpe_ratio(
        est_sharpe=evidence["sharpe_per_session"],
        var_sharpe=1 / (evidence["sessions"] - 1),
        nb_trials=40,
        backtest_horizon=evidence["sessions"],
        skew=evidence["skewness"],
        kurtosis=evidence["kurtosis"],
    )
    assert evidence["deflated_sharpe"] == pytest.approx(theirs, rel=1e-12)


def test_skewness_and_kurtosis_are_those_of_scipy() -> None:
    scipy = peer("scipy.stats")
    for seed in range(20):
        returns, found = one_curve(seed)
        assert found["evidence"]["skewness"] == pytest.approx(scipy.skew(returns), rel=1e-12)
        assert found["evidence"]["kurtosis"] == pytest.approx(scipy.kurtosis(returns, fisher=False), rel=1e-12)


def test_undefined_is_none_where_peers_say_infinity() -> None:
    empyrical, nb = peer("empyrical"), peer("vectorbt").returns.nb
    doubling = START * 2.0 ** np.arange(1, 31)
    metrics = measure(doubling, times("daily")[:30], start=START)["metrics"]
    assert (metrics["sharpe"], metrics["sortino"], metrics["calmar"]) == (None, None, None)
    ones = np.ones(30)
    assert nb.sharpe_ratio_1d_nb(ones, 252.0) == math.inf
    assert nb.sortino_ratio_1d_nb(ones, 252.0) == math.inf
    assert empyrical.sortino_ratio(ones) == math.inf


def test_quantstats_counts_bars_where_we_count_trades_and_rounds_exposure_up() -> None:
    stats, pandas = peer("quantstats").stats, peer("pandas")
    returns = pandas.Series([0.01, 0.0, -0.02, 0.01, 0.03, 0.0, 0.0])
    assert stats.win_rate(returns) == 3 / 4
    assert stats.profit_factor(returns) == pytest.approx(0.05 / 0.02)
    assert stats.exposure(returns) == 0.58  # 4 of 7


def test_vectorbt_counts_open_positions_and_partial_exits_as_trades_and_we_count_round_trips() -> None:
    pandas, vectorbt = peer("pandas"), peer("vectorbt")
    price, exposure = np.array([1.0, 1.0, 2.0, 3.0, 2.0, 4.0]), np.array([1.0, 0.5, 0.0, 1.0, 1.0, 1.0])
    bought = vectorbt.Portfolio.from_orders(pandas.Series(price), size=[0.0, 10.0, -5.0, -5.0, 10.0, 0.0]).trades
    assert (bought.count(), bought.closed.count()) == (3, 2)
    bars = Bars(times("daily")[:6], price, price, price, price, np.ones(6))
    assert trade(bars, exposure, costs="zero")["metrics"]["trades"]["count"] == 1


def test_quantstats_takes_the_geometric_mean_for_the_expected_return() -> None:
    stats, pandas = peer("quantstats").stats, peer("pandas")
    returns = pandas.Series([0.01, 0.02, -0.01])
    assert stats.expected_return(returns) == pytest.approx((1.01 * 1.02 * 0.99) ** (1 / 3) - 1)


def exact_evidence(returns: Float64, trials: int) -> "dict[str, Any]":
    """The figures of Bailey and Lopez de Prado in 50 digits."""
    mp = peer("mpmath").mp.clone()
    mp.dps = 50
    x = [mp.mpf(float(r)) for r in returns]
    count = len(x)
    mean = mp.fsum(x) / count
    m2, m3, m4 = (mp.fsum((value - mean) ** power for value in x) / count for power in (2, 3, 4))
    ratio = mean / mp.sqrt(m2 * count / (count - 1))
    skewness, kurtosis = m3 / m2 ** mp.mpf("1.5"), m4 / m2**2

    def quantile(p: Any) -> Any:
        return mp.sqrt(2) * mp.erfinv(2 * p - 1)

    best = 1 - 1 / mp.mpf(trials), 1 - 1 / (trials * mp.e)
    expected = ((1 - mp.euler) * quantile(best[0]) + mp.euler * quantile(best[1])) / mp.sqrt(count - 1)
    variance = 1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2
    track = 1 + variance * (quantile(mp.mpf("0.95")) / ratio) ** 2 if ratio > 0 else None
    return {
        "sharpe_per_session": ratio,
        "skewness": skewness,
        "kurtosis": kurtosis,
        "probabilistic_sharpe": mp.ncdf(ratio * mp.sqrt((count - 1) / variance)),
        "expected_maximum_sharpe": expected,
        "deflated_sharpe": mp.ncdf((ratio - expected) * mp.sqrt((count - 1) / variance)),
        "minimum_track_record": track,
    }


@pytest.mark.parametrize("seed", range(20))
def test_the_evidence_is_that_of_fifty_digits(seed: int) -> None:
    returns, found = one_curve(seed, n=20 + 14 * seed)
    for name, exact in exact_evidence(returns, trials=40).items():
        ours = found["evidence"][name]
        assert (ours is None) == (exact is None), name
        if exact is not None:
            assert abs(ours - exact) <= 1e-12 * abs(exact), name


def test_the_worked_example_of_bailey_and_lopez_de_prado() -> None:
    expected = expected_maximum_sharpe(0.5 / 250, 100)
    assert f"{expected:.4f}" == "0.1132"
    assert f"{probabilistic_sharpe(2.5 / math.sqrt(250), 1250, -3, 10, expected):.4f}" == "0.9004"


def test_the_best_of_trials_without_skill_is_as_expected() -> None:
    """Extreme values by simulation: the formula is an approximation, good to some percent."""
    best = np.random.default_rng(3).standard_normal((4000, 100)).max(axis=1)
    assert expected_maximum_sharpe(1.0, 100) == pytest.approx(best.mean(), rel=0.02)


def block_length(x: Float64) -> float:
    """Politis & White 2004 as corrected in 2009, written from the papers."""
    n, centred = len(x), x - x.mean()
    lags = math.ceil(math.sqrt(n)) + 5
    covariance = np.array([centred[lag:] @ centred[: n - lag] / n for lag in range(lags + 6)])
    quiet = np.abs(covariance / covariance[0]) < 2 * math.sqrt(math.log10(n) / n)
    last = next(m for m in range(lags) if quiet[m + 1 : m + 6].all())
    width = min(2 * max(last, 1), lags)
    k = np.arange(-width, width + 1)
    weight = np.minimum(1.0, 2 * (1 - np.abs(k) / width)) * covariance[np.abs(k)]
    slope = float(weight @ np.abs(k) / weight.sum())
    return max(1.0, float(np.cbrt(n * slope**2)))


@pytest.mark.parametrize("memory", [0.0, 0.5, -0.3])
def test_the_interval_is_that_of_a_stationary_bootstrap_written_in_numpy(memory: float) -> None:
    random = np.random.default_rng(4)
    noise, n = random.standard_normal(500), 500
    for t in range(1, n):
        noise[t] += memory * noise[t - 1]
    equity = START * np.cumprod(1 + 0.01 * (0.1 + noise))
    returns = equity / np.concatenate([[START], equity[:-1]]) - 1
    evidence = measure(equity, times("daily"), start=START, periods_per_year=252)["evidence"]

    resamples = 8000
    begins = random.random((resamples, n)) < 1 / block_length(returns)
    begins[:, 0] = True
    begun = np.maximum.accumulate(np.where(begins, np.arange(n), 0), axis=1)
    starts = np.take_along_axis(random.integers(0, n, (resamples, n)), begun, axis=1)
    drawn = returns[(starts + np.arange(n) - begun) % n]
    ratios = drawn.mean(axis=1) / drawn.std(axis=1, ddof=1) * math.sqrt(252)
    low, high = np.quantile(ratios, [0.025, 0.975])
    within = 0.07 * (high - low)  # an end of 2,000 resamples has a standard deviation of 1.5 % of the width
    assert evidence["sharpe_low"] == pytest.approx(low, abs=within)
    assert evidence["sharpe_high"] == pytest.approx(high, abs=within)


def test_a_million_returns_lose_no_digit() -> None:
    """Against exact sums."""
    n = 1_000_000
    random = np.random.default_rng(5)
    equity = START * np.exp(np.cumsum(1e-3 * random.standard_normal(n) + 1e-9))
    returns = equity / np.concatenate([[START], equity[:-1]]) - 1
    mean = math.fsum(returns) / n
    assert np.cumsum(returns)[-1] / n != pytest.approx(mean, rel=1e-14, abs=0)  # what a plain sum would make of it
    spread = math.sqrt(math.fsum((returns - mean) ** 2) / (n - 1))
    losses = math.sqrt(math.fsum(np.minimum(returns, 0) ** 2) / n)
    ts = MONDAY_NS + np.arange(n) * MINUTE_NS
    metrics = measure(equity, ts, start=START, session="utc_day", periods_per_year=525_600)["metrics"]
    assert metrics["sharpe"] == pytest.approx(mean / spread * math.sqrt(525_600), rel=1e-14, abs=0)
    assert metrics["volatility"] == pytest.approx(spread * math.sqrt(525_600), rel=1e-14, abs=0)
    assert metrics["sortino"] == pytest.approx(mean / losses * math.sqrt(525_600), rel=1e-14, abs=0)
    assert metrics["total_return"] == equity[-1] / START - 1


def test_the_minimum_track_record_is_where_the_probability_reaches_its_confidence() -> None:
    length = minimum_track_record(0.1, -1.0, 6.0, confidence=0.99)
    assert length is not None
    assert (probabilistic_sharpe(0.1, math.ceil(length), -1.0, 6.0) or 0) >= 0.99
    assert (probabilistic_sharpe(0.1, math.floor(length), -1.0, 6.0) or 1) < 0.99
    assert minimum_track_record(-0.1) is None

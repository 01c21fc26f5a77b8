"""The synthetic market: its calendar, its shape, its edge."""

import json
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sentio_features import in_regular_hours, read_csv, session_days

from sentio_trainer.errors import ConfigError
from sentio_trainer.market import EDGE_WINDOW, MarketSpec, PlantedEdge, csv_text, make_market, write_market

YEAR = make_market(MarketSpec(days=250, seed=11))


def test_the_engine_sees_regular_hours_and_the_same_sessions() -> None:
    assert in_regular_hours(YEAR.time_ns, "us_equity").all()
    days, counts = np.unique(session_days(YEAR.time_ns, "us_equity"), return_counts=True)
    assert len(days) == 250
    short = days[counts == 210]
    assert [str(np.datetime64(int(day), "D")) for day in short] == ["2024-07-03", "2024-11-29", "2024-12-24"]
    assert set(counts.tolist()) == {390, 210}


@pytest.mark.parametrize("days", [1, 2, 1000])
def test_a_market_that_starts_on_any_date_has_its_days(days: int) -> None:
    for start in (date(2024, 7, 3), date(2024, 12, 21), date(2027, 1, 1)):
        market = make_market(MarketSpec(days=days, start=start))
        assert len(np.unique(session_days(market.time_ns))) == days


def test_bars_are_valid_and_in_cents(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text(csv_text(YEAR))
    bars = read_csv(str(tmp_path / "bars.csv"))
    assert len(bars) == len(YEAR.close)
    for column in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(bars[column], np.round(bars[column], 2))
        np.testing.assert_array_equal(bars[column], getattr(YEAR, column))
    np.testing.assert_array_equal(bars.ts, YEAR.time_ns)


def by_minute(values: np.ndarray) -> np.ndarray:
    """Mean over the full sessions for each of the 390 minutes."""
    day = session_days(YEAR.time_ns, "us_equity")
    _, first, counts = np.unique(day, return_index=True, return_counts=True)
    rows = first[counts == 390][:, None] + np.arange(390)
    mean: np.ndarray = values[rows].mean(axis=0)
    return mean


def test_volatility_and_volume_are_u_shaped_over_the_session() -> None:
    size = np.abs(np.log(YEAR.close / YEAR.open))
    for values in (size, YEAR.volume.astype(float)):
        curve = by_minute(values)
        opening, midday, closing = curve[:15].mean(), curve[150:240].mean(), curve[-15:].mean()
        assert opening > 1.7 * midday
        assert closing > 1.2 * midday
        assert opening > closing


def test_volatility_clusters() -> None:
    day = session_days(YEAR.time_ns, "us_equity")
    daily = np.array(
        [np.abs(np.log(YEAR.close[day == each] / YEAR.open[day == each])).mean() for each in np.unique(day)]
    )
    assert np.corrcoef(daily[1:], daily[:-1])[0, 1] > 0.2


def test_nights_bring_gaps_that_minutes_do_not() -> None:
    jump = np.abs(np.log(YEAR.open[1:] / YEAR.close[:-1]))
    night = np.diff(session_days(YEAR.time_ns, "us_equity")) > 0
    assert jump[night].mean() > 50 * jump[~night].mean()


@pytest.mark.parametrize("ic", [0.3, 0.1, 0.02, -0.02, -0.1, -0.3])
def test_the_planted_edge_solves_its_equations(ic: float) -> None:
    edge = PlantedEdge.of(ic)
    assert edge.coefficient * edge.sum_sd == pytest.approx(ic, abs=1e-12)
    # The autocovariances of the process, from its moving-average weights: an independent way to the same numbers.
    weights = np.zeros(20_000)
    weights[0] = 1.0
    for k in range(1, len(weights)):
        weights[k] = edge.coefficient * weights[max(0, k - EDGE_WINDOW) : k].sum()
    covariance = [edge.innovation_sd**2 * float(weights[lag:] @ weights[: len(weights) - lag]) for lag in range(20)]
    assert covariance[0] == pytest.approx(1.0, abs=1e-9)
    sum_variance = 20 * covariance[0] + 2 * sum((20 - lag) * covariance[lag] for lag in range(1, 20))
    assert np.sqrt(sum_variance) == pytest.approx(edge.sum_sd, rel=1e-9)


@pytest.mark.parametrize("ic", [0.1, -0.1, 0.0])
def test_the_best_forecast_has_the_theoretical_information_coefficient(ic: float) -> None:
    market = make_market(MarketSpec(days=400, seed=5, ic=ic))
    n = len(market.z)
    if ic == 0.0:
        assert not market.best_forecast.any()
        past = np.convolve(market.z, np.ones(EDGE_WINDOW))[: n - 1]
        assert np.corrcoef(past, market.z[1:])[0, 1] == pytest.approx(0.0, abs=3 / np.sqrt(n))
        return
    found = np.corrcoef(market.best_forecast[:-1], market.z[1:])[0, 1]
    assert found == pytest.approx(abs(ic), abs=3 / np.sqrt(n))  # three standard errors


def test_prices_carry_the_edge() -> None:
    log_close = np.log(YEAR.close)
    same_day = np.diff(session_days(YEAR.time_ns, "us_equity")) == 0
    returns = np.diff(log_close)[same_day]
    found = np.corrcoef(YEAR.best_forecast[:-1][same_day], returns)[0, 1]
    # Not all of 0.1: a forecast of z, not of the return, whose volatility varies.
    assert 0.08 < found < 0.1 + 3 / np.sqrt(len(returns))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    spec = MarketSpec(days=3, seed=4)
    assert csv_text(make_market(spec)) == csv_text(make_market(spec))
    assert csv_text(make_market(spec)) != csv_text(make_market(MarketSpec(days=3, seed=5)))


def test_the_file_is_marked_as_synthetic_with_its_theory(tmp_path: Path) -> None:
    path = tmp_path / "data" / "QQQ_NH.csv"
    write_market(MarketSpec(days=2, seed=4, ic=-0.05), path, overwrite=False)
    mark = json.loads((tmp_path / "data" / "QQQ_NH.csv.synthetic.json").read_text())
    assert mark == read_csv(path).synthetic
    assert mark == {
        "synthetic": True,
        "generator": "sentio synthetic market 1",
        "symbol": "QQQ",
        "days": 2,
        "seed": 4,
        "ic": -0.05,
        "start": "2024-01-02",
        "last_day": "2024-01-03",
        "bars": 780,
        "theoretical_ic": 0.05,
        "edge": "reversal over 20 bars",
    }
    shutil.copy(path, tmp_path / "other.csv")
    assert read_csv(tmp_path / "other.csv").synthetic is None


def test_bars_that_are_not_synthetic_are_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "SPY.csv"
    path.write_text("recorded")
    with pytest.raises(ConfigError, match="exists and is not marked as synthetic; --overwrite replaces it"):
        write_market(MarketSpec(days=1), path, overwrite=False)
    assert path.read_text() == "recorded"
    write_market(MarketSpec(days=1), path, overwrite=True)
    write_market(MarketSpec(days=2), path, overwrite=False)  # synthetic by now


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (MarketSpec(days=0), "days must be at least 1, found 0"),
        (MarketSpec(ic=0.95), "ic must be between -0.9 and 0.9, found 0.95"),
    ],
)
def test_impossible_markets_are_refused(spec: MarketSpec, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        make_market(spec)

"""What a sweep's best trial is worth: session returns of each trial, and what is not defined."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sentio_features import session_days
from sentio_inference import simulate
from training_support import bars_of

from sentio_trainer.errors import SentioError
from sentio_trainer.overfitting import deflated_sharpe, probability_of_overfitting, sharpe_ratio
from sentio_trainer.session_returns import SessionReturns, read_session_returns, session_returns, write_session_returns
from sentio_trainer.sweep_overfitting import sweep_overfitting
from sentio_trainer.sweep_report import overfitting_lines
from sentio_trainer.thresholds import Forecasts, Venue

RULE = {"rule": "threshold", "long_above": 0.5, "short_below": 0.1, "exit_long_below": 0.5, "exit_short_above": 0.5}
FREE = Venue(costs="zero", calendar="us_equity")
Float64 = npt.NDArray[np.float64]


def over(values: Float64, *, begin: int = 19_000) -> SessionReturns:
    return SessionReturns(session=np.arange(begin, begin + len(values)), value=values)


def days_of(close: list[float], *, per_day: int, opens: list[float] | None = None, symbol: str = "A") -> Forecasts:
    """Always long, on bars of which `per_day` lie on each day."""
    n = len(close)
    bars = bars_of(close, open_=opens, minutes=[1440 * (i // per_day) + i % per_day for i in range(n)])
    return Forecasts(symbol=symbol, bars=bars, probability=np.full(n, 0.9))


def test_a_session_earns_from_close_to_close_after_costs() -> None:
    # Bought at the open of bar 1, 100: all of the capital, 100,000.
    forecasts = days_of([100.0, 102.0, 103.0, 110.0, 99.0, 99.0], per_day=2, opens=[100.0, 100.0] + [103.0] * 4)
    found = session_returns([forecasts], RULE, FREE)
    np.testing.assert_allclose(found.value, [0.02, 110.0 / 102.0 - 1.0, 99.0 / 110.0 - 1.0], rtol=1e-12)
    assert found.session.tolist() == session_days(forecasts.bars.ts)[::2].tolist()
    costly = session_returns([forecasts], RULE, Venue(costs="us_equity", calendar="us_equity"))
    assert costly.value[0] < found.value[0]
    whole = simulate(forecasts.bars, forecasts.probability, RULE, "us_equity")
    assert np.prod(1.0 + costly.value) - 1.0 == pytest.approx(whole["metrics"]["total_return"], abs=1e-12)


def test_symbols_are_equal_shares_and_one_without_bars_earns_nothing() -> None:
    a = days_of([100.0, 100.0, 110.0, 110.0], per_day=2, opens=[100.0, 100.0, 110.0, 110.0])
    b = days_of([50.0, 50.0], per_day=2, symbol="B")
    found = session_returns([a, b], RULE, FREE)
    np.testing.assert_allclose(found.value, [0.0, 0.05], atol=1e-12)


def test_returns_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "study" / "trial-0000.npy"
    returns = over(np.random.default_rng(1).normal(size=30))
    write_session_returns(path, returns)
    found = read_session_returns(path)
    assert np.array_equal(found.session, returns.session)
    assert np.array_equal(found.value, returns.value)
    assert [each.name for each in path.parent.iterdir()] == ["trial-0000.npy"]
    np.save(path, np.zeros(3))
    with pytest.raises(SentioError, match=r"trial-0000\.npy: must hold pairs of session and return, found float64$"):
        read_session_returns(path)
    path.write_bytes(b"cut off")
    with pytest.raises(SentioError, match=r"trial-0000\.npy: is not an array of session returns: "):
        read_session_returns(path)


def test_trials_are_compared_over_the_sessions_that_all_have() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(40, 3))
    returns = {0: over(values[:, 0]), 4: over(values[3:, 1], begin=19_003), 7: over(values[:, 2])}
    found = sweep_overfitting(returns, best=4)
    expected = probability_of_overfitting(values[3:], blocks=16)
    assert (found.trials, found.sessions) == (3, 37)
    assert found.found is not None
    assert found.found.probability == expected.probability
    assert np.array_equal(found.found.logits, expected.logits)
    ratios = [sharpe_ratio(column) for column in values[3:].T]
    variance = float(np.var(np.array(ratios, dtype=float), ddof=1))
    assert found.deflated == deflated_sharpe(values[3:, 1], trials=3, variance=variance)
    first, second = overfitting_lines(found)
    assert first.startswith(
        f"probability of backtest overfitting: {expected.probability:.0%}, by CSCV over 3 finished trials, "
        "32 sessions of validation in 16 blocks; "
    )
    assert second.startswith("deflated Sharpe of the best trial: 0.")
    assert second.endswith(" expected of the best of 3 without skill")


def test_fewer_sessions_make_fewer_blocks() -> None:
    values = np.random.default_rng(3).normal(size=(23, 2))
    found = sweep_overfitting({0: over(values[:, 0]), 1: over(values[:, 1])}, best=0).found
    assert found is not None
    assert (found.blocks, found.observations) == (10, 20)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ([], "fewer than 2 finished trials left session returns, found 0"),
        ([np.arange(40.0)], "fewer than 2 finished trials left session returns, found 1"),
        ([np.arange(40.0), np.zeros(40)], "fewer than 2 trials traded on the validation bars, found 1"),
        ([np.arange(15.0), np.arange(15.0)], "fewer than 16 sessions of validation, found 15"),
        ([np.arange(40.0), np.full(40, 0.1)], "the returns of strategy 1 are all equal in a half, and not 0"),
    ],
)
def test_what_is_not_defined_says_why(columns: list[Float64], why: str) -> None:
    found = sweep_overfitting({number: over(values) for number, values in enumerate(columns)}, best=0)
    assert found.found is None
    assert overfitting_lines(found)[0] == f"probability of backtest overfitting: not defined: {why}"

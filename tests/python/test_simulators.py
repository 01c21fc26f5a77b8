"""Other simulators trade given positions as Sentio does: the same fills, and the same equity to a cent."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from benchmarks.backtest_orders import Traded, require_same, simulate, write_orders
from benchmarks.backtests import FEW, OURS, PEERS, RECORDED, plain, simulator
from benchmarks.timing import AnswerDiffersError
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import REAL_BARS, market
from sentio_features import read_csv

OTHERS = [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed"))
    for name in PEERS
    if name != "vectorbt"  # compiles for half a minute; make bench compares it
]


@given(seed=st.integers(0, 2**32 - 1), length=st.integers(60, 400))
@settings(max_examples=25, deadline=None)
def test_a_plain_simulator_trades_as_sentio_does(
    tmp_path_factory: pytest.TempPathFactory, seed: int, length: int
) -> None:
    orders = write_orders(tmp_path_factory.mktemp("orders") / "made", market(seed, length))
    require_same(simulator(OURS, orders)(), plain(orders)())


@pytest.mark.parametrize("file", RECORDED)
def test_a_plain_simulator_trades_recorded_bars_as_sentio_does(tmp_path: Path, file: str) -> None:
    if not (REAL_BARS / file).exists():
        pytest.skip(f"recorded bars {file} are not here")
    orders = write_orders(tmp_path / "recorded", read_csv(REAL_BARS / file)[-FEW:])
    expected = plain(orders)()
    assert len(expected.bar) > 100
    require_same(simulator(OURS, orders)(), expected)


@pytest.mark.parametrize("name", OTHERS)
def test_another_library_trades_as_sentio_does(tmp_path: Path, name: str) -> None:
    orders = write_orders(tmp_path / "made", market(3, 3_000))
    require_same(simulator(name, orders)(), plain(orders)())


def test_trades_that_differ_are_told() -> None:
    bars = market(1, 500)
    _, expected = simulate(bars.open, bars.close, np.where(np.arange(500) % 50 < 25, 1.0, -0.5))
    require_same(expected, expected)
    moved = Traded(bar=expected.bar + 1, quantity=expected.quantity, price=expected.price, equity=expected.equity)
    with pytest.raises(AnswerDiffersError, match="fill 0 has bar 2, expected 1"):
        require_same(moved, expected)
    fewer = Traded(bar=expected.bar[1:], quantity=expected.quantity, price=expected.price, equity=expected.equity)
    with pytest.raises(AnswerDiffersError, match="19 fills, expected 20"):
        require_same(fewer, expected)
    poorer = Traded(bar=expected.bar, quantity=expected.quantity, price=expected.price, equity=expected.equity - 0.006)
    with pytest.raises(AnswerDiffersError, match="equity"):
        require_same(poorer, expected)

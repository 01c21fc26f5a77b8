"""The broker against a witness in plain Python, and its orders and options from Python and from the shell."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from cli_support import refusal_of, report_of
from market_bars import MINUTE_NS
from reference.broker import PlainBar, Rules, Wish
from reference.broker import trade as witness
from sentio_features import Bars
from sentio_inference import backtest, trade

START_NS = 1_704_724_200 * 10**9
COSTS = ("commission_per_share", "commission_bps", "commission_minimum", "half_spread_bps", "slippage_bps")
SIZE = 24


def bars_of(rows: list[PlainBar]) -> Bars:
    ts = START_NS + MINUTE_NS * np.arange(len(rows))
    columns = (np.array([getattr(row, name) for row in rows]) for name in ("open", "high", "low", "close", "volume"))
    return Bars(ts, *columns)


def random_rows(random: np.random.Generator, *, on_grid: bool) -> list[PlainBar]:
    """Bars with gaps, without volume now and then, on a grid of quarters if orders are to be touched exactly."""
    rows, price, reach = [], float(random.uniform(20, 200)), float(random.choice([0.01, 0.05]))

    def near(centre: float) -> float:
        found = centre * (1 + random.uniform(-reach, reach))
        return max(0.25, round(4 * found) / 4) if on_grid else found

    for _ in range(SIZE):
        opened = near(price)
        price = near(opened)
        reached = [opened, price, near(opened)]
        volume = 0.0 if random.random() < 0.1 else float(random.integers(1, 3000))
        rows.append(PlainBar(opened, max(reached), min(reached), price, volume))
    return rows


def random_wishes(random: np.random.Generator, rows: list[PlainBar], *, on_grid: bool) -> list[Wish]:
    wishes, exposure = [], 0.0
    for row in rows:
        if random.random() < 0.35:
            exposure = float(random.choice([0.0, 1.0, random.uniform(-1, 1)]))
        order = str(random.choice(["market", "limit", "stop"]))
        price = row.close * random.uniform(0.97, 1.03)
        price = max(0.25, round(4 * price) / 4) if on_grid else price
        wishes.append(Wish(exposure, order, price) if order != "market" else Wish(exposure))
    return wishes


def random_rules(random: np.random.Generator) -> Rules:
    def sometimes(low: float, high: float) -> float | None:
        return float(random.uniform(low, high)) if random.random() < 0.5 else None

    return Rules(
        capital=float(random.choice([3_000.0, 100_000.0])),
        max_exposure=float(random.choice([1.0, 0.63])),
        stop_loss=sometimes(0.002, 0.05),
        take_profit=sometimes(0.002, 0.05),
        max_volume_share=sometimes(0.01, 1.0),
        commission_per_share=sometimes(0.001, 0.01) or 0.0,
        commission_bps=sometimes(0.1, 10) or 0.0,
        commission_minimum=sometimes(0.5, 2) or 0.0,
        half_spread_bps=sometimes(0.1, 10) or 0.0,
        slippage_bps=sometimes(0.1, 10) or 0.0,
    )


def test_the_broker_trades_as_its_witness_on_random_paths(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    met = {"open": 0, "limit": 0, "stop": 0}
    cut = 0
    for path in range(800):
        on_grid = bool(random.random() < 0.5)
        rows = random_rows(random, on_grid=on_grid)
        wishes = random_wishes(random, rows, on_grid=on_grid)
        rules = random_rules(random)
        costs = tmp_path / "costs.json"
        costs.write_text(json.dumps({name: getattr(rules, name) for name in COSTS}))
        found = trade(
            bars_of(rows),
            np.array([wish.exposure for wish in wishes]),
            costs,
            order=np.array([wish.order for wish in wishes]),
            price=np.array([wish.price or np.nan for wish in wishes]),
            capital=rules.capital,
            max_exposure=rules.max_exposure,
            stop_loss=rules.stop_loss,
            take_profit=rules.take_profit,
            max_volume_share=rules.max_volume_share,
        )
        account, equity = witness(rules, rows, wishes)
        fills = found["fills"]
        expected = [(START_NS + MINUTE_NS * fill.bar, fill.at, fill.quantity) for fill in account.fills]
        seen = list(zip(fills["ts"].tolist(), fills["at"].tolist(), fills["quantity"].tolist(), strict=True))
        assert seen == expected, f"path {path}"
        # The same formulas in another order of operations: a few roundings of a price, and of sums of money.
        np.testing.assert_allclose(fills["price"], [fill.price for fill in account.fills], rtol=1e-14)
        np.testing.assert_allclose(found["series"]["equity"], equity, rtol=1e-12)
        for fill in account.fills:
            met[fill.at] += 1
        cut += account.cut
    assert min(met.values()) > 400, met
    assert cut > 400


FLAT = PlainBar(100.0, 100.0, 100.0, 100.0, 1000.0)


def test_python_gives_limit_and_stop_orders() -> None:
    bars = bars_of([FLAT, PlainBar(100.0, 101.0, 97.0, 100.0, 1000.0), PlainBar(100.0, 106.0, 99.0, 100.0, 1000.0)])
    found = trade(
        bars,
        [1.0, 0.0, 0.0],
        order=["limit", "stop", "market"],
        price=[98.0, 99.0, np.nan],
        costs="zero",
        capital=1000.0,
    )
    assert found["fills"]["at"].tolist() == ["limit", "stop"]
    assert found["fills"]["price"].tolist() == [98.0, 99.0]
    assert found["fills"]["quantity"].tolist() == [10.0, -10.0]
    all_limits = trade(bars, [1.0, 1.0, 1.0], order="limit", price=[98.0, 98.0, 98.0], costs="zero", capital=1000.0)
    assert all_limits["fills"]["at"].tolist() == ["limit"]


def test_the_report_states_the_brokers_options_and_what_volume_cut() -> None:
    bars = bars_of([FLAT, PlainBar(100.0, 100.0, 100.0, 100.0, 50.0), FLAT])
    found = backtest(
        bars, "buy_and_hold", costs="zero", capital=1000.0, max_volume_share=0.1, stop_loss=0.02, take_profit=None
    )
    assert found["broker"] == {
        "capital": 1000.0,
        "max_exposure": 1.0,
        "fractional": False,
        "max_volume_share": 0.1,
        "stop_loss": 0.02,
        "take_profit": None,
        "flat_at_close": False,
    }
    assert found["fills"]["quantity"].tolist() == [5.0, 5.0]
    assert "1 time an order found too little volume: fills take at most 10.00% of a bar's; " in found["notes"][0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"order": "limt", "price": [1.0]}, "order must be market, limit or stop, found 'limt'; did you mean 'limit'?"),
        ({"order": ["limit", "limit"]}, "order must have one value a bar, 1, found 2"),
        (
            {"order": "limit"},
            "decision at bar 0: the price of a limit order must be a finite number above 0, found nan",
        ),
        ({"price": [99.0]}, "decision at bar 0: a market order has no price (nan), found 99"),
        ({"stop_loss": 2.0}, "stop_loss must be above 0 and below 1, found 2"),
        ({"take_profit": -1.0}, "take_profit must be a finite number above 0, found -1"),
        ({"max_volume_share": 0.0}, "max_volume_share must be above 0 and at most 1, found 0"),
    ],
)
def test_a_wrong_order_or_option_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        trade(bars_of([FLAT]), [1.0], **given)  # type: ignore[arg-type]


def test_the_shell_has_the_options_of_python(tmp_path: Path) -> None:
    rows = random_rows(np.random.default_rng(8), on_grid=False)
    bars = bars_of(rows)
    lines = ["ts,open,high,low,close,volume"]
    for ts, row in zip(bars.ts.tolist(), rows, strict=True):
        lines.append(f"{ts},{row.open!r},{row.high!r},{row.low!r},{row.close!r},{row.volume!r}")
    (tmp_path / "bars.csv").write_text("\n".join(lines) + "\n")
    run = ("backtest", "X", "--bars", "bars.csv", "--strategy", "buy_and_hold")
    options = {"stop_loss": 0.004, "take_profit": 0.05, "max_volume_share": 0.5}
    arguments = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    shell = report_of(*run, *arguments, cwd=tmp_path)
    python = backtest(bars, "buy_and_hold", stop_loss=0.004, take_profit=0.05, max_volume_share=0.5)
    assert shell["fills_hash"] == python["fills_hash"]
    assert shell["broker"] == python["broker"]
    assert "stop" in python["fills"]["at"].tolist()
    assert refusal_of(*run, "--stop-loss", "2", cwd=tmp_path) == (
        2,
        "sentio_cli: stop_loss must be above 0 and below 1, found 2",
    )

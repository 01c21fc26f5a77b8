"""What `measure` and the cards of the metrics say."""

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from market_bars import market
from sentio_inference import expected_maximum_sharpe, measure, metric_cards, minimum_track_record, trade

from sentio_trainer.overfitting import OverfittingProbability

DAY_NS = 86_400_000_000_000
MONDAY_NS = 19_723 * DAY_NS  # 2024-01-01


def leaves(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from leaves(below, f"{path}.{key}" if path else key)
    else:
        yield path


def days(n: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
    return MONDAY_NS + np.arange(n) * DAY_NS


def test_every_figure_of_a_report_and_of_a_sweep_has_a_card_in_the_same_order() -> None:
    report = trade(market(seed=1, n=300), np.ones(300))
    figures = ["periods_per_year", *leaves(report["metrics"]), *leaves(report["evidence"], "evidence")]
    of_sweeps = ["pbo", "pbo.degradation_slope", "pbo.probability_of_loss"]
    assert [card["name"] for card in metric_cards()] == figures + of_sweeps
    assert {name.removeprefix("pbo.") for name in of_sweeps[1:]} <= {
        field.name for field in fields(OverfittingProbability)
    }
    assert list(leaves(report["buy_and_hold"])) == list(leaves(report["metrics"]))


def test_every_card_has_a_formula_and_one_of_an_annualised_figure_says_by_what() -> None:
    annualised = {"annualised_return", "monthly_return", "volatility", "sharpe", "sharpe_standard_error", "sortino"}
    annualised |= {"calmar", "annual_turnover", "sessions.sharpe", "evidence.sharpe_low", "evidence.sharpe_high"}
    cards = {card["name"]: card for card in metric_cards()}
    assert {name for name, card in cards.items() if card["per_year"]} == annualised
    for name, card in cards.items():
        assert card["formula"], name
        assert not card["per_year"] or ("20 sessions" in card["undefined"] and card["n"]), name
        assert all(re.fullmatch(r"[ -~]*", text) for text in card.values()), name


def test_what_annualises_is_null_below_20_sessions_and_nothing_else() -> None:
    """So that no card promises more, or less, than the code does."""
    random = np.random.default_rng(1)
    equity = 100 * np.cumprod(1 + 0.01 * random.standard_normal(20))
    few, enough = (measure(equity[:n], days(n), start=100.0, session="utc_day") for n in (19, 20))
    gone = {
        name
        for part in ("metrics", "evidence")
        for name in leaves(few[part])
        if name != "not_annualised" and at(few[part], name) is None and at(enough[part], name) is not None
    }
    needs_20 = {card["name"].removeprefix("evidence.") for card in metric_cards() if "20 sessions" in card["undefined"]}
    assert few["metrics"]["not_annualised"] == "not annualised: 19 sessions"
    assert enough["metrics"]["not_annualised"] is None
    maybe = {"minimum_track_record", "max_drawdown.recovery"}  # null for other reasons too
    assert gone - maybe == needs_20 - maybe - {"annual_turnover", "not_annualised"}


def at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value[key]
    return value


def test_the_figures_of_an_equity_curve_are_those_of_a_report() -> None:
    report = trade(market(seed=2, n=2000), np.repeat([1.0, 0.0, -1.0, 0.5], 500), costs="us_equity")
    series = report["series"]
    found = measure(series["equity"], series["ts"], start=report["broker"]["capital"])
    assert found["periods_per_year"] == report["periods_per_year"]
    for name in leaves(found["metrics"]):
        assert at(found["metrics"], name) == at(report["metrics"], name), name


def test_a_curve_by_hand() -> None:
    found = measure([110.0, 99.0, 118.8], days(3), start=100.0, session="utc_day")
    metrics = found["metrics"]
    assert metrics["total_return"] == pytest.approx(0.188)
    assert metrics["max_drawdown"] == {
        "depth": pytest.approx(0.1),
        "peak": "2024-01-01T00:00:00Z",
        "bottom": "2024-01-02T00:00:00Z",
        "recovery": "2024-01-03T00:00:00Z",
    }
    assert metrics["sessions"]["count"] == 3
    assert metrics["sessions"]["best"] == pytest.approx(0.2)
    assert found["evidence"]["trials"] == {"count": 1, "from": "given as trials="}


def test_more_trials_deflate_more_and_change_nothing_else() -> None:
    random = np.random.default_rng(1)
    equity = 100 * np.cumprod(1.001 + 0.01 * random.standard_normal(250))
    one, many = (measure(equity, days(250), start=100.0, trials=n)["evidence"] for n in (1, 100))
    assert one["deflated_sharpe"] == one["probabilistic_sharpe"]
    assert one["expected_maximum_sharpe"] == 0
    assert many["deflated_sharpe"] < one["deflated_sharpe"]
    changed = {"trials", "expected_maximum_sharpe", "deflated_sharpe"}
    assert {key for key in one if one[key] != many[key]} == changed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"equity": []}, "equity must have at least one value, found 0"),
        ({"equity": [1.0, float("nan"), 1.0]}, "equity must be finite, found nan"),
        ({"ts": days(2)}, "ts must have one value an equity, 3, found 2"),
        ({"ts": days(3)[::-1]}, "ts must increase, and does not at index 1"),
        ({"start": 0.0}, "start must be above 0, found 0"),
        ({"trials": 0}, "trials must be at least 1, found 0"),
        ({"periods_per_year": -1.0}, "periods_per_year must be above 0, found -1"),
        ({"sharpe_variance": -0.1}, "sharpe_variance must be at least 0, found -0.1"),
    ],
)
def test_a_wrong_argument_is_named(arguments: "dict[str, Any]", message: str) -> None:
    right: dict[str, Any] = {"equity": [1.0, 2.0, 1.0], "ts": days(3), "start": 1.0}
    with pytest.raises(ValueError, match=re.escape(message)):
        measure(**right | arguments)


def test_formulas_refuse_what_is_outside_their_range() -> None:
    with pytest.raises(ValueError, match="variance must be at least 0, found -1"):
        expected_maximum_sharpe(-1.0, 10)
    with pytest.raises(ValueError, match="trials must be at least 1, found 0"):
        expected_maximum_sharpe(1.0, 0)
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1, found 1"):
        minimum_track_record(0.1, confidence=1.0)


def test_a_lost_account_has_no_figure_that_has_no_meaning() -> None:
    equity = np.concatenate([np.linspace(100, -10, 30), np.full(10, -10.0)])
    found = measure(equity, days(40), start=100.0, session="utc_day")
    metrics = found["metrics"]
    assert metrics["total_return"] == pytest.approx(-1.1)
    assert (metrics["annualised_return"], metrics["monthly_return"], metrics["calmar"]) == (None, None, None)
    assert metrics["max_drawdown"]["depth"] == pytest.approx(1.1)
    assert metrics["sharpe"] < 0

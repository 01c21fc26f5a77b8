"""Thresholds are chosen after costs, and the verdict is plain."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_support import bars_of

from sentio_trainer.bootstrap import Interval
from sentio_trainer.console import print_trained
from sentio_trainer.errors import ConfigError
from sentio_trainer.evaluation import (
    LOGISTIC,
    Evaluation,
    evaluate,
    evaluation_document,
    metrics_document,
    needed_standard_errors,
)
from sentio_trainer.schema import DecisionConfig
from sentio_trainer.scores import Estimate, Forecast
from sentio_trainer.thresholds import Forecasts, Venue, choose_thresholds, decision_document, probability_of
from sentio_trainer.trainer import Trained

US_EQUITY = Venue(costs="us_equity", calendar="us_equity")
RNG = np.random.default_rng(0)
RETURNS = 0.001 * RNG.standard_normal(2000)
CLOSE = 400.0 * np.exp(np.cumsum(RETURNS))
BARS = bars_of(CLOSE, open_=np.concatenate([[400.0], CLOSE[:-1]]))


def knowing(share: float) -> np.ndarray:
    """Probabilities that know the next bar's direction to a degree."""
    ahead = np.append(RETURNS[1:], 0.0) / 0.001
    return probability_of(share * ahead + 0.2 * np.random.default_rng(1).standard_normal(len(ahead)))


def said(probability: np.ndarray) -> Forecasts:
    return Forecasts(symbol="QQQ", bars=BARS, probability=probability)


def test_thresholds_that_earn_most_after_costs_are_chosen() -> None:
    probability = knowing(1.0)
    choice = choose_thresholds([said(probability)], DecisionConfig(), US_EQUITY)
    assert choice.validation_return is not None
    assert choice.validation_return > 0.5
    assert choice.decision["long_above"] + choice.decision["short_below"] == pytest.approx(1.0)
    assert US_EQUITY.trade(BARS, probability, choice.decision).total_return == choice.validation_return
    assert choice.told.startswith("thresholds long at 0.")
    for distance in np.quantile(np.abs(probability - 0.5), [0.25, 0.5, 0.9]):
        other = {**choice.decision, "long_above": 0.5 + distance, "short_below": 0.5 - distance}
        total = US_EQUITY.trade(BARS, probability, other).total_return
        assert total is not None
        assert total <= choice.validation_return


def test_where_nothing_pays_the_configured_thresholds_stay_and_that_is_said() -> None:
    config = DecisionConfig(long_above=0.61, short_below=0.4)
    choice = choose_thresholds([said(knowing(-1.0))], config, US_EQUITY)  # always wrong
    assert choice.decision == decision_document(config)
    assert choice.told == (
        "no edge after costs on validation: no thresholds earn more than doing nothing; "
        "the configured 0.61 and 0.4 are kept"
    )
    assert choice.validation_return is not None
    assert choice.validation_return < 0


def test_costs_decide_what_pays() -> None:
    faint = knowing(0.02)
    free = choose_thresholds([said(faint)], DecisionConfig(), Venue(costs="zero", calendar="us_equity"))
    paid = choose_thresholds([said(faint)], DecisionConfig(), Venue(costs="crypto_spot", calendar="us_equity"))
    assert free.validation_return is not None
    assert free.validation_return > 0
    assert "no edge after costs" in paid.told


def test_thresholds_are_left_alone_when_asked() -> None:
    choice = choose_thresholds([said(knowing(1.0))], DecisionConfig(tune=False), US_EQUITY)
    assert (choice.decision["long_above"], choice.validation_return) == (0.53, None)
    assert choice.told == "thresholds as configured"


def test_candidates_respect_the_exits() -> None:
    config = DecisionConfig(exit_long_below=0.52, exit_short_above=0.48)
    decision = choose_thresholds([said(knowing(1.0))], config, US_EQUITY).decision
    assert decision["long_above"] >= 0.52
    assert decision["short_below"] <= 0.48


def test_a_cost_model_that_is_not_there_is_refused() -> None:
    US_EQUITY.check()
    with pytest.raises(ConfigError, match=r"^evaluation\.costs: .*free"):
        Venue(costs="free", calendar="us_equity").check()


def forecast(key: str, score: np.ndarray, *, name: str | None = None) -> Forecast:
    return Forecast(key=key, name=name or key, score=score, probability=probability_of(score))


def judged(model: np.ndarray, forward: np.ndarray, *baselines: Forecast, **others: Any) -> Evaluation:
    settings: dict[str, Any] = {
        "horizon": 1,
        "standard_errors": 2.0,
        "looks": 1,
        "return_after_costs": None,
        "buy_and_hold_return": None,
        "synthetic": None,
        **others,
    }
    return evaluate(forecast("model", model), baselines, forward, **settings)


def verdict_of(
    strength: float, *, last: float = 0.0, linear: float = 0.0, rows: int = 10_000, **others: Any
) -> Evaluation:
    """A model and two baselines that know as much of the return as is said, each with noise of its own."""
    rng = np.random.default_rng(5)
    forward = rng.standard_normal(rows)
    model, sign, regression = (share * forward + rng.standard_normal(rows) for share in (strength, last, linear))
    constant = forecast("constant", np.zeros(rows))
    learned = forecast(LOGISTIC, regression, name="logistic regression")
    return judged(model, forward, constant, forecast("last_sign", sign), learned, **others)


def test_an_edge_is_called_one_and_stated_with_its_interval() -> None:
    found = verdict_of(0.1)
    assert found.has_edge
    assert found.model.ic is not None
    assert found.model.ic.interval is not None
    value, low, high = found.model.ic.value, found.model.ic.interval.low, found.model.ic.interval.high
    # Independent samples: two errors of 1/100, known to 5 % from 200 resamples; three times that.
    assert high - value == value - low == pytest.approx(0.02, rel=0.15)
    assert found.verdict.startswith(f"edge before costs: test IC {value:+.4f} (between {low:+.4f} and {high:+.4f})")


def test_noise_is_called_no_edge() -> None:
    found = verdict_of(0.0)
    assert not found.has_edge
    assert found.verdict.startswith("no edge: the test IC of ")
    assert found.verdict.endswith(") is not surely above 0")


def test_a_forecast_that_is_surely_wrong_is_no_edge() -> None:
    assert verdict_of(-0.3).verdict.startswith("no edge: the test IC of -0.")


def test_an_edge_needs_as_many_standard_errors_as_are_asked_for() -> None:
    assert verdict_of(0.1, standard_errors=5.0).has_edge
    assert not verdict_of(0.1, standard_errors=20.0).has_edge


def test_the_best_of_many_models_needs_more_than_a_single_one() -> None:
    assert needed_standard_errors(2.0, looks=1) == pytest.approx(2.0)
    # 1 - (1 - 0.02275)^(1/10) = 0.0022985, whose quantile is 2.834.
    assert needed_standard_errors(2.0, looks=10) == pytest.approx(2.834, abs=1e-3)
    rng = np.random.default_rng(1)
    for looks in (5, 200):
        luck = rng.standard_normal((20_000, looks)).max(axis=1)
        share = float(np.mean(luck > needed_standard_errors(2.0, looks=looks)))
        assert share == pytest.approx(0.02275, abs=0.004)  # four standard errors of 20,000 draws
    faint = verdict_of(0.03)  # three standard errors
    assert faint.has_edge
    tried = verdict_of(0.03, looks=1_000)
    assert not tried.has_edge
    assert tried.verdict.startswith("no edge: the best of 1000 models tried on these bars needs 4.1 standard errors")


def test_a_baseline_that_forecasts_as_well_is_named() -> None:
    found = verdict_of(0.1, last=0.5)
    assert not found.has_edge
    assert found.verdict.startswith("no edge of its own: a baseline forecasts as well")


@pytest.mark.parametrize(("linear", "words"), [(0.0, "above"), (0.1, "not surely above"), (0.3, "no more than")])
def test_the_verdict_says_what_the_model_adds_to_logistic_regression(linear: float, words: str) -> None:
    found = verdict_of(0.115, linear=linear)
    assert found.has_edge
    regression = found.baselines[-1]
    assert regression.ic is not None
    assert f"), {words} logistic regression's {regression.ic.value:+.4f}" in found.verdict


def test_a_difference_is_surer_than_its_parts_where_luck_is_shared() -> None:
    rng = np.random.default_rng(0)
    forward = rng.standard_normal(5_000)
    model = 0.2 * forward + rng.standard_normal(5_000)
    found = judged(model, forward, forecast("twin", model + 0.05 * rng.standard_normal(5_000)))
    (above,) = found.ic_above
    assert above is not None
    assert above.interval is not None
    assert found.model.ic is not None
    assert found.model.ic.interval is not None
    wide = found.model.ic.interval.high - found.model.ic.interval.low
    assert above.interval.high - above.interval.low < wide / 5


def test_returns_that_overlap_are_less_sure() -> None:
    rng = np.random.default_rng(0)
    forward = np.convolve(rng.standard_normal(10_009), np.ones(10), mode="valid")
    model = np.convolve(rng.standard_normal(10_009), np.ones(10), mode="valid")
    found = judged(model, forward, horizon=10)
    assert found.model.ic is not None
    assert found.model.ic.interval is not None
    # Each product is shared by ten bars at weights 1 - k/10 on both sides: Σ (1 - |k|/10)² = 6.7 samples count as one.
    error = (found.model.ic.interval.high - found.model.ic.value) / 2.0
    assert error == pytest.approx(np.sqrt(6.7 / 10_000), rel=0.2)  # 5 % for 200 resamples, 7 % for 100 blocks


def test_too_few_bars_to_tell_are_no_edge() -> None:
    found = verdict_of(3.0, rows=60)
    assert not found.has_edge
    assert found.verdict.startswith("no edge: 60 bars are too few to tell the test IC of +0.9")
    assert found.model.auc is not None
    assert found.model.auc.interval is None
    # 500 bars are enough for returns over one bar, and fewer than ten returns over sixty that share nothing.
    assert verdict_of(3.0, rows=500).has_edge
    assert verdict_of(3.0, rows=500, horizon=60).verdict.startswith("no edge: 500 bars are too few to tell")


def test_an_edge_that_costs_eat_is_said_to_be_eaten() -> None:
    found = verdict_of(0.1, return_after_costs=-0.034)
    assert found.verdict.endswith("; none after costs: -3.40% on the test period")


def test_a_model_that_never_traded_is_said_to_have_not() -> None:
    assert verdict_of(0.0, return_after_costs=0.0).verdict.endswith("; nothing was traded on the test period")


def test_the_planted_edge_is_compared() -> None:
    found = verdict_of(0.1, synthetic={"theoretical_ic": 0.2})
    assert found.model.ic is not None
    assert f"{found.model.ic.value / 0.2:.0%} of the planted 0.2000" in found.verdict


def test_undefined_figures_are_none_and_never_zero() -> None:
    found = verdict_of(0.1)
    constant, last, _ = found.baselines
    assert constant.auc == Estimate(value=0.5, interval=Interval(low=0.5, high=0.5))
    assert (constant.ic, constant.rank_ic, found.ic_above[0]) == (None, None, None)
    assert last.ic is not None
    document = metrics_document(found)
    assert document["test_baseline_constant_ic"] is None
    assert document["test_rows"] == 10_000
    nothing = judged(np.zeros(50), np.ones(50))
    assert nothing.verdict == "no edge: the forecast is the same for every bar of the test period"
    assert (nothing.model.auc, nothing.model.ic) == (None, None)
    assert metrics_document(nothing)["test_ic_low"] is None
    still = judged(RNG.standard_normal(500), np.zeros(500))
    assert (still.model.brier, still.reliability) == (None, [])
    for evaluation in (found, nothing, still):
        json.dumps(evaluation_document(evaluation), allow_nan=False)


def test_the_document_holds_every_figure_with_its_interval() -> None:
    document = evaluation_document(verdict_of(0.1))
    assert list(document["forecasts"]) == ["model", "constant", "last_sign", LOGISTIC]
    for figure in document["forecasts"]["model"].values():
        assert figure["low"] < figure["value"] < figure["high"]
    assert document["intervals"] == {
        "method": "circular block bootstrap",
        "block_rows": 22,  # the cube root of 10,000
        "resamples": 200,
        "standard_errors": 2.0,
    }
    assert sum(each["count"] for each in document["reliability"]) == 10_000
    assert document["ic_above"]["constant"] is None
    assert document["ic_above"][LOGISTIC]["value"] == pytest.approx(
        document["forecasts"]["model"]["ic"]["value"] - document["forecasts"][LOGISTIC]["ic"]["value"]
    )


@pytest.mark.parametrize("strength", [0.1, -0.5])
def test_what_is_printed_fits_80_columns_and_cuts_nothing(
    strength: float, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = verdict_of(strength, return_after_costs=0.0123, buy_and_hold_return=-0.5)
    print_trained(
        Trained(folder=Path("artifacts/TFA/v1"), run=Path("runs/TFA/v1-20260102T030405.000Z"), evaluation=found)
    )
    *tables, verdict, _, _ = capsys.readouterr().out.splitlines()
    assert verdict == found.verdict
    assert max(len(line.rstrip()) for line in tables) <= 80
    text = "\n".join(tables)
    assert "…" not in text
    assert all(f"\n{name} " in text for name in ("model", "constant", "logistic regression", "forecast", "observed"))
    assert found.model.ic is not None
    assert f"{found.model.ic.value:+.4f} ±0.0" in text
    assert tables[-1] == "return after costs: model +1.23%, buy and hold -50.00%"


def test_probabilities_are_those_of_the_logistic_function() -> None:
    logit = np.array([-1000.0, -2.0, 0.0, 2.0, 1000.0])
    np.testing.assert_allclose(probability_of(logit), [0.0, 1 / (1 + np.exp(2.0)), 0.5, 1 / (1 + np.exp(-2.0)), 1.0])

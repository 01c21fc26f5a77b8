"""Thresholds are chosen after costs, and the verdict is plain."""

from typing import Any

import numpy as np
import pytest
from training_support import bars_of

from sentio_trainer.errors import ConfigError
from sentio_trainer.evaluation import Evaluation, evaluate, metrics_document
from sentio_trainer.schema import DecisionConfig
from sentio_trainer.thresholds import Venue, choose_thresholds, decision_document, probability_of

US_EQUITY = Venue(costs="us_equity", calendar="us_equity")
RNG = np.random.default_rng(0)
RETURNS = 0.001 * RNG.standard_normal(2000)
CLOSE = 400.0 * np.exp(np.cumsum(RETURNS))
BARS = bars_of(CLOSE, open_=np.concatenate([[400.0], CLOSE[:-1]]))


def knowing(share: float) -> np.ndarray:
    """Probabilities that know the next bar's direction to a degree."""
    ahead = np.append(RETURNS[1:], 0.0) / 0.001
    return probability_of(share * ahead + 0.2 * np.random.default_rng(1).standard_normal(len(ahead)))


def test_thresholds_that_earn_most_after_costs_are_chosen() -> None:
    probability = knowing(1.0)
    choice = choose_thresholds(BARS, probability, DecisionConfig(), US_EQUITY)
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
    choice = choose_thresholds(BARS, knowing(-1.0), config, US_EQUITY)  # always wrong
    assert choice.decision == decision_document(config)
    assert choice.told == (
        "no edge after costs on validation: no thresholds earn more than doing nothing; "
        "the configured 0.61 and 0.4 are kept"
    )
    assert choice.validation_return is not None
    assert choice.validation_return < 0


def test_costs_decide_what_pays() -> None:
    faint = knowing(0.02)
    free = choose_thresholds(BARS, faint, DecisionConfig(), Venue(costs="zero", calendar="us_equity"))
    paid = choose_thresholds(BARS, faint, DecisionConfig(), Venue(costs="crypto_spot", calendar="us_equity"))
    assert free.validation_return is not None
    assert free.validation_return > 0
    assert "no edge after costs" in paid.told


def test_thresholds_are_left_alone_when_asked() -> None:
    choice = choose_thresholds(BARS, knowing(1.0), DecisionConfig(tune=False), US_EQUITY)
    assert (choice.decision["long_above"], choice.validation_return) == (0.53, None)
    assert choice.told == "thresholds as configured"


def test_candidates_respect_the_exits() -> None:
    config = DecisionConfig(exit_long_below=0.52, exit_short_above=0.48)
    decision = choose_thresholds(BARS, knowing(1.0), config, US_EQUITY).decision
    assert decision["long_above"] >= 0.52
    assert decision["short_below"] <= 0.48


def test_a_cost_model_that_is_not_there_is_refused() -> None:
    US_EQUITY.check()
    with pytest.raises(ConfigError, match=r"^evaluation\.costs: .*free"):
        Venue(costs="free", calendar="us_equity").check()


def verdict_of(
    strength: float, *, last: float = 0.0, after_costs: float | None = 0.01, synthetic: dict[str, Any] | None = None
) -> Evaluation:
    rng = np.random.default_rng(5)
    forward = rng.standard_normal(10_000)
    logit = strength * forward + rng.standard_normal(10_000)
    return evaluate(
        logit if strength is not None else np.zeros(10_000),
        last * forward + rng.standard_normal(10_000),
        forward,
        horizon=1,
        standard_errors=2.0,
        return_after_costs=after_costs,
        buy_and_hold_return=0.02,
        synthetic=synthetic,
    )


def test_an_edge_is_called_one_and_measured_in_standard_errors() -> None:
    found = verdict_of(0.1)
    assert found.has_edge
    assert found.standard_error == pytest.approx(0.01, rel=0.05)
    assert found.model.ic == pytest.approx(0.1, abs=0.03)
    assert found.verdict.startswith("edge before costs: test IC +0.")
    assert found.verdict.endswith("standard errors above 0")


def test_noise_is_called_no_edge() -> None:
    found = verdict_of(0.0)
    assert not found.has_edge
    assert found.verdict.startswith("no edge: the test IC of ")
    assert "is not above 2 standard errors (0.0" in found.verdict


def test_a_forecast_that_is_surely_wrong_is_no_edge() -> None:
    assert verdict_of(-0.3).verdict.startswith("no edge: the test IC of -0.")


def test_a_baseline_that_forecasts_as_well_is_named() -> None:
    found = verdict_of(0.1, last=0.5)
    assert not found.has_edge
    assert found.verdict.startswith("no edge of its own: a baseline forecasts as well")


def test_an_edge_that_costs_eat_is_said_to_be_eaten() -> None:
    assert verdict_of(0.1, after_costs=-0.034).verdict.endswith("; none after costs: -3.40% on the test period")


def test_a_model_that_never_traded_is_said_to_have_not() -> None:
    assert verdict_of(0.0, after_costs=0.0).verdict.endswith("; nothing was traded on the test period")


def test_the_planted_edge_is_compared() -> None:
    found = verdict_of(0.1, synthetic={"theoretical_ic": 0.2})
    assert found.model.ic is not None
    assert f"{found.model.ic / 0.2:.0%} of the planted 0.2000" in found.verdict


def test_undefined_figures_are_none_and_never_zero() -> None:
    found = verdict_of(0.1)
    constant, last = found.baselines
    assert (constant.name, constant.auc, constant.ic, constant.rank_ic) == ("constant", 0.5, None, None)
    assert last.ic is not None
    document = metrics_document(found)
    assert document["test_baseline_constant_ic"] is None
    assert document["test_rows"] == 10_000
    nothing = evaluate(
        np.zeros(50),
        np.zeros(50),
        np.ones(50),
        horizon=1,
        standard_errors=2.0,
        return_after_costs=None,
        buy_and_hold_return=None,
        synthetic=None,
    )
    assert nothing.verdict == "no edge: the forecast is the same for every bar of the test period"
    assert (nothing.model.auc, nothing.standard_error) == (None, None)


def test_probabilities_are_those_of_the_logistic_function() -> None:
    logit = np.array([-1000.0, -2.0, 0.0, 2.0, 1000.0])
    np.testing.assert_allclose(probability_of(logit), [0.0, 1 / (1 + np.exp(2.0)), 0.5, 1 / (1 + np.exp(-2.0)), 1.0])

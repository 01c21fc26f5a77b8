"""The test period, looked at once: the model beside baselines that need no training, and a plain verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentio_trainer.bars import Float64
from sentio_trainer.metrics import auc, correlation, correlation_standard_error, rank_correlation


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How one forecast did; None where undefined."""

    name: str
    auc: float | None
    ic: float | None
    rank_ic: float | None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    model: Scores
    baselines: tuple[Scores, ...]
    rows: int
    standard_error: float | None  # of the model's IC, if there is no edge
    return_after_costs: float | None
    buy_and_hold_return: float | None
    has_edge: bool
    verdict: str


def score(name: str, forecast: Float64, forward_return: Float64) -> Scores:
    """AUC of the direction (bars that did not move are left out), IC and rank IC of the return; both shape [m]."""
    moved = forward_return != 0.0
    return Scores(
        name=name,
        auc=auc(forecast[moved], forward_return[moved] > 0.0),
        ic=correlation(forecast, forward_return),
        rank_ic=rank_correlation(forecast, forward_return),
    )


def evaluate(
    logit: Float64,
    last_return: Float64,
    forward_return: Float64,
    *,
    horizon: int,
    standard_errors: float,
    return_after_costs: float | None,
    buy_and_hold_return: float | None,
    synthetic: Mapping[str, Any] | None,
) -> Evaluation:
    """Scores and verdict.

    Args:
        logit: the model's, shape [m].
        last_return: return of the bar of the row, shape [m].
        forward_return: what came, shape [m].
        horizon: bars of the forward return; overlapping returns count as one sample in `horizon`.
        standard_errors: how many of them above zero make an edge.
        return_after_costs: of the model on the test bars.
        buy_and_hold_return: of holding on the test bars, after costs too.
        synthetic: the mark of a generated market, for comparison with its planted edge.
    """
    rows = len(forward_return)
    model = score("model", logit, forward_return)
    sign = (last_return > 0.0).astype(float) - (last_return < 0.0).astype(float)
    baselines = (
        score("constant", 0.0 * forward_return, forward_return),
        score("last return's sign", sign, forward_return),
    )
    standard_error = correlation_standard_error(logit, forward_return, overlap=horizon)
    rival = max((each.ic for each in baselines if each.ic is not None), default=0.0)
    has_edge = False
    if model.ic is None or standard_error is None:
        verdict = "no edge: the forecast is the same for every bar of the test period"
    elif model.ic <= standard_errors * standard_error:
        verdict = (
            f"no edge: the test IC of {model.ic:+.4f} is not above {standard_errors:g} standard errors "
            f"({standard_errors * standard_error:.4f})"
        )
    elif model.ic <= rival:
        verdict = f"no edge of its own: a baseline forecasts as well, test IC {model.ic:+.4f} against {rival:+.4f}"
    else:
        has_edge = True
        verdict = f"edge before costs: test IC {model.ic:+.4f}, {model.ic / standard_error:.1f} standard errors above 0"
    planted = synthetic.get("theoretical_ic") if synthetic else None
    if model.ic is not None and isinstance(planted, (int, float)) and planted > 0:
        verdict += f"; {model.ic / planted:.0%} of the planted {planted:.4f}"
    if return_after_costs == 0.0:
        verdict += "; nothing was traded on the test period"
    elif return_after_costs is not None and return_after_costs < 0.0:
        verdict += f"; none after costs: {return_after_costs:+.2%} on the test period"
    return Evaluation(
        model=model,
        baselines=baselines,
        rows=rows,
        standard_error=standard_error,
        return_after_costs=return_after_costs,
        buy_and_hold_return=buy_and_hold_return,
        has_edge=has_edge,
        verdict=verdict,
    )


def metrics_document(evaluation: Evaluation) -> dict[str, float | int | None]:
    """The figures for `metadata.training.metrics`."""
    document: dict[str, float | int | None] = {"test_rows": evaluation.rows}
    for prefix, scores in (
        ("test", evaluation.model),
        ("test_baseline_constant", evaluation.baselines[0]),
        ("test_baseline_last_sign", evaluation.baselines[1]),
    ):
        document |= {f"{prefix}_auc": scores.auc, f"{prefix}_ic": scores.ic, f"{prefix}_rank_ic": scores.rank_ic}
    return document | {
        "test_ic_standard_error": evaluation.standard_error,
        "test_return_after_costs": evaluation.return_after_costs,
        "test_return_buy_and_hold": evaluation.buy_and_hold_return,
    }

"""The test period, looked at once: the model beside baselines that need little or no training, and a plain verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

from sentio_trainer.bars import Float64
from sentio_trainer.bootstrap import RESAMPLES, block_length
from sentio_trainer.reliability import Bin, reliability_table
from sentio_trainer.scores import Comparison, Estimate, Forecast, Scores, compare

# The baseline that learns: a model that does no better has an edge, and no need of its network.
LOGISTIC = "logistic"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    model: Scores
    baselines: tuple[Scores, ...]
    ic_above: tuple[Estimate | None, ...]  # the model's IC above that of each baseline
    reliability: list[Bin]  # of the model's probabilities, on bars that moved
    rows: int
    horizon: int
    standard_errors: float  # that the intervals reach to each side
    looks: int  # models whose results on this test period somebody could choose from, this one included
    return_after_costs: float | None
    buy_and_hold_return: float | None
    has_edge: bool
    verdict: str


def evaluate(
    model: Forecast,
    baselines: Sequence[Forecast],
    forward_return: Float64,
    *,
    horizon: int,
    standard_errors: float,
    looks: int,
    return_after_costs: float | None,
    buy_and_hold_return: float | None,
    synthetic: Mapping[str, Any] | None,
) -> Evaluation:
    """Scores and verdict.

    Args:
        model: its forecast, with probabilities.
        baselines: forecasts of the same m bars.
        forward_return: what came, shape [m].
        horizon: bars of the forward return; intervals are drawn in blocks that are longer.
        standard_errors: how many of them above zero make an edge, of a single model.
        looks: models that were scored on these bars, this one included. The best of many looks good by luck: it needs
            `needed_standard_errors`.
        return_after_costs: of the model on the test bars.
        buy_and_hold_return: of holding on the test bars, after costs too.
        synthetic: the mark of a generated market, for comparison with its planted edge.
    """
    comparison = compare([model, *baselines], forward_return, horizon=horizon, standard_errors=standard_errors)
    scores = comparison.scores[0]
    has_edge, verdict = _judge(comparison, rows=len(forward_return), standard_errors=standard_errors, looks=looks)
    planted = synthetic.get("theoretical_ic") if synthetic else None
    if scores.ic is not None and isinstance(planted, (int, float)) and planted > 0:
        verdict += f"; {scores.ic.value / planted:.0%} of the planted {planted:.4f}"
    if return_after_costs == 0.0:
        verdict += "; nothing was traded on the test period"
    elif return_after_costs is not None and return_after_costs < 0.0:
        verdict += f"; none after costs: {return_after_costs:+.2%} on the test period"
    moved = forward_return != 0.0
    table = [] if model.probability is None else reliability_table(model.probability[moved], forward_return[moved] > 0)
    return Evaluation(
        model=scores,
        baselines=comparison.scores[1:],
        ic_above=comparison.ic_above,
        reliability=table,
        rows=len(forward_return),
        horizon=horizon,
        standard_errors=standard_errors,
        looks=looks,
        return_after_costs=return_after_costs,
        buy_and_hold_return=buy_and_hold_return,
        has_edge=has_edge,
        verdict=verdict,
    )


def needed_standard_errors(standard_errors: float, *, looks: int) -> float:
    """What the best of `looks` models needs, so that luck reaches it no oftener than a single one `standard_errors`.

    Šidák, Journal of the American Statistical Association 62, 1967: with a tail of p for one of N independent looks,
    1 - (1 - p)^(1/N) for each. Looks at one period are less than independent, so this asks for rather too much.
    """
    normal = NormalDist()
    # In logarithms: the tail of one look in a thousand is lost in 1 - p.
    tail = -math.expm1(math.log1p(-normal.cdf(-standard_errors)) / looks)
    return -normal.inv_cdf(tail)


def _judge(comparison: Comparison, *, rows: int, standard_errors: float, looks: int) -> tuple[bool, str]:
    """Whether the model has an edge before costs, and why."""
    model, *baselines = comparison.scores
    ic = model.ic
    if ic is None:
        return False, "no edge: the forecast is the same for every bar of the test period"
    if ic.interval is None:
        return False, f"no edge: {rows:,} bars are too few to tell the test IC of {ic.value:+.4f} from none"
    between = f"{ic.value:+.4f} (between {ic.interval.low:+.4f} and {ic.interval.high:+.4f})"
    if ic.interval.low <= 0.0:
        return False, f"no edge: the test IC of {between} is not surely above 0"
    needed = needed_standard_errors(standard_errors, looks=looks)
    distance = ic.value - ic.interval.low
    found = standard_errors * ic.value / distance if distance > 0.0 else math.inf
    if found <= needed:
        return False, (
            f"no edge: the best of {looks} models tried on these bars needs {needed:.1f} standard errors, and the test "
            f"IC of {between} has {found:.1f}"
        )
    rival = max((each.ic.value for each in baselines if each.ic and each.key != LOGISTIC), default=0.0)
    if ic.value <= rival:
        return False, f"no edge of its own: a baseline forecasts as well, test IC {ic.value:+.4f} against {rival:+.4f}"
    verdict = f"edge before costs: test IC {between}"
    for baseline, above in zip(baselines, comparison.ic_above, strict=True):
        if baseline.key == LOGISTIC and baseline.ic is not None and above is not None:
            verdict += f", {_beside(above)} {baseline.name}'s {baseline.ic.value:+.4f}"
    return True, verdict


def _beside(above: Estimate) -> str:
    if above.value <= 0.0:
        return "no more than"
    return "above" if above.interval is not None and above.interval.low > 0.0 else "not surely above"


def metrics_document(evaluation: Evaluation) -> dict[str, float | int | None]:
    """The figures for `metadata.training.metrics`, without intervals but for the model's IC."""
    document: dict[str, float | int | None] = {"test_rows": evaluation.rows}
    for scores in (evaluation.model, *evaluation.baselines):
        prefix = "test" if scores is evaluation.model else f"test_baseline_{scores.key}"
        for name, estimate in _figures(scores).items():
            document[f"{prefix}_{name}"] = None if estimate is None else estimate.value
    ic = evaluation.model.ic
    interval = None if ic is None else ic.interval
    return document | {
        "test_ic_low": None if interval is None else interval.low,
        "test_ic_high": None if interval is None else interval.high,
        "test_return_after_costs": evaluation.return_after_costs,
        "test_return_buy_and_hold": evaluation.buy_and_hold_return,
    }


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """All figures with their intervals, for `metadata.training.evaluation`."""
    return {
        "rows": evaluation.rows,
        "intervals": {
            "method": "circular block bootstrap",
            "block_rows": block_length(evaluation.rows, horizon=evaluation.horizon),
            "resamples": RESAMPLES,
            "standard_errors": evaluation.standard_errors,
        },
        "looks": evaluation.looks,
        "forecasts": {
            scores.key: {name: estimate_document(each) for name, each in _figures(scores).items()}
            for scores in (evaluation.model, *evaluation.baselines)
        },
        "ic_above": {
            baseline.key: estimate_document(above)
            for baseline, above in zip(evaluation.baselines, evaluation.ic_above, strict=True)
        },
        "reliability": [asdict(each) for each in evaluation.reliability],
    }


def _figures(scores: Scores) -> dict[str, Estimate | None]:
    return {"auc": scores.auc, "ic": scores.ic, "rank_ic": scores.rank_ic, "brier": scores.brier}


def estimate_document(estimate: Estimate | None) -> dict[str, float | None] | None:
    """Value and interval; null where undefined."""
    if estimate is None:
        return None
    interval = estimate.interval
    return {
        "value": estimate.value,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
    }

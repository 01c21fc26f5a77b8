"""Which of the models that were run is better beyond chance: per symbol, and over all symbols together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sentio_trainer.bars import Float64
from sentio_trainer.model_list import RuleModel
from sentio_trainer.model_runs import Row, Runs
from sentio_trainer.paired_comparison import FEWEST_SESSIONS, PairedComparison, compare_sessions

ALL_SYMBOLS = "all symbols"
# Adjusted p values below it are called beyond chance: what a 95 % interval of the farthest pair leaves out.
LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The comparison over one symbol, or over all of them with equal weights."""

    name: str
    comparison: PairedComparison | None  # None: fewer than two models can be compared
    verdict: str


@dataclass(frozen=True, kw_only=True)
class ModelComparison:
    runs: Runs
    baseline: str | None  # whom the verdict compares with: holding, else the first model
    left_out: Mapping[str, str]  # models that are not ranked, and why
    scopes: tuple[Scope, ...]  # all symbols first, if there are several

    @property
    def verdict(self) -> str:
        return self.scopes[0].verdict


def compare_runs(runs: Runs, *, allow_in_sample: bool, seed: int) -> ModelComparison:
    """Compares the models whose measured bars all prove something.

    Args:
        runs: every model over every symbol.
        allow_in_sample: compares also those that were trained on measured bars, or do not say.
        seed: of the resampled sessions, the same for all scopes.
    """
    left_out = {} if allow_in_sample else _left_out(runs)
    ranked = [trader.label for trader in runs.traders if trader.label not in left_out]
    baseline = _baseline(runs, ranked)
    symbols = [named.symbol for named in runs.symbols]
    series = {symbol: {model: runs.row(model, symbol).session_returns for model in ranked} for symbol in symbols}
    if len(symbols) > 1:
        series = {ALL_SYMBOLS: {model: mean_over_symbols(runs, model) for model in ranked}, **series}
    scopes = [_scope(runs, name, returns, baseline, left_out, seed=seed) for name, returns in series.items()]
    return ModelComparison(runs=runs, baseline=baseline, left_out=left_out, scopes=tuple(scopes))


def mean_over_symbols(runs: Runs, model: str) -> Float64:
    """Session returns of equal amounts on every symbol, made equal again each session, shape [n]."""
    returns: Float64 = np.mean([row.session_returns for row in runs.rows if row.model == model], axis=0)
    return returns


def _left_out(runs: Runs) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for row in runs.rows:
        if row.model not in reasons and not row.proves_something:
            reasons[row.model] = _reason(row)
    return reasons


def _reason(row: Row) -> str:
    bars = sum(row.samples.values())
    if row.seen_bars:
        return f"{row.seen_bars:,} of {bars:,} measured bars of {row.symbol} were used to train or tune it"
    return f"does not say what it was trained on; any of the measured bars of {row.symbol} may be among it"


def _baseline(runs: Runs, ranked: Sequence[str]) -> str | None:
    held = [
        trader.label
        for trader in runs.traders
        if isinstance(trader.model, RuleModel) and trader.model.rule == "buy_and_hold" and trader.label in ranked
    ]
    return next(iter([*held, *ranked]), None)


def _scope(
    runs: Runs,
    name: str,
    returns: Mapping[str, Float64],
    baseline: str | None,
    left_out: Mapping[str, str],
    *,
    seed: int,
) -> Scope:
    if baseline is None or len(returns) < 2 or len(runs.sessions) < 2:
        why = "one session shows no spread" if len(runs.sessions) < 2 else "fewer than two models can be ranked"
        return Scope(name=name, comparison=None, verdict=_marked(runs, left_out, f"nothing to compare: {why}"))
    comparison = compare_sessions(returns, seed=seed)
    return Scope(
        name=name,
        comparison=comparison,
        verdict=_marked(runs, left_out, _verdict(comparison, baseline, _named(runs, baseline))),
    )


def _named(runs: Runs, label: str) -> str:
    """The label, and the rule where it does not say it."""
    model = next(trader.model for trader in runs.traders if trader.label == label)
    return f"{label} ({model.rule})" if isinstance(model, RuleModel) and model.rule != label else label


def _verdict(comparison: PairedComparison, baseline: str, name: str) -> str:
    n = comparison.sessions
    if comparison.block is None:
        return f"{n} sessions are too few to tell models apart: intervals need at least {FEWEST_SESSIONS}"
    better: list[str] = []
    worse: list[str] = []
    likeliest = 1.0
    for pair in comparison.pairs:
        if baseline not in (pair.first, pair.second) or pair.sharpe is None or pair.sharpe.p_adjusted is None:
            continue
        other = pair.second if pair.first == baseline else pair.first
        above = pair.sharpe.value > 0.0 if other == pair.first else pair.sharpe.value < 0.0
        if above:
            likeliest = min(likeliest, pair.sharpe.p_adjusted)
        if pair.sharpe.p_adjusted < LEVEL:
            (better if above else worse).append(f"{other} (p {pair.sharpe.p_adjusted:.3f})")
    over = f"by the Sharpe ratio over {n} sessions"
    pairs = len(comparison.pairs)
    adjusted = f"p adjusted for {pairs} pair{'s' if pairs > 1 else ''}"
    if better:
        verdict = f"better than {name} beyond chance: {', '.join(better)}; {over}, {adjusted}"
    else:
        least = f", the smallest {likeliest:.3f}" if likeliest < 1.0 else ""
        verdict = f"no model is better than {name} beyond chance; {over}, {adjusted}{least}"
    return f"{verdict}; worse beyond chance: {', '.join(worse)}" if worse else verdict


def _marked(runs: Runs, left_out: Mapping[str, str], verdict: str) -> str:
    """With what takes the proof away in front."""
    marks = []
    if any(named.bars.synthetic is not None for named in runs.symbols):
        marks.append("SYNTHETIC bars, which say nothing about a real market")
    suspect = [row for row in runs.rows if not row.proves_something]
    for mark, rows in (
        ("IN-SAMPLE", [row for row in suspect if row.seen_bars]),
        ("UNKNOWN SAMPLE", [row for row in suspect if not row.seen_bars]),
    ):
        models = list(dict.fromkeys(row.model for row in rows))
        if models:
            marks.append(f"{mark} and {'not ranked' if left_out else 'ranked nevertheless'}: {', '.join(models)}")
    return ". ".join([*marks, verdict])

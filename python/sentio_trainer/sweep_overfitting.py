"""How much of a sweep's best trial is luck, by what each finished trial earned on the validation bars.

Shapes: T sessions that all trials have; N trials.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np

from sentio_trainer.bars import Float64
from sentio_trainer.overfitting import (
    BLOCKS,
    DeflatedSharpe,
    OverfittingProbability,
    deflated_sharpe,
    probability_of_overfitting,
    sharpe_ratio,
)
from sentio_trainer.session_returns import SessionReturns

# With fewer, there are too few ways to choose half of them to make a share of.
_FEWEST_BLOCKS = 8


@dataclass(frozen=True, kw_only=True)
class SweepOverfitting:
    """PBO over the trials, and the deflated Sharpe ratio of the one that the sweep picked."""

    trials: int  # N: finished ones that left session returns
    sessions: int  # T
    found: OverfittingProbability | None
    deflated: DeflatedSharpe | None
    undefined: str  # why `found` is None


def sweep_overfitting(returns: Mapping[int, SessionReturns], *, best: int) -> SweepOverfitting:
    """From the session returns of each trial, by its number; `best` is the trial that the sweep picked.

    N counts these trials alone: pruned and failed ones were never traded, and could not be picked. The variance of the
    deflated Sharpe ratio is that of their Sharpe ratios a session, 0 for one that never traded.
    """
    matrix = _matrix(returns)
    sessions, trials = matrix.shape
    blocks = min(BLOCKS, sessions // 2 // 2 * 2)
    found, undefined = None, _undefined(matrix, blocks)
    if not undefined:
        try:
            found = probability_of_overfitting(matrix, blocks=blocks)
        except ValueError as error:  # a trial that earns the same in each session of a half
            undefined = str(error).removeprefix("not defined: ")
    deflated = None
    if trials > 1 and best in returns:
        ratios = [sharpe_ratio(column) or 0.0 for column in matrix.T]
        picked = matrix[:, list(returns).index(best)]
        deflated = deflated_sharpe(picked, trials=trials, variance=float(np.var(ratios, ddof=1)))
    return SweepOverfitting(trials=trials, sessions=sessions, found=found, deflated=deflated, undefined=undefined)


def _undefined(matrix: Float64, blocks: int) -> str:
    """Why there is no PBO; empty if there is one."""
    sessions, trials = matrix.shape
    if trials < 2:
        return f"fewer than 2 finished trials left session returns, found {trials}"
    if (traded := int(np.count_nonzero(matrix.any(axis=0)))) < 2:
        return f"fewer than 2 trials traded on the validation bars, found {traded}"
    if blocks < _FEWEST_BLOCKS:
        return f"fewer than {2 * _FEWEST_BLOCKS} sessions of validation, found {sessions}"
    return ""


def _matrix(returns: Mapping[int, SessionReturns]) -> Float64:
    """[T, N] over the sessions that all have: trials with longer windows begin later."""
    if not returns:
        return np.empty((0, 0))
    common = reduce(np.intersect1d, [each.session for each in returns.values()])
    return np.column_stack([each.value[np.isin(each.session, common)] for each in returns.values()])

"""Decision thresholds: chosen on validation bars, after costs, by the backtest that trades them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sentio_inference
from sentio_features import Bars

from sentio_trainer.bars import Float64
from sentio_trainer.config import LoadedConfig
from sentio_trainer.errors import ConfigError
from sentio_trainer.schema import DecisionConfig

# Shares of the validation bars whose probability is closer to one half than a candidate's thresholds.
QUANTILES = (0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True, kw_only=True)
class Choice:
    decision: dict[str, Any]  # what C++ reads
    validation_return: float | None  # after costs; None if it was not measured
    told: str  # a sentence for the reader


def decision_document(config: DecisionConfig) -> dict[str, Any]:
    """The decision rule as it stands in an artifact."""
    return {"rule": "threshold", **config.model_dump(exclude={"tune"})}


@dataclass(frozen=True, kw_only=True)
class Forecasts:
    """One symbol's bars and what was said at each."""

    symbol: str
    bars: Bars  # m of them
    probability: Float64  # of a rise, shape [m]; NaN where nothing was said


@dataclass(frozen=True, kw_only=True)
class Traded:
    """Total returns after costs; None where undefined."""

    total_return: float | None
    buy_and_hold_return: float | None


@dataclass(frozen=True, kw_only=True)
class Venue:
    """How trading is simulated: the cost model, by name or as a path from here, and the session calendar."""

    costs: str
    calendar: str

    @staticmethod
    def of(loaded: LoadedConfig) -> "Venue":
        """That of the configuration."""
        costs = loaded.config.evaluation.costs
        return Venue(
            costs=str(loaded.path(costs)) if costs.endswith(".json") else costs, calendar=loaded.config.data.calendar
        )

    def trade(self, bars: Bars, probability: Float64, decision: dict[str, Any]) -> Traded:
        """Trades `probability`, one per bar, by a decision rule."""
        report = sentio_inference.simulate(bars, probability, decision, self.costs, session=self.calendar)
        return Traded(
            total_return=report["metrics"]["total_return"],
            buy_and_hold_return=report["buy_and_hold"]["total_return"],
        )

    def trade_each(self, forecasts: Sequence[Forecasts], decision: dict[str, Any]) -> Traded:
        """Trades each symbol by itself: the mean return, as from equal shares of the capital.

        Several stretches of one symbol are traded one after the other, each from a flat position.
        """
        traded: dict[str, list[Traded]] = {}
        for each in forecasts:
            traded.setdefault(each.symbol, []).append(self.trade(each.bars, each.probability, decision))
        symbols = traded.values()
        return Traded(
            total_return=_mean([compound([each.total_return for each in stretches]) for stretches in symbols]),
            buy_and_hold_return=_mean(
                [compound([each.buy_and_hold_return for each in stretches]) for stretches in symbols]
            ),
        )

    def check(self) -> None:
        """Refuses a cost model that cannot be used, before any work.

        Raises:
            ConfigError: there is no such cost model, or its file is wrong.
        """
        price = np.ones(2)
        two_bars = Bars(np.array([0, 60_000_000_000]), price, price, price, price, price)
        try:
            self.trade(two_bars, np.full(2, np.nan), {"rule": "threshold"})
        except ValueError as error:
            raise ConfigError(f"evaluation.costs: {error}") from error


def probability_of(logit: Float64) -> Float64:
    """The logistic function, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * logit))


def choose_thresholds(forecasts: Sequence[Forecasts], config: DecisionConfig, venue: Venue) -> Choice:
    """Tries thresholds at equal distances around one half; the best return after costs wins if it is above 0.

    Args:
        forecasts: of the validation bars, symbol by symbol.
        config: the thresholds to keep if none pays, and all other parameters of the rule.
        venue: what trading costs.
    """
    configured = decision_document(config)
    if not config.tune:
        return Choice(decision=configured, validation_return=None, told="thresholds as configured")
    best: dict[str, Any] | None = None
    best_return = 0.0
    said = np.concatenate([each.probability[np.isfinite(each.probability)] for each in forecasts])
    for distance in _candidates(np.abs(said - 0.5)):
        candidate = {**configured, "long_above": 0.5 + distance, "short_below": 0.5 - distance}
        exits = (config.exit_long_below, config.exit_short_above)
        if distance <= 0.0 or any(abs(leave - 0.5) > distance for leave in exits):
            continue
        total = venue.trade_each(forecasts, candidate).total_return
        if total is not None and total > best_return:
            best, best_return = candidate, total
    if best is None:
        kept = venue.trade_each(forecasts, configured).total_return
        return Choice(
            decision=configured,
            validation_return=kept,
            told="no edge after costs on validation: no thresholds earn more than doing nothing; the configured "
            f"{config.long_above:g} and {config.short_below:g} are kept",
        )
    return Choice(
        decision=best,
        validation_return=best_return,
        told=f"thresholds long at {best['long_above']:.4f}"
        + (f", short at {best['short_below']:.4f}" if config.allow_short else "")
        + f": {best_return:+.2%} after costs on validation",
    )


def compound(returns: Sequence[float | None]) -> float | None:
    """The return of one after the other; None where one of them is undefined."""
    known = [each for each in returns if each is not None]
    if len(known) < len(returns):
        return None
    return known[0] if len(known) == 1 else math.prod(1.0 + each for each in known) - 1.0


def _candidates(distances: Float64) -> list[float]:
    """Distances from one half to try, each halfway between two that were forecast.

    A threshold at a forecast itself would leave the last bits of that forecast, which depend on how many bars are
    computed together, to decide a trade.
    """
    found = np.unique(distances)
    if len(found) < 2:
        return []
    below = np.searchsorted(found, np.quantile(distances, QUANTILES, method="lower"))
    below = np.minimum(below, len(found) - 2)
    candidates: list[float] = np.unique((found[below] + found[below + 1]) / 2.0).tolist()
    return candidates


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None

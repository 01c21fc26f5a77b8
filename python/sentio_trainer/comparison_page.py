"""`evaluation_report.md`: a comparison of models, for people."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sentio_trainer.model_comparison import LEVEL

DASH = "–"
HEADINGS = ("model", "sample", "return", "Sharpe", "drawdown", "trades", "costs", "DSR")


def figures(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The cells of a row of the JSON document, as HEADINGS has them."""
    metrics, evidence = row["metrics"], row["evidence"]
    return (
        row["model"],
        row["sample"],
        shown(metrics["total_return"], "+.2%"),
        shown(metrics["sharpe"], "+.2f"),
        shown(metrics["max_drawdown"]["depth"], ".2%"),
        f"{metrics['trades']['count']:,}",
        shown(metrics["costs_paid"]["total"], ",.0f"),
        shown(evidence["deflated_sharpe"], ".3f"),
    )


def shown(value: float | None, digits: str) -> str:
    """A dash where the figure is undefined."""
    return DASH if value is None else format(value, digits)


def shown_difference(estimate: Mapping[str, Any] | None, digits: str, *, scale: float = 1.0) -> str:
    """`+1.2 (-0.4 to +2.8)`."""
    if estimate is None:
        return DASH
    value = format(estimate["value"] * scale, digits)
    interval = estimate["interval"]
    if interval is None:
        return value
    return f"{value} ({interval['low'] * scale:{digits}} to {interval['high'] * scale:{digits}})"


def shown_rank(standing: Mapping[str, Any]) -> str:
    """`2 (1 to 3)`."""
    if standing["rank"] is None:
        return DASH
    interval = standing["rank_interval"]
    return f"{standing['rank']}" + (f" ({interval[0]} to {interval[1]})" if interval else "")


def report_page(document: Mapping[str, Any], *, plot: str | None) -> str:
    """The page of an evaluation's JSON document; `plot` is the name of the picture beside it, if there is one."""
    return "\n".join(_lines(document, plot)) + "\n"


def _lines(document: Mapping[str, Any], plot: str | None) -> Iterator[str]:
    sessions, settings, statistics = document["sessions"], document["settings"], document["statistics"]
    yield "# Evaluation"
    yield ""
    yield f"**{document['verdict']}**"
    yield ""
    yield (
        f"{len(sessions)} sessions, {sessions[0]} to {sessions[-1]} ({settings['session']}), costs "
        f"{settings['costs']['name']}. All earlier bars warm the models up; orders fill at the next open."
    )
    left_out = [model for model in document["models"] if model["not_ranked"]]
    for model in left_out:
        yield ""
        yield f"> **NOT RANKED: {model['label']}**: {model['not_ranked']}."
    if plot is not None:
        yield ""
        yield f"![Equity, differences and ranks]({plot})"
    for symbol in document["symbols"]:
        yield ""
        yield f"## {symbol['symbol']}" + (" (SYNTHETIC)" if symbol["synthetic"] else "")
        yield ""
        rows = [row for row in document["rows"] if row["symbol"] == symbol["symbol"]]
        yield from _table(HEADINGS, ([_loud(cell) for cell in figures(row)] for row in rows))
    for scope in document["comparisons"]:
        yield ""
        yield f"## Compared: {scope['scope']}"
        yield ""
        yield scope["verdict"] + "."
        if scope["standings"]:
            yield from _comparison(scope)
    yield ""
    yield "## How to read this"
    yield ""
    yield from _explanation(document, statistics)
    yield ""
    yield "## Notes"
    yield ""
    yield from (f"- {note}" for note in document["notes"] or ["None."])
    yield ""
    yield "## Provenance"
    yield ""
    yield from _provenance(document)


def _loud(cell: str) -> str:
    return f"**{cell}**" if cell.startswith(("IN-SAMPLE", "UNKNOWN")) else cell


def _comparison(scope: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    headings = ("model", "rank", "best in", "Sharpe a session", "mean return a session, bp")
    yield from _table(
        headings,
        (
            (
                each["model"],
                shown_rank(each),
                shown(each["best_share"], ".1%"),
                shown_difference(each["sharpe"], "+.3f"),
                shown_difference(each["mean_return"], "+.1f", scale=1e4),
            )
            for each in sorted(scope["standings"], key=lambda each: each["rank"] or math.inf)
        ),
    )
    yield ""
    columns = (
        "first less second",
        "mean return, bp",
        "p",
        "p of all pairs",
        "Sharpe a session",
        "p",
        "p of all pairs",
    )
    yield from _table(
        columns,
        (
            (
                f"{pair['first']} − {pair['second']}",
                *_cells(pair["mean_return"], "+.1f", 1e4),
                *_cells(pair["sharpe"], "+.3f"),
            )
            for pair in scope["pairs"]
        ),
    )
    models = [each["model"] for each in scope["standings"]]
    if len(models) > 2:
        yield ""
        yield "Difference of the Sharpe ratio, row less column; * beyond chance among all pairs:"
        yield ""
        yield from _table(
            ("", *models), ([first, *(_entry(scope, first, other) for other in models)] for first in models)
        )


def _entry(scope: Mapping[str, Any], first: str, second: str) -> str:
    for pair in scope["pairs"]:
        if {pair["first"], pair["second"]} == {first, second} and first != second:
            if pair["sharpe"] is None:
                return DASH
            sign = 1.0 if pair["first"] == first else -1.0
            adjusted = pair["sharpe"]["p_adjusted"]
            return f"{sign * pair['sharpe']['value']:+.3f}" + ("*" if adjusted is not None and adjusted < LEVEL else "")
    return ""


def _cells(estimate: Mapping[str, Any] | None, digits: str, scale: float = 1.0) -> tuple[str, str, str]:
    if estimate is None:
        return DASH, DASH, DASH
    return (
        shown_difference(estimate, digits, scale=scale),
        shown(estimate["p"], ".3f"),
        shown(estimate["p_adjusted"], ".3f"),
    )


def _explanation(document: Mapping[str, Any], statistics: Mapping[str, Any]) -> Iterator[str]:
    blocks = [scope["block_sessions"] for scope in document["comparisons"] if scope["block_sessions"]]
    block = f", blocks of {blocks[0]} sessions" if blocks else ""
    yield (
        f"- Intervals are {statistics['confidence']:.0%} and come from {statistics['resamples']:,} resamples of the "
        f"sessions{block}, the same sessions for every model. Each is for itself: of many, some miss the truth."
    )
    yield "- Return, drawdown, costs (in the account's currency) and Sharpe (a year's) are of all measured bars."
    yield (
        "- *p* is how often chance alone gives a difference as large. *p of all pairs* allows for the number of pairs: "
        f"how often the farthest of them goes as far. The verdict uses it, below {statistics['level']:g}."
    )
    yield "- Ranks are by the Sharpe ratio of session returns; equal models share one. *Best in*: share of resamples."
    yield "- Over all symbols, a model has equal amounts on each, made equal again every session."
    yield "- DSR: deflated Sharpe ratio, with as many trials as the model's ledger counts; a dash where undefined."
    yield "- Whoever picks the best of this table, and looks again at these sessions, must look at new ones for proof."


def _provenance(document: Mapping[str, Any]) -> Iterator[str]:
    versions, settings = document["versions"], document["settings"]
    yield (
        f"- made {document['created_at']} by sentio {versions['sentio']}, engine {versions['engine']}, "
        f"seed {settings['seed']}"
    )
    costs = settings["costs"]
    yield (
        f"- costs {costs['name']}: {costs['commission_per_share']:g} a share, at least "
        f"{costs['commission_minimum']:g}, {costs['commission_bps']:g} bp commission, "
        f"{costs['half_spread_bps']:g} bp half-spread, {costs['slippage_bps']:g} bp slippage, "
        f"{costs['borrow_rate']:.2%} a year to borrow"
    )
    for symbol in document["symbols"]:
        yield (
            f"- {symbol['symbol']}: {symbol['file']}, {symbol['bars']:,} bars of {symbol['interval_s']:g} s, "
            f"{symbol['first']} to {symbol['last']}, {symbol['sha256']}"
        )
    for model in document["models"]:
        if model["kind"] == "rule":
            params = ", ".join(
                f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
                for key, value in model["params"].items()
            )
            yield f"- {model['label']}: rule {model['rule']}" + (f" ({params})" if params else "")
        else:
            trials = "not known" if model["trials"] is None else f"{model['trials']:,}"
            yield (
                f"- {model['label']}: {model['folder']}, {model['backend']} backend, trials {trials}, metadata "
                f"{model['metadata_hash']}"
            )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|---|" + "---:|" * (len(headings) - 1)
    yield from (f"| {' | '.join(row)} |" for row in rows)

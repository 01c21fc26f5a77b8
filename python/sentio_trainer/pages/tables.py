"""The tables of a report, as text, for the page and for Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentio_trainer.pages.derived import Calibration
from sentio_trainer.pages.figures import DASH, counted, decimal, duration, percent, shown_time, whole
from sentio_trainer.pages.folder import ReportFolder

SEEN = ("in-sample", "validation")  # samples that trained or tuned the model


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under a header; the first column names the row."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""
    marked: frozenset[int] = field(default_factory=frozenset)  # rows that a reader should not miss
    words: bool = False  # the cells are words, not numbers


def key_figures(run: ReportFolder) -> Table:
    """The strategy beside buy-and-hold; an undefined figure is a dash with its reason."""

    def pair(name: str, path: str, show: Any, why: str = "") -> tuple[str, ...]:
        cells = []
        for who in ("metrics", "buy_and_hold"):
            value = run.number(f"{who}.{path}")
            reason = why
            if value is None and path in _ANNUALISED and run.at(f"{who}.not_annualised"):
                reason = str(run.at(f"{who}.not_annualised"))
            elif value is None and path.startswith("trades.") and run.number(f"{who}.trades.count") == 0:
                reason = "no completed trade"
            cells.append(show(value) if value is not None else f"{DASH} ({reason})" if reason else DASH)
        return (name, *cells)

    flat = "returns do not vary"
    rows = [
        pair("Total return", "total_return", percent),
        pair("Annualised return", "annualised_return", percent, "equity was gone"),
        pair("Monthly return, projected", "monthly_return", percent, "equity was gone"),
        pair("Volatility, a year", "volatility", percent, "too few returns"),
        pair("Sharpe ratio, a year", "sharpe", decimal, flat),
        pair("Standard error of the Sharpe ratio", "sharpe_standard_error", decimal, flat),
        pair("Sortino ratio, a year", "sortino", decimal, "no losing bar"),
        pair("Calmar ratio", "calmar", decimal, "no drawdown"),
        pair("Maximum drawdown", "max_drawdown.depth", percent),
        pair("Completed trades", "trades.count", whole),
        pair("Win rate", "trades.win_rate", percent),
        pair("Profit factor", "trades.profit_factor", decimal, "no losing trade"),
        pair("Average win, currency", "trades.average_win", decimal, "no winning trade"),
        pair("Average loss, currency", "trades.average_loss", decimal, "no losing trade"),
        pair("Expectancy of a trade, currency", "trades.expectancy", decimal),
        pair("Mean exposure", "mean_exposure", percent),
        pair("Time in the market", "time_in_market", percent),
        pair("Turnover, times equity", "turnover", lambda value: decimal(value, 1)),
        pair("Longest flat stretch, bars", "longest_flat_bars", whole),
        pair("Costs paid, currency", "costs_paid.total", decimal),
        pair("End equity, currency", "end_equity", decimal),
        pair("Information coefficient", "signal.information_coefficient", lambda value: decimal(value, 4),
             "signal does not vary"),
        pair("Hit rate of the signal", "signal.hit_rate", percent, "no signal"),
    ]  # fmt: skip
    note = ""
    if run.number("metrics.sharpe_of_stretch") is not None:
        rows.insert(6, pair("Sharpe ratio of the stretch, not annualised", "sharpe_of_stretch", decimal, flat))
    low = run.at("metrics.max_drawdown")
    if isinstance(low, dict) and low.get("bottom"):
        note = (
            f"Maximum drawdown of the strategy: from {_or(low.get('peak'), 'the start')}, lowest "
            f"{shown_time(low['bottom'])}, recovered {_or(low.get('recovery'), 'not yet')} (UTC)."
        )
    year = run.at("periods_per_year")
    if isinstance(year, dict):
        note = f"{note} A year is {whole(year.get('value'))} bars: {year.get('rule')}.".strip()
    return Table(title="Key figures", header=("Figure", run.strategy, "buy and hold"), rows=rows, note=note)


_ANNUALISED = (
    "annualised_return", "monthly_return", "volatility", "sharpe", "sharpe_standard_error", "sortino", "calmar",
)  # fmt: skip


def evidence(run: ReportFolder) -> Table:
    """What the Sharpe ratio proves, given how many strategies it was picked from."""
    found: dict[str, Any] = run.at("evidence") or {}
    trials: dict[str, Any] = found.get("trials") or {}
    low, high = found.get("sharpe_low"), found.get("sharpe_high")
    sessions = found.get("sessions")
    few = run.at("metrics.not_annualised")
    flat = found.get("sharpe_per_session") is None
    why = f"{DASH} ({few or ('returns do not vary' if flat else 'a resample does not vary')})"
    low_ratio = f"{DASH} (Sharpe ratio not above 0)"

    def show(name: str, how: Any = decimal, why: str = why) -> str:
        value = found.get(name)
        return how(value) if isinstance(value, (int, float)) else why

    rows = [
        ("Strategies tried", f"{whole(trials.get('count'))}, {trials.get('from', 'not stated')}"),
        ("Sessions", whole(sessions)),
        ("Probabilistic Sharpe ratio: chance that the true one is above 0", show("probabilistic_sharpe", percent)),
        ("Deflated Sharpe ratio: the same above the best of so many by luck", show("deflated_sharpe", percent)),
        ("Minimum track record, sessions", show("minimum_track_record", whole, why if few or flat else low_ratio)),
        ("Sharpe ratio, 95 % interval", f"{decimal(low)} to {decimal(high)}" if low is not None else why),
        ("Skewness and kurtosis of session returns",
         f"{show('skewness')} and {show('kurtosis')}" if found.get("skewness") is not None else why),
    ]  # fmt: skip
    return Table(title="Evidence", header=("Figure", "Value"), rows=rows, words=True)


def periods(run: ReportFolder) -> Table | None:
    """One row a period; None for a run without periods."""
    listed = run.at("periods")
    if not isinstance(listed, list) or not listed:
        return None
    rows, marked = [], set()
    for i, row in enumerate(listed):
        metrics = row.get("metrics", {})
        trades, signal = metrics.get("trades") or {}, metrics.get("signal") or {}
        drawdown = metrics.get("max_drawdown") or {}
        if row.get("sample") in SEEN:
            marked.add(i)
        rows.append((
            period_label(row), _sample(row), percent(metrics.get("total_return")),
            percent(row.get("buy_and_hold_return")), decimal(metrics.get("sharpe_of_stretch")),
            decimal(metrics.get("sharpe")), percent(drawdown.get("depth")),
            whole(trades.get("count")), percent(trades.get("win_rate"), 0), percent(metrics.get("mean_exposure"), 0),
            percent(signal.get("hit_rate"), 1),
        ))  # fmt: skip
    header = ("Period", "Sample", "Return", "Buy and hold", "t", "Sharpe", "Max drawdown", "Trades", "Win rate",
              "Exposure", "Hit rate")  # fmt: skip
    reasons = [f"* partial: {row['label']} has {row['partial']}." for row in listed if row.get("partial")]
    reasons.append("t: mean / std × √bars of a period's bar returns; by chance alone its std is 1.")
    if any(row[5] == DASH for row in rows):
        reason = next((r["metrics"].get("not_annualised") for r in listed if r["metrics"].get("not_annualised")), None)
        reasons.append(f"Sharpe {DASH}: {reason or 'returns do not vary'}.")
    if any(row[8] == DASH for row in rows):
        reasons.append(f"Win rate {DASH}: no completed trade.")
    return Table(title="Periods", header=header, rows=rows, note=" ".join(reasons), marked=frozenset(marked))


def period_label(row: dict[str, Any]) -> str:
    """`2025-W14*` where the bars cover the period in part."""
    return f"{row.get('label')}{'*' if row.get('partial') else ''}"


def _sample(row: dict[str, Any]) -> str:
    """Which bars these are; with the share of them that the model has seen, where that is not all."""
    share = row.get("seen_share")
    if row.get("sample") not in SEEN or not isinstance(share, (int, float)) or share >= 1.0:
        return str(row.get("sample"))
    return f"{row['sample']} {min(max(100.0 * share, 1.0), 99.0):.0f} %"


def readiness(run: ReportFolder) -> Table | None:
    """The criteria with value and limit; None for a run without periods."""
    found = run.at("readiness")
    if not isinstance(found, dict):
        return None
    rows, marked = [], set()
    for i, each in enumerate(found.get("criteria", [])):
        name, value, limit = str(each.get("name")), each.get("value"), each.get("limit")
        show = percent if _is_share(name) else decimal
        passed = each.get("pass") is True
        if not passed:
            marked.add(i)
        sign = {">=": "at least", "<=": "at most"}.get(str(each.get("comparison")), "")
        rows.append(
            (
                name,
                show(value) if value is not None else f"{DASH} (undefined)",
                f"{sign} {show(limit)}".strip(),
                "pass" if passed else "FAIL",
            )
        )
    note = f"Score {whole(found.get('score'))} of 100; supported stage: {found.get('stage')}."
    for limit in found.get("limits", []):
        note += f" Not above that: {limit}."
    return Table(title="Readiness", header=("Criterion", "Value", "Limit", ""), rows=rows, note=note,
                 marked=frozenset(marked))  # fmt: skip


def _is_share(name: str) -> bool:
    return "sharpe" not in name.lower() and name != "spread of the periods' t"


def calibration_table(found: Calibration) -> Table | None:
    """The bins of the chart; None without."""
    if not found.bins:
        return None
    rows = [
        (percent(each.predicted, 1), percent(each.observed, 1), f"{percent(each.low, 1)} to {percent(each.high, 1)}",
         f"{each.count:,}")
        for each in found.bins
    ]  # fmt: skip
    header = ("Predicted probability", "Came true", "95 % interval", "Decisions")
    return Table(title="Signal calibration", header=header, rows=rows)


def costs(run: ReportFolder) -> Table:
    """The cost model, and what was paid of each kind."""
    model, paid = run.at("costs") or {}, run.at("metrics.costs_paid") or {}
    basis = " bps"
    terms = {
        "commission": f"{model.get('commission_per_share', 0):g} a unit + {model.get('commission_bps', 0):g} bps, "
                      f"at least {model.get('commission_minimum', 0):g}",
        "spread": f"{model.get('half_spread_bps', 0):g}{basis} half-spread",
        "slippage": f"{model.get('slippage_bps', 0):g}{basis}",
        "borrow": f"{percent(model.get('borrow_rate', 0.0))} a year on shorts",
    }  # fmt: skip
    total = paid.get("total")
    rows = []
    for kind, term in terms.items():
        value = paid.get(kind)
        share = percent(value / total, 1) if value is not None and total else DASH
        rows.append((kind, term, decimal(value), share))
    rows.append(("total", str(model.get("name", "")), decimal(total), percent(1.0, 1) if total else DASH))
    return Table(title="Costs", header=("Kind", "Model", "Paid, currency", "Share"), rows=rows)


def parameters(run: ReportFolder) -> Table:
    """How the run was set up."""
    rows = [(_words(name), text) for name, text in _flat(run.document["strategy"]) if not name.endswith("_hash")]
    rows += [(_words(name), text) for name, text in _flat(run.document["broker"])]
    rows += [("cost model", str(run.at("costs.name"))), ("calendar of sessions", str(run.at("bars.session")))]
    return Table(title="Parameters", header=("Parameter", "Value"), rows=rows, words=True)


def provenance(run: ReportFolder) -> Table:
    """Where the figures come from, and how much of the measured bars the model had seen."""
    bars, measured = run.document["bars"], run.document["measured"]
    interval = run.number("bars.interval_s")
    rows = [
        ("bars", f"{bars.get('file') or 'given in memory'}: {whole(bars.get('count'))} bars of "
                 f"{duration(interval) if interval else DASH}, {shown_time(bars.get('first'))} to "
                 f"{shown_time(bars.get('last'))} UTC"),
        ("hash of the bars file", str(bars.get("sha256") or f"{DASH} (not stated)")),
        ("measured", f"{whole(measured.get('bars'))} bars in {counted(int(measured.get('sessions') or 0), 'session')}, "
                     f"{shown_time(measured.get('first'))} to {shown_time(measured.get('last'))} UTC; "
                     f"{whole(measured.get('bars_before'))} before warm the strategy up"),
        ("seen by the model", _seen(run)),
        ("synthetic bars", "yes, generated" if bars.get("synthetic") else "no"),
    ]  # fmt: skip
    for name in ("spec_hash", "model_hash"):
        if isinstance(value := run.at(f"strategy.{name}"), str):
            rows.append(({"spec_hash": "hash of the features", "model_hash": "hash of the model"}[name], value))
    for skipped in bars.get("skipped") or []:
        rows.append(("skipped bars", f"{skipped.get('count')} ({skipped.get('kind')}), first {skipped.get('first')}"))
    rows += [
        ("fills", f"{len(run.fills):,}"),
        ("hash of the fills", str(run.document["fills_hash"])),
        ("strategies tried", f"{whole(run.number('evidence.trials.count'))}, "
                             f"{run.at('evidence.trials.from') or 'not stated'}"),
        ("made by", f"sentio {run.at('sentio_version')}, {run.at('verb')}, report schema {run.at('schema_version')}"),
    ]  # fmt: skip
    return Table(title="Provenance", header=("What", "Value"), rows=rows, words=True)


def _seen(run: ReportFolder) -> str:
    samples = run.at("measured.samples")
    if not isinstance(samples, dict) or not sum(samples.values()):
        return f"{DASH} (not stated)"
    if samples.get("untrained") == sum(samples.values()):
        return "not trained: a rule"
    bars = sum(samples.values())
    parts = [f"{name} {count:,} bars ({percent(count / bars, 1)})" for name, count in samples.items() if count]
    return ", ".join(parts)


def _flat(section: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is None:
            yield f"{prefix}{key}", f"{DASH} (none)"
        elif isinstance(value, bool):
            yield f"{prefix}{key}", "yes" if value else "no"
        elif isinstance(value, float):
            yield f"{prefix}{key}", f"{value:,.10g}"
        else:
            yield f"{prefix}{key}", str(value)


def _words(key: str) -> str:
    return key.replace("_", " ").replace(".", ": ")


def _or(text: object, otherwise: str) -> str:
    return shown_time(text) if isinstance(text, str) else otherwise

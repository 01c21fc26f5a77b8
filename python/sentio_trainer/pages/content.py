"""What a report says, in its order, before it is drawn as a page or a text."""

from dataclasses import dataclass, field

from sentio_trainer.errors import DataError
from sentio_trainer.pages import tables
from sentio_trainer.pages.charts import Chart, charts_of
from sentio_trainer.pages.derived import calibration, round_trips
from sentio_trainer.pages.figures import counted, instant
from sentio_trainer.pages.folder import FILLS, REPORT, ReportFolder
from sentio_trainer.pages.tables import Table
from sentio_trainer.paths import shown_path

WARNINGS = ("IN-SAMPLE", "SYNTHETIC", "RUINED")


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading with a chart, tables, or both."""

    key: str
    title: str
    chart: Chart | None = None
    tables: list[Table] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Content:
    """A report on one run."""

    title: str
    about: str
    verdict: list[str]
    warned: bool  # the verdict has a warning
    sections: list[Section]


def content_of(run: ReportFolder, *, title: str | None) -> Content:
    """Everything that the page and the text show.

    Raises:
        DataError: the fills complete another number of trades than report.json says.
    """
    trades = round_trips(run.fills)
    if (count := run.number("metrics.trades.count")) is not None and count != len(trades):
        raise DataError(f"{shown_path(run.folder / FILLS)}: completes {counted(len(trades), 'trade')}, "
                        f"{REPORT} says {count:,.0f}")  # fmt: skip
    calibrated = calibration(run)
    charts = {chart.key: chart for chart in charts_of(run, trades, calibrated)}
    beside: dict[str, list[Table | None]] = {
        "periods": [tables.periods(run)],
        "calibration": [tables.calibration_table(calibrated)],
        "costs": [tables.costs(run)],
    }
    verdict = [str(line) for line in run.document["verdict"]]
    if run.at("bars.synthetic") and not any("SYNTHETIC" in line for line in verdict):
        verdict.insert(0, "SYNTHETIC DATA: the bars were generated; the figures say nothing about a market.")
    verdict = verdict or ["No verdict: a backtest of one stretch; tpa_test judges."]
    sections = [
        Section(key="figures", title="Key figures", tables=[tables.key_figures(run)]),
        Section(key="evidence", title="Evidence", tables=[tables.evidence(run)]),
    ]
    ready = tables.readiness(run)
    if ready is not None:
        sections.append(Section(key="readiness", title="Readiness", tables=[ready]))
    for key, chart in charts.items():
        found = [table for table in beside.get(key, []) if table is not None]
        sections.append(Section(key=key, title=chart.title, chart=chart, tables=found))
    sections.append(Section(key="parameters", title="Parameters", tables=[tables.parameters(run)]))
    sections.append(Section(key="provenance", title="Provenance", tables=[tables.provenance(run)]))
    return Content(
        title=title or f"{run.strategy} on {run.symbol}",
        about=f"{instant(int(run.ts[0]))} to {instant(int(run.ts[-1]))} UTC, {counted(len(run.ts), 'bar')} in "
        f"{counted(int(run.number('measured.sessions') or 0), 'session')}. All times are UTC; money is in the "
        "currency of the prices.",
        verdict=[*verdict, *(f"Note: {note}" for note in run.document["notes"])],
        warned=any(line.startswith(WARNINGS) for line in verdict),
        sections=sections,
    )

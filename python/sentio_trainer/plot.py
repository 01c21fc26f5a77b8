"""`training.png`: loss, AUC, IC and learning rate of one run against its epochs. Needs matplotlib, extra `report`."""

import importlib.util
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sentio_trainer.files import write_atomic
from sentio_trainer.monitor import best_epoch
from sentio_trainer.report import Report
from sentio_trainer.run_folder import METRICS, TRAIN_LOG, RunFolder, read_run
from sentio_trainer.run_log import read_metrics, read_train_log
from sentio_trainer.watch import Epoch, Steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLOT = "training.png"
EXTRA = "pip install 'sentio[report]'"

_EVERY_S = 30.0  # between two pictures of a run that goes on
_SIZE_INCHES = (10.0, 7.0)
_DPI = 120
# Okabe and Ito's colours, which differ for the colour-blind too.
_TRAIN, _VALIDATION, _OTHER, _BEST = "#0072B2", "#D55E00", "#009E73", "#666666"


class TrainingPlot:
    """Draws the run when it ends, and while it goes on."""

    def __init__(self, run: RunFolder, monitor: str, report: Report) -> None:
        self._run = run
        self._monitor = monitor
        self._drawn_at = time.monotonic()
        self._works = importlib.util.find_spec("matplotlib") is not None
        if not self._works:
            report.say(f"no {PLOT}: needs matplotlib: {EXTRA}")

    def on_begin(self, step: int, epochs: Sequence[Epoch]) -> None:
        del step, epochs

    def on_steps(self, steps: Steps) -> None:
        del steps

    def on_epoch(self, epoch: Epoch) -> None:
        del epoch
        if time.monotonic() - self._drawn_at >= _EVERY_S:
            self._draw()

    def close(self, status: str) -> None:
        del status
        self._draw()

    def _draw(self) -> None:
        if self._works:
            write_training_plot(self._run.folder, monitor=self._monitor)
            self._drawn_at = time.monotonic()


def write_training_plot(folder: Path, *, monitor: str) -> None:
    """Draws a run from its records, into its folder; nothing before its first epoch."""
    epochs = read_train_log(folder / TRAIN_LOG)
    if not epochs:
        return
    steps = [line for line in read_metrics(folder / METRICS) if line["kind"] == "steps"]
    figure = training_figure(epochs, steps, monitor=monitor, title=_title(read_run(folder)))
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=_DPI, metadata={"Software": None})
    write_atomic(folder / PLOT, image.getvalue())


def _title(document: Mapping[str, Any]) -> str:
    symbols = ", ".join(each["symbol"] for each in document["data"])
    made_up = any(each["synthetic"] for each in document["data"])
    parts = [f"{document['model_id']}/{document['version']}", symbols, document["started_at"]]
    return "  ·  ".join(filter(None, [*parts, "SYNTHETIC bars" if made_up else ""]))


def training_figure(
    epochs: Sequence[Epoch], steps: Sequence[Mapping[str, Any]], *, monitor: str, title: str
) -> "Figure":
    """Four panels over epochs; the best epoch is a vertical line in each.

    Args:
        epochs: at least one.
        steps: figures of steps, as metrics.jsonl has them; may be empty.
        monitor: the metric that picks the best epoch.
        title: of the whole.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(2, 2, sharex=True)
    loss, auc, ic, rate = (panels[row, column] for row in range(2) for column in range(2))
    at = [epoch.epoch for epoch in epochs]
    step_at = _epochs_of_steps([line["step"] for line in steps], epochs)

    _draw(loss, step_at, [line["loss"] for line in steps], "steps", color=_TRAIN, alpha=0.3, linewidth=1)
    _draw(loss, at, [epoch.train_loss for epoch in epochs], "train", color=_TRAIN, marker="o")
    _draw(loss, at, [epoch.loss for epoch in epochs], "validation", color=_VALIDATION, marker="o")
    loss.set_ylabel("loss")
    _draw(auc, at, [epoch.auc for epoch in epochs], "validation", color=_VALIDATION, marker="o")
    auc.axhline(0.5, color=_BEST, linewidth=0.8)
    auc.set_ylabel("AUC")
    _draw(ic, at, [epoch.ic for epoch in epochs], "IC", color=_VALIDATION, marker="o")
    _draw(ic, at, [epoch.rank_ic for epoch in epochs], "rank IC", color=_OTHER, marker="s")
    ic.axhline(0.0, color=_BEST, linewidth=0.8)
    ic.set_ylabel("information coefficient, validation")
    if steps:
        _draw(rate, step_at, [line["lr"] for line in steps], "learning rate", color=_TRAIN)
    else:
        _draw(rate, at, [epoch.lr for epoch in epochs], "learning rate", color=_TRAIN, marker="o")
    rate.set_ylabel("learning rate")

    best = best_epoch(epochs, monitor).epoch
    for panel in (loss, auc, ic, rate):
        panel.axvline(best, color=_BEST, linestyle="--", linewidth=1, label=f"best epoch, {best} (by {monitor})")
        panel.grid(alpha=0.3)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.legend(fontsize="small")
    for panel in (ic, rate):
        panel.set_xlabel("epoch")
    return figure


def _draw(axes: "Axes", at: Sequence[float], values: Sequence[float | None], label: str, **style: Any) -> None:
    """One line; an undefined value is a gap."""
    if at:
        axes.plot(at, [float("nan") if value is None else value for value in values], label=label, **style)


def _epochs_of_steps(steps: Sequence[int], epochs: Sequence[Epoch]) -> list[float]:
    """Steps on the axis of epochs: epoch k ends at k. The epoch that goes on is drawn as long as the last one was."""
    ends = [0, *(epoch.step for epoch in epochs)]
    numbers = [epochs[0].epoch - 1, *(epoch.epoch for epoch in epochs)]
    length = max(ends[-1] - ends[-2], 1)
    return [float(at) for at in np.interp(steps, [*ends, ends[-1] + length], [*numbers, numbers[-1] + 1])]

"""The picture of a training: what it shows, by its axes and lines."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_support import STEPS_AN_EPOCH, epoch, load, steps

from sentio_trainer.plot import training_figure, write_training_plot
from sentio_trainer.run_folder import open_run
from sentio_trainer.run_log import RunLog

if TYPE_CHECKING:
    from matplotlib.axes import Axes

pytest.importorskip("matplotlib", reason="needs sentio[report]")

EPOCHS = [epoch(1, rank_ic=0.01), epoch(2, auc=None, rank_ic=0.03), epoch(3, loss=0.8, rank_ic=-0.01)]
STEPS: list[dict[str, Any]] = [{"step": step, "loss": 1.0 / step, "lr": 1e-5 * step} for step in (10, 20, 50, 70)]


def lines(axes: "Axes") -> dict[str, tuple[list[float], list[float]]]:
    return {str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.get_lines()}


def panels(monitor: str = "loss", steps: list[dict[str, Any]] = STEPS) -> dict[str, "Axes"]:
    figure = training_figure(EPOCHS, steps, monitor=monitor, title="TFA/v1")
    assert figure.get_suptitle() == "TFA/v1"
    return {axes.get_ylabel(): axes for axes in figure.axes}


def test_each_panel_shows_its_metrics_over_the_epochs() -> None:
    shown = panels()
    assert list(shown) == ["loss", "AUC", "information coefficient, validation", "learning rate"]
    loss = lines(shown["loss"])
    assert loss["train"] == ([1, 2, 3], [each.train_loss for each in EPOCHS])
    assert loss["validation"] == ([1, 2, 3], [each.loss for each in EPOCHS])
    ic = lines(shown["information coefficient, validation"])
    assert ic["IC"] == ([1, 2, 3], [each.ic for each in EPOCHS])
    assert ic["rank IC"] == ([1, 2, 3], [0.01, 0.03, -0.01])
    assert [axes.get_xlabel() for axes in shown.values()] == ["", "", "epoch", "epoch"]


def test_an_undefined_metric_is_a_gap() -> None:
    at, auc = lines(panels()["AUC"])["validation"]
    assert at == [1, 2, 3]
    assert [auc[0], auc[2]] == [0.51, 0.53]
    assert auc[1] != auc[1]


def test_steps_lie_within_their_epoch_and_the_one_that_goes_on_is_as_long_as_the_last() -> None:
    at, rate = lines(panels()["learning rate"])["learning rate"]
    assert at == [10 / STEPS_AN_EPOCH, 1.0, 2.5, 3.5]
    assert rate == [1e-5 * step for step in (10, 20, 50, 70)]


def test_without_steps_the_learning_rate_is_that_of_the_epochs() -> None:
    assert lines(panels(steps=[])["learning rate"])["learning rate"] == ([1, 2, 3], [each.lr for each in EPOCHS])


@pytest.mark.parametrize(("monitor", "best"), [("loss", 2), ("auc", 3), ("ic", 3), ("rank_ic", 2)])
def test_the_best_epoch_is_marked_in_each_panel(monitor: str, best: int) -> None:
    for axes in panels(monitor).values():
        label = f"best epoch, {best} (by {monitor})"
        assert lines(axes)[label][0] == [best, best]
        legend = axes.get_legend()
        assert legend is not None
        assert label in [text.get_text() for text in legend.get_texts()]


def test_the_picture_of_a_run_is_drawn_from_its_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []

    def remember(*arguments: Any, title: str, **keys: Any) -> Any:
        titles.append(title)
        return training_figure(*arguments, title=title, **keys)

    monkeypatch.setattr("sentio_trainer.plot.training_figure", remember)
    with open_run(load(tmp_path), device=torch.device("cpu")) as run:
        log = RunLog(run.folder)
        log.on_begin(0, [])
        write_training_plot(run.folder, monitor="loss")
        assert not (run.folder / "training.png").exists()  # there is nothing to see yet
        run.note(data=[{"symbol": "QQQ", "synthetic": True}, {"symbol": "SPY", "synthetic": False}])
        log.on_steps(steps(10))
        log.on_epoch(epoch(1))
        log.close("finished")
        write_training_plot(run.folder, monitor="loss")
    assert titles == [f"TFA/v1  ·  QQQ, SPY  ·  {run.document['started_at']}  ·  SYNTHETIC bars"]
    picture = (run.folder / "training.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")) == (1200, 840)
    assert not [path for path in run.folder.iterdir() if path.name.endswith(".partial")]


def test_drawing_leaves_the_global_state_of_matplotlib_alone() -> None:
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    panels()
    assert pyplot.get_fignums() == before

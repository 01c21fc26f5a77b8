"""Weights & Biases. Offline keeps all in the folder `wandb` of the run, for `wandb sync`; online sends it as well."""

from collections.abc import Mapping, Sequence

import wandb

from sentio_trainer.config import LoadedConfig
from sentio_trainer.errors import SentioError
from sentio_trainer.paths import shown_path
from sentio_trainer.report import Report
from sentio_trainer.run_folder import RunFolder
from sentio_trainer.trackers.figures import circumstances, epoch_figures, final_figures, flat_config, step_figures
from sentio_trainer.watch import Epoch, Steps

# A network that is gone must not keep a trained model waiting: what was not sent stays on the disk.
_LAST_UPLOADS_S = 120.0


class WeightsAndBiases:
    def __init__(self, loaded: LoadedConfig, run: RunFolder, report: Report) -> None:
        tracking = loaded.config.tracking
        self._run = run
        self._report = report
        # What it would gather of its own: the machine's name, its user, paths, the working copy's changes.
        settings = wandb.Settings(
            console="off",
            silent=True,
            host="",
            program="sentio",
            disable_git=True,
            disable_code=True,
            symlink=False,
            x_disable_meta=True,
            x_disable_machine_info=True,
            finish_timeout=_LAST_UPLOADS_S,
            finish_timeout_raises=True,
        )
        try:
            self._wandb = wandb.init(
                mode="offline" if tracking.wandb == "offline" else "online",
                project=tracking.project,
                id=run.document["id"],  # a resumed run goes on in the same one
                resume="allow" if tracking.wandb == "online" else None,
                name=run.name,
                dir=run.folder,
                config={**flat_config(loaded.config), **circumstances(run.document)},
                settings=settings,
            )
        except wandb.errors.Error as error:
            raise SentioError(
                f"tracking.wandb: {' '.join(str(error).split())}; offline needs no account and no network, "
                "and 'wandb sync' sends the run later"
            ) from error
        self._wandb.define_metric("*", step_metric="step")

    def on_begin(self, step: int, epochs: Sequence[Epoch]) -> None:
        del step, epochs

    def on_steps(self, steps: Steps) -> None:
        self._log(steps.step, step_figures(steps))

    def on_epoch(self, epoch: Epoch) -> None:
        self._log(epoch.step, epoch_figures(epoch))

    def close(self, status: str) -> None:
        document = self._run.document
        self._wandb.summary.update({**final_figures(document), "status": status, "verdict": document["verdict"]})
        try:
            self._wandb.finish(exit_code=0 if status == "finished" else 1)
        except TimeoutError:
            self._report.warn(
                f"Weights & Biases did not take everything within {_LAST_UPLOADS_S:g} s; "
                f"wandb sync {shown_path(self._run.folder / 'wandb')}/run-* sends the rest"
            )

    def _log(self, step: int, figures: Mapping[str, float]) -> None:
        self._wandb.log({"step": step, **figures})

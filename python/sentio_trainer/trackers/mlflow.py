"""MLflow: a server, or a SQLite file in a local folder; no server is needed for the latter."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from sentio_trainer.config import LoadedConfig
from sentio_trainer.run_folder import RunFolder
from sentio_trainer.trackers.figures import circumstances, epoch_figures, final_figures, flat_config, step_figures
from sentio_trainer.watch import Epoch, Steps

_STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
_PARAMS_AT_ONCE = 100  # MLflow's limit
_PARAM_LENGTH = 6000  # MLflow's limit


class Mlflow:
    def __init__(self, loaded: LoadedConfig, run: RunFolder) -> None:
        tracking = loaded.config.tracking
        assert tracking.mlflow is not None
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of each table that it makes
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self._run = run
        self._step = 0
        uri, files = _place(tracking.mlflow, loaded)
        self._client = MlflowClient(tracking_uri=uri)
        experiment = self._client.get_experiment_by_name(tracking.project)
        place = experiment.experiment_id if experiment else self._client.create_experiment(tracking.project, files)
        self._id = self._earlier(place) or self._new(place, loaded)

    def on_begin(self, step: int, epochs: Sequence[Epoch]) -> None:
        del epochs
        self._step = step

    def on_steps(self, steps: Steps) -> None:
        self._log(steps.step, step_figures(steps))

    def on_epoch(self, epoch: Epoch) -> None:
        self._log(epoch.step, epoch_figures(epoch))

    def close(self, status: str) -> None:
        document = self._run.document
        self._log(self._step, final_figures(document))
        if document["verdict"] is not None:
            self._client.set_tag(self._id, "verdict", document["verdict"])
        self._client.set_terminated(self._id, _STATUS[status])

    def _earlier(self, experiment: str) -> str | None:
        """The run that this one goes on with."""
        found = self._client.search_runs([experiment], f"tags.run = '{self._run.document['id']}'", max_results=1)
        if not found:
            return None
        self._client.update_run(found[0].info.run_id, status="RUNNING")
        return str(found[0].info.run_id)

    def _new(self, experiment: str, loaded: LoadedConfig) -> str:
        tags = circumstances(self._run.document)
        run_id = str(self._client.create_run(experiment, tags=tags, run_name=self._run.name).info.run_id)
        config = flat_config(loaded.config)
        params = [Param(key, str(value)[:_PARAM_LENGTH]) for key, value in config.items()]
        for begin in range(0, len(params), _PARAMS_AT_ONCE):
            self._client.log_batch(run_id, params=params[begin : begin + _PARAMS_AT_ONCE])
        return run_id

    def _log(self, step: int, figures: Mapping[str, float]) -> None:
        self._step = step
        now = round(time.time() * 1000)
        self._client.log_batch(self._id, metrics=[Metric(name, value, now, step) for name, value in figures.items()])


def _place(written: str, loaded: LoadedConfig) -> tuple[str, str | None]:
    """MLflow's URI, and where the files of a new experiment go: None where the server knows."""
    scheme, slashes, rest = written.partition(":///")
    if scheme == "sqlite" and slashes:
        return f"sqlite:///{loaded.root / rest}", str(loaded.root / Path(rest).with_suffix(".files"))
    if ":" in written or written == "databricks":
        return written, None
    folder = loaded.path(written)
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}", str(folder / "files")

"""Every training goes into the ledger, however it ends."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sentio_trainer import ledger
from sentio_trainer.config import DEFAULT_ORIGIN, LoadedConfig
from sentio_trainer.errors import StoppedError
from sentio_trainer.monitor import best_epoch
from sentio_trainer.run_log import read_train_log
from sentio_trainer.watch import Epoch


@dataclass(kw_only=True)
class Tried:
    """A model that is being tried."""

    best: Epoch | None = None  # None as long as no epoch was validated


@contextmanager
def recorded(
    loaded: LoadedConfig,
    path: Path,
    *,
    data_hash: str,
    study: str | None = None,
    trial: int | None = None,
    log: Path | None = None,
    changed: Mapping[str, object] | None = None,
) -> Iterator[Tried]:
    """Adds a row to the ledger at the end; whoever trains says within what came of it.

    `changed` is what sets the training apart beside the keys of the configuration.

    A training that did not come so far is recorded with the best epoch of `log`, its training log.
    """
    tried = Tried()
    status = "failed"
    try:
        yield tried
        status = "finished"
    except (KeyboardInterrupt, StoppedError):
        status = "interrupted"
        raise
    finally:
        if tried.best is None and log is not None and (epochs := read_train_log(log)):
            tried.best = best_epoch(epochs, loaded.config.training.monitor)
        row = ledger.trial_of(
            loaded.config,
            tried.best,
            version=loaded.path(loaded.config.export.out_dir).name,
            study=study,
            trial=trial,
            status=status,
            changed={**_changed(loaded), **(changed or {})},
            data_hash=data_hash,
        )
        ledger.append(path, row)


def _changed(loaded: LoadedConfig) -> dict[str, object]:
    """Keys that were given beside the file."""
    document = loaded.config.model_dump(mode="json")
    changed = {}
    for key, origin in loaded.origins.items():
        if origin == DEFAULT_ORIGIN or origin.startswith(loaded.source):
            continue
        value: object = document
        for part in key.split("."):
            assert isinstance(value, dict)
            value = value[part]
        changed[key] = value
    return changed

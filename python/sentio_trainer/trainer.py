"""What a trainer is: a configuration in, an artifact and its evaluation out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sentio_trainer.config import LoadedConfig
from sentio_trainer.evaluation import Evaluation
from sentio_trainer.report import Report


@dataclass(frozen=True, kw_only=True)
class Trained:
    folder: Path
    evaluation: Evaluation


class Trainer(Protocol):
    def __call__(self, loaded: LoadedConfig, *, overwrite: bool, report: Report) -> Trained:
        """Trains and writes the artifact; raises SentioError, and then nothing is written."""

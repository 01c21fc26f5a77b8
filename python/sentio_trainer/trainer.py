"""What a trainer is: a configuration in, an artifact and its evaluation out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sentio_trainer.config import LoadedConfig
from sentio_trainer.evaluation import Evaluation
from sentio_trainer.report import Report


@dataclass(frozen=True, kw_only=True)
class Trained:
    folder: Path  # of the artifact
    run: Path  # the folder of its records
    evaluation: Evaluation


class Trainer(Protocol):
    def __call__(
        self, loaded: LoadedConfig, *, overwrite: bool, report: Report, resume_from: str | None = None
    ) -> Trained | None:
        """Trains and writes the artifact.

        Args:
            overwrite: whether the version may exist already.
            resume_from: `latest`, or the folder of an interrupted run or of one of its checkpoints.

        Returns:
            None in a process that is not the first of several.

        Raises:
            SentioError: no artifact is written then, and what was there is untouched.
        """

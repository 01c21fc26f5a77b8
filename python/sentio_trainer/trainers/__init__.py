"""All trainers by the name that `training.trainer` gives."""

import difflib

from sentio_trainer.errors import ConfigError
from sentio_trainer.sweep_worker import TrainTrial
from sentio_trainer.trainer import Trainer
from sentio_trainer.trainers import tfa

TRAINERS: dict[str, Trainer] = {
    "tfa": tfa.train,
}
# What a sweep calls for each of its trials.
TRIALS: dict[str, TrainTrial] = {
    "tfa": tfa.train_trial,
}


def find_trainer(name: str) -> Trainer:
    """The trainer of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in TRAINERS:
        close = difflib.get_close_matches(name, TRAINERS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(TRAINERS)}"
        raise ConfigError(f"training.trainer: unknown trainer '{name}'; {hint}")
    return TRAINERS[name]

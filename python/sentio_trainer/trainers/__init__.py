"""All trainers by the name that `training.trainer` gives."""

from sentio_trainer.errors import ConfigError
from sentio_trainer.suggest import hint
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
        raise ConfigError(f"training.trainer: unknown trainer '{name}'; {hint(name, TRAINERS)}")
    return TRAINERS[name]

"""Trains the model of a configuration: python train_models.py --config configs/tfa.yaml"""

import sys

from sentio_trainer.cli import train_models

if __name__ == "__main__":
    sys.exit(train_models(sys.argv[1:]))

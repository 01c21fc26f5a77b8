"""`python -m sentio_trainer` is the `sentio` command."""

from sentio_trainer.cli import main

if __name__ == "__main__":
    main()

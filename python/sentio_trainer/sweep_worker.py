"""A process that trains one trial after another, for a sweep that draws, judges and records them.

Only the sweep opens the study and the ledger, so processes never wait for each other's files, and one that dies leaves
nothing behind.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import parent_process
from typing import Literal, Protocol

from sentio_trainer.config import LoadedConfig
from sentio_trainer.errors import SentioError
from sentio_trainer.report import Report, Silence
from sentio_trainer.session_returns import SessionReturns
from sentio_trainer.watch import Epoch, Steps, Watcher

_PATIENCE_S = 10.0  # for a process that was told to end


@dataclass(frozen=True, kw_only=True)
class TrialTrained:
    """What a finished trial came to."""

    best: Epoch
    returns: SessionReturns | None = None  # of its decision rule on the validation bars, after costs


class TrainTrial(Protocol):
    """Trains a configuration and gives its best epoch; it does not look at the test period, and writes no artifact.

    It lives in a module, so that another process can find it, and lets pass what the watcher raises.
    """

    def __call__(self, loaded: LoadedConfig, *, report: Report, watcher: Watcher) -> TrialTrained: ...


@dataclass(frozen=True, kw_only=True)
class EpochTold:
    """A trial finished an epoch, and waits to hear whether it goes on."""

    epoch: Epoch


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of a trial."""

    status: Literal["finished", "pruned", "failed"]
    best: Epoch | None = None  # of a finished one
    returns: SessionReturns | None = None  # of a finished one
    error: str | None = None  # of a failed one, in one line
    defect: str | None = None  # the traceback of an error that no configuration should cause


class _Pruned(Exception):  # noqa: N818  not an error
    """Ends a training from within."""


class _TrialWatcher:
    log_steps = 1_000_000_000  # steps are of no interest

    def __init__(self, connection: "Connection[object, object]") -> None:
        self._connection = connection

    def on_begin(self, step: int, epochs: Sequence[Epoch]) -> None:
        del step, epochs

    def on_steps(self, steps: Steps) -> None:
        del steps

    def on_epoch(self, epoch: Epoch) -> None:
        self._connection.send(EpochTold(epoch=epoch))
        if not self._connection.recv():
            raise _Pruned


def _work(connection: "Connection[object, object]", threads: int) -> None:
    """The life of the process."""
    # Read when torch is imported, which the first message causes.
    os.environ["OMP_NUM_THREADS"] = str(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    train_trial = connection.recv()
    while (loaded := connection.recv()) is not None:
        connection.send(_try(train_trial, loaded, connection))  # type: ignore[arg-type]


def _try(train_trial: TrainTrial, loaded: LoadedConfig, connection: "Connection[object, object]") -> Ended:
    try:
        trained = train_trial(loaded, report=Silence(), watcher=_TrialWatcher(connection))
    except _Pruned:
        return Ended(status="pruned")
    except SentioError as error:
        return Ended(status="failed", error=" ".join(str(error).split()))
    except Exception as error:  # noqa: BLE001  the sweep raises it
        return Ended(status="failed", error=type(error).__name__, defect="".join(traceback.format_exception(error)))
    return Ended(status="finished", best=trained.best, returns=trained.returns)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


class Worker:
    """The sweep's end of such a process."""

    def __init__(self, train_trial: TrainTrial, *, threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # a forked copy of a process with threads may hang
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, threads), daemon=True)
        with _without_interrupts():
            self._process.start()
        theirs.close()
        self._send(train_trial)

    def train(self, loaded: LoadedConfig) -> None:
        self._send(loaded)

    def hear(self) -> EpochTold | Ended:
        """The next message; a process that died has failed its trial."""
        try:
            message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            code = self._process.exitcode or 0
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
            return Ended(status="failed", error=f"its process died ({how})")
        assert isinstance(message, (EpochTold, Ended))
        return message

    def answer(self, *, goes_on: bool) -> None:
        self._send(goes_on)

    def _send(self, message: object) -> None:
        # A process that died in the meantime is heard of next.
        with suppress(BrokenPipeError):
            self.connection.send(message)

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def dismiss(self) -> None:
        """Ends the process, whatever it does."""
        self._process.terminate()
        self._process.join(_PATIENCE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.connection.close()


def heard(workers: Sequence[Worker], *, timeout: float) -> list[Worker]:
    """Those that have a message, or died; none where the time is over first."""
    by_connection: dict[object, Worker] = {worker.connection: worker for worker in workers}
    return [by_connection[connection] for connection in wait([worker.connection for worker in workers], timeout)]


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """A process that is started here does not hear Ctrl-C, which a terminal sends to all: the sweep ends it."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

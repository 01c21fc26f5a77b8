"""Ctrl-C and SIGTERM as a question that is asked between steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptions() -> Iterator[Callable[[], bool]]:
    """Within, the first signal is kept until it is asked for; a second one acts as it would without.

    A signal that is ignored stays so. Signals belong to the main thread: in another one they act as ever, and the
    answer is always no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    arrived: list[int] = []

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def keep(number: int, frame: FrameType | None) -> None:
        del frame
        arrived.append(number)
        restore()

    try:
        for number in before:
            signal.signal(number, keep)
        yield lambda: bool(arrived)
    finally:
        restore()

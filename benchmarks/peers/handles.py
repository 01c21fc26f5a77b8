"""Incremental indicators of a peer, put together as one function of a bar."""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

Handle = tuple[Sequence[str], str, Callable[[], Callable[..., Any]]]
"""The features an indicator yields; its inputs, of `o h l c v`, `r` (log return) and `bar` (the peer's own), as "c" or
"h, l, c"; and what opens it at the end of the history and returns its update: one value, or a sequence where there are
several features."""


class Handles:
    """The handles that yield a feature of `names`, in one call a bar. `names` is then what `push` returns."""

    def __init__(
        self,
        handles: Sequence[Handle],
        names: Collection[str],
        *,
        last_close: float,
        bar: Callable[[int, float, float, float, float, float], Any] = lambda *_: None,
    ) -> None:
        opened = [(of_handle, inputs, start()) for of_handle, inputs, start in handles if set(of_handle) & set(names)]
        self.names = [name for of_handle, _, _ in opened for name in of_handle]
        self._before = last_close
        self._bar = bar
        # One list display of all updates: no loop could be faster, and a user would write it like that.
        terms = [
            f"{'*' if len(of_handle) > 1 else ''}u{i}({inputs})" for i, (of_handle, inputs, _) in enumerate(opened)
        ]
        updates = {f"u{i}": update for i, (_, _, update) in enumerate(opened)}
        self._all: Callable[..., list[float]] = eval(f"lambda o, h, l, c, v, r, bar: [{', '.join(terms)}]", updates)

    def push(self, ts: int, o: float, h: float, l: float, c: float, v: float) -> list[float]:  # noqa: E741
        r = math.log(c / self._before)
        self._before = c
        return self._all(o, h, l, c, v, r, self._bar(ts, o, h, l, c, v))

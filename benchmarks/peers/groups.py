"""Functions that each yield some features, and the ones that a list of features needs."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

Group = tuple[Sequence[str], Callable[[], Any]]


def computed(groups: Sequence[Group], names: Collection[str]) -> dict[str, Any]:
    """Runs the groups that yield a feature of `names`; of a group with several, a sequence of columns is expected."""
    found: dict[str, Any] = {}
    for of_group, compute in groups:
        if not set(of_group) & set(names):
            continue
        columns = compute() if len(of_group) > 1 else (compute(),)
        found.update((name, column) for name, column in zip(of_group, columns, strict=True) if name in names)
    return found

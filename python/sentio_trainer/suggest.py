"""What a message about an unknown name ends with."""

import difflib
from collections.abc import Collection


def hint(name: str, known: Collection[str], *, cutoff: float = 0.6) -> str:
    """The known name that is closest, where one is as like as `cutoff` (difflib's ratio) says; else all of them."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"

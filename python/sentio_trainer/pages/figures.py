"""Numbers and times as a page shows them: with their unit, rounded, and a dash where there is none."""

from datetime import datetime, timezone

DASH = "–"


def percent(value: float | None, digits: int = 2) -> str:
    """ "12.34 %" of 0.1234."""
    return DASH if value is None else f"{_no_minus_zero(value * 100, digits):,.{digits}f}\u00a0%"


def decimal(value: float | None, digits: int = 2) -> str:
    """ "1,234.57"."""
    return DASH if value is None else f"{_no_minus_zero(value, digits):,.{digits}f}"


def whole(value: float | None) -> str:
    """ "1,235"."""
    return decimal(value, 0)


def counted(count: int, what: str) -> str:
    """ "1 bar", "2,000 bars"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def instant(time_ns: int) -> str:
    """ "2024-03-26 13:30" in UTC, to the second where there is one."""
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, tz=timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")


def shown_time(text: object) -> str:
    """ "2024-03-26 13:30" of "2024-03-26T13:30:00Z"; a dash for None."""
    if not isinstance(text, str):
        return DASH
    day, _, clock = text.removesuffix("Z").partition("T")
    return f"{day} {clock.removesuffix(':00')}".rstrip()


def duration(seconds: float) -> str:
    """ "45 s", "5 min", "3.2 h", "12 d"."""
    for size, unit in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:g} s"


def _no_minus_zero(value: float, digits: int) -> float:
    return round(value, digits) + 0.0

"""A New York trading calendar good enough to generate one: weekdays, fixed and observed holidays, early closes.

Rules of the NYSE since 2022. Closures for events (storms, mourning) are not in it. Times follow the daylight-saving
rule of the United States since 2007, so no time-zone data is needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

OPEN = time(9, 30)
CLOSE = time(16, 0)
EARLY_CLOSE = time(13, 0)

_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6


@dataclass(frozen=True, kw_only=True)
class Session:
    day: date
    open_utc: datetime
    minutes: int  # 390, or 210 on a half day


def sessions(start: date) -> Iterator[Session]:
    """All sessions from `start` on, without end."""
    day = start
    while True:
        if day.weekday() < _SATURDAY and day not in holidays(day.year):
            close = EARLY_CLOSE if day in early_closes(day.year) else CLOSE
            minutes = (close.hour - OPEN.hour) * 60 + close.minute - OPEN.minute
            yield Session(day=day, open_utc=to_utc(datetime.combine(day, OPEN)), minutes=minutes)
        day += timedelta(days=1)


def holidays(year: int) -> set[date]:
    """Weekdays of `year` without a session."""
    fixed = (date(year, 6, 19), date(year, 7, 4), date(year, 12, 25))
    days = {_observed(day) for day in fixed} | {
        _nth_weekday(year, 1, _MONDAY, 3),  # Martin Luther King
        _nth_weekday(year, 2, _MONDAY, 3),  # Washington
        _easter(year) - timedelta(days=2),  # Good Friday
        _nth_weekday(year, 6, _MONDAY, 1) - timedelta(days=7),  # Memorial Day, the last Monday of May
        _nth_weekday(year, 9, _MONDAY, 1),  # Labor Day
        _nth_weekday(year, 11, _THURSDAY, 4),  # Thanksgiving
    }
    new_year = date(year, 1, 1)
    if new_year.weekday() != _SATURDAY:  # a Saturday's New Year is not made up for on the Friday before
        days.add(_observed(new_year))
    return days


def early_closes(year: int) -> set[date]:
    """Sessions of `year` that end at 13:00."""
    candidates = {
        date(year, 7, 3),
        _nth_weekday(year, 11, _THURSDAY, 4) + timedelta(days=1),
        date(year, 12, 24),
    }
    return {day for day in candidates if day.weekday() < _SATURDAY} - holidays(year)


def to_utc(new_york: datetime) -> datetime:
    """UTC of a New York wall time, which must not lie in an hour that the clocks skip or repeat."""
    begins = datetime.combine(_nth_weekday(new_york.year, 3, _SUNDAY, 2), time(2))
    ends = datetime.combine(_nth_weekday(new_york.year, 11, _SUNDAY, 1), time(2))
    offset = timedelta(hours=4 if begins <= new_york < ends else 5)
    return (new_york + offset).replace(tzinfo=timezone.utc)


def _observed(day: date) -> date:
    return day + timedelta(days={_SATURDAY: -1, _SUNDAY: 1}.get(day.weekday(), 0))


def _nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _easter(year: int) -> date:
    """Easter Sunday: the anonymous Gregorian computus (Meeus, Astronomical Algorithms, 1991)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e, f = b // 4, b % 4, (b + 8) // 25
    g = (b - f + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)

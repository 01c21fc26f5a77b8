"""Ops that read the bars' times, docs/session_ops.md."""

import decimal
import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

from .column import Bars, Column, from_bar
from .shared import typical_price

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
NEW_YORK = ZoneInfo("America/New_York")
MONDAY, THURSDAY, SATURDAY, SUNDAY = 0, 3, 5, 6  # as date.weekday() counts
HALF_DAYS_OF_ONCE = {date(1997, 12, 26), date(1999, 12, 31), date(2003, 12, 26)}


@dataclass(frozen=True)
class Moment:
    """Where a bar's open lies in its session."""

    date: date
    since_open_ns: int
    length: int  # of the session, in minutes

    @property
    def regular(self) -> bool:
        return 0 <= self.since_open_ns < self.length * MINUTE_NS


def moment_of(ts: int, calendar: str) -> Moment:
    if calendar == "utc_day":
        day, length = datetime.fromtimestamp(ts // SECOND_NS, timezone.utc).date(), 1440
        opening = datetime.combine(day, time(0, 0), timezone.utc)
    else:
        day = datetime.fromtimestamp(ts // SECOND_NS, NEW_YORK).date()
        opening, length = datetime.combine(day, time(9, 30), NEW_YORK), minutes_of_trading(day)
    return Moment(day, ts - int(opening.timestamp()) * SECOND_NS, length)


# --- the exchange's days ---


@functools.cache
def minutes_of_trading(day: date) -> int:
    if day.weekday() >= SATURDAY:
        return 0
    if day.year < 1993:
        return 390
    if is_holiday(day):
        return 0
    return 210 if is_half_day(day) else 390


def is_holiday(day: date) -> bool:
    year = day.year
    found = {
        nth_weekday(3, MONDAY, year, 2),  # Washington's Birthday
        easter_sunday(year) - timedelta(days=2),
        nth_weekday(1, MONDAY, year, 6) - timedelta(days=7),  # Memorial Day, the last Monday of May
        observed(date(year, 7, 4)),
        nth_weekday(1, MONDAY, year, 9),  # Labor Day
        thanksgiving(year),
        observed(date(year, 12, 25)),
    }
    new_year = date(year, 1, 1)
    if new_year.weekday() != SATURDAY:
        found.add(observed(new_year))
    if year >= 1998:
        found.add(nth_weekday(3, MONDAY, year, 1))  # Martin Luther King Day
    if year >= 2022:
        found.add(observed(date(year, 6, 19)))
    return day in found


def is_half_day(day: date) -> bool:
    """Of a weekday that is no holiday."""
    independence_day = date(day.year, 7, 4)
    late = day.year <= 2012 and independence_day.weekday() == THURSDAY
    return (
        day == thanksgiving(day.year) + timedelta(days=1)
        or (day.month, day.day) == (12, 24)
        or (day.month, day.day) == ((7, 5) if late else (7, 3))
        or day in HALF_DAYS_OF_ONCE
    )


def observed(day: date) -> date:
    return day + timedelta(days={SATURDAY: -1, SUNDAY: 1}.get(day.weekday(), 0))


def nth_weekday(n: int, weekday: int, year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def thanksgiving(year: int) -> date:
    return nth_weekday(4, THURSDAY, year, 11)


def easter_sunday(year: int) -> date:
    """The Sunday after the full moon of the Gregorian calendar's tables on or after March 21. Gauss's way, with the
    corrections of Lichtenberg, Historia Mathematica 24, 1997."""
    century = year // 100
    moon = 15 + (3 * century + 3) // 4 - (8 * century + 13) // 25
    sun = 2 - (3 * century + 3) // 4
    lunar_year = year % 19
    seed = (19 * lunar_year + moon) % 30
    full_moon = 21 + seed - (seed + lunar_year // 11) // 29
    first_sunday = 7 - (year + year // 4 + sun) % 7
    return date(year, 3, 1) + timedelta(days=full_moon + 7 - (full_moon - first_sunday) % 7 - 1)


# --- the circle ---


@functools.cache
def sine_and_cosine(k: int, length: int) -> tuple[float, float]:
    """Of 2 pi k / length, correctly rounded: 60 digits, of which float() takes the nearest double."""
    with decimal.localcontext() as context:
        context.prec = 70
        quarter, rest = divmod(4 * k, length)
        angle = pi() * rest / (2 * length)  # within a quarter of a turn, so that a value that is 0 is exactly that
        sine, cosine = series(angle, 1), series(angle, 0)
        s, c = [(sine, cosine), (cosine, -sine), (-sine, -cosine), (-cosine, sine)][quarter]
        return float(s), float(c)


def series(x: Decimal, power: int) -> Decimal:
    """x^power/power! - x^(power+2)/(power+2)! + ..."""
    term = x if power == 1 else Decimal(1)
    total = Decimal(0)
    while abs(term) > Decimal(10) ** -75:
        total += term
        term *= -x * x / ((power + 1) * (power + 2))
        power += 2
    return total


@functools.cache
def pi() -> Decimal:
    """Machin: pi = 16 atan(1/5) - 4 atan(1/239)."""

    def atan_of_one_over(n: int) -> Decimal:
        total, power, i = Decimal(0), Decimal(1) / n, 0
        while power > Decimal(10) ** -80:
            total += power / (2 * i + 1) if i % 2 == 0 else -power / (2 * i + 1)
            power, i = power / (n * n), i + 1
        return total

    with decimal.localcontext() as context:
        context.prec = 80
        return 16 * atan_of_one_over(5) - 4 * atan_of_one_over(239)


# --- the ops ---


def at_each(bars: Bars, calendar: str, formula: Callable[[Moment], float]) -> Column:
    return from_bar(0, bars.end, lambda t: formula(moment_of(bars.ts[t], calendar)))


def minute_of_session(bars: Bars, *, calendar: str = "us_equity") -> Column:
    return at_each(bars, calendar, lambda moment: moment.since_open_ns / 6e10)


def day_sin(bars: Bars, *, calendar: str = "us_equity") -> Column:
    return at_each(bars, calendar, lambda moment: on_the_circle(moment)[0])


def day_cos(bars: Bars, *, calendar: str = "us_equity") -> Column:
    return at_each(bars, calendar, lambda moment: on_the_circle(moment)[1])


def on_the_circle(moment: Moment) -> tuple[float, float]:
    if not moment.regular:
        return 0.0, 1.0
    return sine_and_cosine(moment.since_open_ns // MINUTE_NS, moment.length)


def session_vwap(bars: Bars, *, calendar: str = "us_equity") -> Column:
    price = typical_price(bars)
    values: list[float] = []
    volume, flow, session, last = 0.0, 0.0, None, None
    for t in range(bars.end):
        moment = moment_of(bars.ts[t], calendar)
        if moment.regular:
            if moment.date != session:
                volume, flow, session = 0.0, 0.0, moment.date
            volume = volume + bars.volume[t]
            flow = flow + price[t] * bars.volume[t]
            last = flow / volume if volume > 0.0 else price[t]
        values.append(price[t] if last is None else last)
    return Column(0, bars.end, values)


OPS: dict[str, Callable[..., Column]] = {
    "MINUTE_OF_SESSION": minute_of_session,
    "DAY_SIN": day_sin,
    "DAY_COS": day_cos,
    "SESSION_VWAP": session_vwap,
}

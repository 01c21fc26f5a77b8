"""Session ops: half days, daylight saving, bars outside regular hours, against an oracle of their own.

The oracle knows New York time from zoneinfo and holidays and half days from lists written by hand.
"""

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

import mpmath
import numpy as np
import pytest
from market_bars import MINUTE_NS, Float64, bits, built, market, op_named, real_bars, spec_of, split
from sentio_features import Bars, FeatureBuilder, FeatureSpec, in_regular_hours, session_days, session_hours

SECOND_NS = 1_000_000_000
NEW_YORK = ZoneInfo("America/New_York")
OPS = ("MINUTE_OF_SESSION", "DAY_SIN", "DAY_COS", "SESSION_VWAP")

# As the exchange announced them, for the years of the recorded bars; and some that rules get wrong easily.
HALF_DAYS = {
    date(1996, 7, 5), date(1997, 7, 3), date(1997, 12, 26), date(1999, 12, 31), date(2002, 7, 5), date(2003, 12, 26),
    date(2007, 7, 3), date(2012, 7, 3), date(2012, 11, 23), date(2013, 7, 3), date(2018, 12, 24), date(2019, 7, 3),
    date(2020, 11, 27), date(2020, 12, 24), date(2021, 11, 26), date(2023, 7, 3), date(2024, 7, 3), date(2024, 11, 29),
    date(2024, 12, 24), date(2025, 7, 3), date(2025, 11, 28), date(2025, 12, 24), date(2026, 11, 27),
    date(2026, 12, 24),
}  # fmt: skip
HOLIDAYS = {
    date(1997, 7, 4), date(1998, 1, 19), date(1998, 4, 10), date(2000, 4, 21), date(2010, 12, 24), date(2011, 1, 17),
    date(2011, 2, 21), date(2020, 7, 3), date(2021, 7, 5), date(2021, 12, 24), date(2022, 6, 20), date(2022, 12, 26),
    date(2023, 1, 2), date(2024, 1, 1), date(2024, 1, 15), date(2024, 2, 19), date(2024, 3, 29), date(2024, 5, 27),
    date(2024, 6, 19), date(2024, 7, 4), date(2024, 9, 2), date(2024, 11, 28), date(2024, 12, 25), date(2025, 1, 1),
    date(2025, 1, 20), date(2025, 2, 17), date(2025, 4, 18), date(2026, 7, 3), date(2027, 12, 24),
}  # fmt: skip
FULL_DAYS = {
    date(1992, 11, 27), date(1997, 1, 20), date(1996, 7, 3), date(2002, 7, 3), date(2010, 12, 31), date(2013, 7, 5),
    date(2015, 7, 2), date(2020, 7, 2), date(2021, 6, 18), date(2021, 7, 2), date(2021, 12, 31), date(2022, 7, 5),
    date(2022, 12, 23), date(2024, 7, 5), date(2024, 10, 14), date(2024, 11, 11), date(2024, 12, 26), date(2026, 7, 2),
}  # fmt: skip


def at(text: str) -> int:
    """Nanoseconds since 1970 of a New York wall time."""
    return round(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * SECOND_NS


def utc(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()) * SECOND_NS


def bars_at(times: Sequence[int], price: "float | Float64" = 100.0, volume: "float | Float64" = 10.0) -> Bars:
    """Flat bars."""
    prices, volumes = np.broadcast_to(price, len(times)), np.broadcast_to(volume, len(times))
    return Bars(np.array(times), prices, prices, prices, prices, volumes)


def values(op: str, bars: Bars, calendar: str = "us_equity") -> Float64:
    return built(spec_of({"name": "x", "op": op, "calendar": calendar}), bars)[:, 0].astype(np.float64)


def doubles(op: str, bars: Bars, calendar: str) -> Float64:
    """The values before their rounding to float32, exactly."""
    spec = spec_of({"name": "x", "op": op, "calendar": calendar, "emit": False}, *split("x", parts=3))
    parts = built(spec, bars).astype(np.float64)
    total: Float64 = parts[:, 0] + (parts[:, 1] + parts[:, 2])
    return total


def oracle(bars: Bars, calendar: str) -> dict[str, Float64]:
    """All four ops, bar by bar in plain Python; the same doubles."""
    found: dict[str, list[float]] = {op: [] for op in OPS}
    day, volume, turnover, vwap = None, 0.0, 0.0, None
    zone = NEW_YORK if calendar == "us_equity" else timezone.utc
    columns = [bars[name].tolist() for name in ("ts", "high", "low", "close", "volume")]
    for ts, high, low, close, traded in zip(*columns, strict=True):
        local = datetime.fromtimestamp(ts // SECOND_NS, tz=zone)
        if calendar == "us_equity":
            opening = datetime(local.year, local.month, local.day, 9, 30, tzinfo=zone)
            closed = local.weekday() >= 5 or local.date() in HOLIDAYS
            length = 0 if closed else 210 if local.date() in HALF_DAYS else 390
        else:
            opening, length = datetime(local.year, local.month, local.day, tzinfo=zone), 1440
        minute = float(Fraction(ts - round(opening.timestamp()) * SECOND_NS, MINUTE_NS))
        regular = 0.0 <= minute < length
        found["MINUTE_OF_SESSION"].append(minute)
        found["DAY_SIN"].append(turn(math.floor(minute), length)[0] if regular else 0.0)
        found["DAY_COS"].append(turn(math.floor(minute), length)[1] if regular else 1.0)
        typical = (high + low + close) / 3.0
        if regular:
            if local.date() != day:
                day, volume, turnover = local.date(), 0.0, 0.0
            volume += traded
            turnover += typical * traded
            vwap = turnover / volume if volume > 0.0 else typical
        found["SESSION_VWAP"].append(typical if vwap is None else vwap)
    return {op: np.array(column) for op, column in found.items()}


TURNS: dict[tuple[int, int], tuple[float, float]] = {}


def turn(k: int, n: int) -> tuple[float, float]:
    """Sine and cosine of k/n of a turn, correctly rounded."""
    if (k, n) not in TURNS:
        with mpmath.workprec(300):
            angle = mpmath.mpf(2 * k) / n
            TURNS[k, n] = float(mpmath.sinpi(angle)), float(mpmath.cospi(angle))
    return TURNS[k, n]


def check(bars: Bars, calendar: str) -> None:
    expected = oracle(bars, calendar)
    for op in OPS:
        np.testing.assert_array_equal(doubles(op, bars, calendar), expected[op], err_msg=op)
        np.testing.assert_array_equal(values(op, bars, calendar), expected[op].astype(np.float32), err_msg=op)


# --- the calendar ---


def minutes_of(*days: date) -> list[int]:
    return session_hours([(day - date(1970, 1, 1)).days for day in days])[1].tolist()


def test_clocks_are_new_yorks_at_each_change_since_1967() -> None:
    """Asked of zoneinfo, which knows the rule behind the listed changes; an hour before, at, and after each change."""
    for year in range(1967, 2261):
        days = [date(year, 1, 1) + timedelta(n) for n in range(365)]
        noons = [datetime(day.year, day.month, day.day, 17, tzinfo=timezone.utc) for day in days]
        offsets = [noon.astimezone(NEW_YORK).utcoffset() for noon in noons]
        changes = [day for day, one, two in zip(days[1:], offsets, offsets[1:], strict=False) if one != two]
        assert len(changes) == 2, year
        for day in changes:
            midnight = int(datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp())
            times = [midnight + hour * 3600 + second for hour in range(3, 10) for second in (-1, 0)]
            local = [datetime.fromtimestamp(t, tz=NEW_YORK) for t in times]
            # From the opening time back to the instant: minutes of time that has passed, across a change.
            opening = [at(f"{here.date()} 09:30") // SECOND_NS for here in local]
            expected = [(t - start) / 60 for t, start in zip(times, opening, strict=True)]
            found = values("MINUTE_OF_SESSION", bars_at([t * SECOND_NS for t in times]))
            np.testing.assert_array_equal(found, np.float32(expected).astype(np.float64), err_msg=str(day))


def test_clocks_change_in_the_years_that_zone_files_do_not_list() -> None:
    """They list changes up to 2037, or to 2007, and give a rule for the years after."""
    for year in (2037, 2038, 2040, 2050, 2099, 2100, 2200):
        for month_and_day in ("01-15", "03-31", "07-01", "10-01", "11-30"):
            opening = at(f"{year}-{month_and_day} 09:30")
            (minute,) = values("MINUTE_OF_SESSION", bars_at([opening]))
            assert minute == 0.0, (year, month_and_day)
            day = (date.fromisoformat(f"{year}-{month_and_day}") - date(1970, 1, 1)).days
            assert session_hours([day])[0].tolist() == [opening]
            assert session_days(np.array([opening]))[0] == day
    new_year = bars_at([at("2037-12-31 23:59"), at("2038-01-01 00:00"), at("2040-12-31 23:59"), at("2041-01-01 00:00")])
    assert values("MINUTE_OF_SESSION", new_year).tolist() == [869.0, -570.0, 869.0, -570.0]


def test_half_days_holidays_and_full_days_are_those_of_the_exchange() -> None:
    for days, minutes in ((HALF_DAYS, 210), (HOLIDAYS, 0), (FULL_DAYS, 390)):
        wrong = [day for day in sorted(days) if minutes_of(day) != [minutes]]
        assert wrong == [], f"should have {minutes} minutes"


def test_the_year_2024_has_252_sessions_of_which_three_are_short() -> None:
    minutes = minutes_of(*(date(2024, 1, 1) + timedelta(days=i) for i in range(366)))
    assert (minutes.count(390), minutes.count(210), minutes.count(0)) == (249, 3, 114)


def test_sessions_open_at_half_past_nine_in_summer_and_in_winter() -> None:
    days = [(date.fromisoformat(text) - date(1970, 1, 1)).days for text in ("2024-03-08", "2024-03-11", "2024-11-04")]
    opens = session_hours(days)[0].tolist()
    assert opens == [utc("2024-03-08T14:30"), utc("2024-03-11T13:30"), utc("2024-11-04T14:30")]
    # Before 2007 the clocks changed in April and at the end of October.
    assert session_hours([13_220])[0].tolist() == [at("2006-03-13T09:30")] == [utc("2006-03-13T14:30")]


def test_the_day_of_utc_has_always_1440_minutes() -> None:
    opens, minutes = session_hours(np.array([-1, 0, 19_716]), "utc_day")
    assert opens.tolist() == [-86_400 * SECOND_NS, 0, 19_716 * 86_400 * SECOND_NS]
    assert minutes.tolist() == [1440, 1440, 1440]


def test_a_date_out_of_reach_and_an_unknown_calendar_are_refused() -> None:
    with pytest.raises(ValueError, match="days must lie within 100000 of 1970-01-01, found 100001"):
        session_hours([100_001])
    with pytest.raises(ValueError, match="unknown session calendar 'us'"):
        session_hours([0], "us")


def test_regular_hours_end_at_one_on_half_days_and_never_begin_on_holidays_and_weekends() -> None:
    inside = {
        "2024-11-29T09:29:59": False,
        "2024-11-29T09:30": True,
        "2024-11-29T12:59:59": True,
        "2024-11-29T13:00": False,
        "2024-11-27T13:00": True,
        "2024-11-27T15:59:59": True,
        "2024-11-27T16:00": False,
        "2024-11-28T10:00": False,  # Thanksgiving
        "2024-11-30T10:00": False,  # a Saturday
    }
    times = sorted(inside, key=at)
    assert in_regular_hours([at(text) for text in times]).tolist() == [inside[text] for text in times]
    assert session_days([at(text) for text in times]).tolist() == [
        (date.fromisoformat(text[:10]) - date(1970, 1, 1)).days for text in times
    ]


# --- MINUTE_OF_SESSION ---


@pytest.mark.parametrize(
    ("time", "minute"),
    [
        ("2024-03-08T09:30", 0.0),
        ("2024-03-08T04:00", -330.0),
        ("2024-03-08T15:59", 389.0),
        ("2024-03-08T16:00", 390.0),
        ("2024-03-08T19:59", 629.0),
        ("2024-03-08T00:00", -570.0),
        ("2024-03-08T23:59", 869.0),
        ("2024-03-08T09:30:15", 0.25),
        ("2024-03-08T09:29:30", -0.5),
        ("2024-11-29T13:00", 210.0),
        ("2024-03-10T01:59", -391.0),  # a Sunday whose clocks skip the hour from two to three
        ("2024-03-10T03:00", -390.0),
        ("2024-03-10T09:30", 0.0),
        ("2024-03-11T09:30", 0.0),
        ("2024-11-03T00:30", -600.0),  # a Sunday of 25 hours
        ("2024-11-03T09:30", 0.0),
        ("2024-11-04T09:30", 0.0),
        ("1969-12-31T09:30:30", 0.5),
    ],
)
def test_minutes_count_from_the_opening_time_of_the_date(time: str, minute: float) -> None:
    assert values("MINUTE_OF_SESSION", bars_at([at(time)])).tolist() == [minute]


def test_the_hour_that_the_clocks_repeat_is_counted_twice() -> None:
    """Minutes are time that has passed, not the difference of two wall clocks."""
    first, second = utc("2024-11-03T05:30"), utc("2024-11-03T06:30")  # 01:30, twice
    assert values("MINUTE_OF_SESSION", bars_at([first, second])).tolist() == [-540.0, -480.0]


def test_a_fraction_of_a_minute_is_the_quotient_of_nanoseconds() -> None:
    opening = at("2024-01-03T09:30")
    offsets = [-MINUTE_NS - 1, -1, 0, 1, 333_333_333, SECOND_NS, 389 * MINUTE_NS + 59 * SECOND_NS + 999_999_999]
    found = doubles("MINUTE_OF_SESSION", bars_at([opening + offset for offset in offsets]), "us_equity")
    assert found.tolist() == [offset / MINUTE_NS for offset in offsets]


def test_minutes_of_the_utc_day_count_from_midnight() -> None:
    times = [utc("2024-03-10T00:00"), utc("2024-03-10T00:00:30"), utc("2024-03-10T23:59"), utc("2024-03-11T00:00")]
    assert values("MINUTE_OF_SESSION", bars_at(times), "utc_day").tolist() == [0.0, 0.5, 1439.0, 0.0]


def test_times_at_the_edges_of_what_a_bar_can_carry_are_taken() -> None:
    edges = np.iinfo(np.int64)
    for calendar in ("us_equity", "utc_day"):
        for op in OPS:
            assert np.isfinite(values(op, bars_at([edges.min, 0, edges.max]), calendar)).all()
    last = values("MINUTE_OF_SESSION", bars_at([edges.max]), "utc_day")
    assert last.tolist() == [np.float32((edges.max % (86_400 * SECOND_NS)) / MINUTE_NS)]


# --- DAY_SIN, DAY_COS ---


def test_the_day_goes_once_around_from_the_open_to_the_close() -> None:
    times = [at(f"2024-01-03T{time}") for time in ("09:30", "10:02", "10:35", "12:45", "14:22", "15:59", "16:00")]
    sine, cosine = values("DAY_SIN", bars_at(times)), values("DAY_COS", bars_at(times))
    minutes = np.array([0, 32, 65, 195, 292, 389, 390])
    np.testing.assert_allclose(sine, np.sin(2 * np.pi * minutes / 390), atol=1e-7)  # of float32
    np.testing.assert_allclose(cosine, np.cos(2 * np.pi * minutes / 390), atol=1e-7)
    assert (sine[0], cosine[0], sine[3], cosine[3], sine[-1], cosine[-1]) == (0.0, 1.0, 0.0, -1.0, 0.0, 1.0)
    assert cosine[2] == 0.5  # a sixth of a turn: its cosine is exact


def test_half_days_go_around_in_210_minutes() -> None:
    times = [at(f"2024-11-29T{time}") for time in ("09:30", "11:15", "12:59", "13:00", "14:00")]
    assert values("DAY_COS", bars_at(times))[[0, 1, 3, 4]].tolist() == [1.0, -1.0, 1.0, 1.0]
    assert values("DAY_SIN", bars_at(times))[2] == np.float32(math.sin(-2 * math.pi / 210))


@pytest.mark.parametrize("time", ["2024-01-03T09:29:59", "2024-01-03T04:00", "2024-01-03T16:00", "2024-01-03T20:00"])
def test_outside_regular_hours_the_day_rests_at_its_end(time: str) -> None:
    assert values("DAY_SIN", bars_at([at(time)])).tolist() == [0.0]
    assert values("DAY_COS", bars_at([at(time)])).tolist() == [1.0]


def test_holidays_and_weekends_are_outside_regular_hours() -> None:
    times = [at("2024-11-28T11:00"), at("2024-11-30T11:00"), at("2024-12-01T11:00")]
    assert values("DAY_SIN", bars_at(times)).tolist() == [0.0, 0.0, 0.0]
    assert values("DAY_COS", bars_at(times)).tolist() == [1.0, 1.0, 1.0]
    assert values("MINUTE_OF_SESSION", bars_at(times)).tolist() == [90.0, 90.0, 90.0]


def test_bars_within_a_minute_share_its_place_in_the_day() -> None:
    opening = at("2024-01-03T10:00")
    seconds = bars_at([opening + i * SECOND_NS for i in range(120)])
    for op in ("DAY_SIN", "DAY_COS"):
        found = values(op, seconds)
        assert len(set(found[:60])) == len(set(found[60:])) == 1
        assert found[0] != found[60]


@pytest.mark.parametrize(
    ("calendar", "first", "minutes"),
    [("us_equity", at("2024-01-03T09:30"), 390), ("us_equity", at("2024-11-29T09:30"), 210), ("utc_day", 0, 1440)],
)
def test_every_value_of_the_day_is_correctly_rounded(calendar: str, first: int, minutes: int) -> None:
    bars = bars_at([first + i * MINUTE_NS for i in range(minutes)])
    expected = np.array([turn(k, minutes) for k in range(minutes)])
    np.testing.assert_array_equal(doubles("DAY_SIN", bars, calendar), expected[:, 0])
    np.testing.assert_array_equal(doubles("DAY_COS", bars, calendar), expected[:, 1])


# --- SESSION_VWAP ---


def test_vwap_weighs_typical_prices_by_volume() -> None:
    times = [at(f"2024-01-03T09:{minute}") for minute in (30, 31, 32)]
    bars = Bars(times, [10, 12, 11], [12, 14, 11], [9, 12, 11], [12, 13, 11], [100, 300, 0])
    # Typical prices 11, 13, 11: (1100 + 3900) / 400 = 12.5; a bar without volume changes nothing.
    assert values("SESSION_VWAP", bars).tolist() == [11.0, 12.5, 12.5]


def test_vwap_begins_anew_with_each_session_and_holds_between_them() -> None:
    prices = {
        "2024-01-03T09:00": 5.0,  # before any session: its own price
        "2024-01-03T09:30": 10.0,
        "2024-01-03T15:59": 20.0,
        "2024-01-03T16:00": 99.0,  # after hours: does not count
        "2024-01-04T08:00": 98.0,  # before the next open: still the last session's
        "2024-01-04T09:30": 30.0,
        "2024-01-04T09:31": 40.0,
    }
    bars = bars_at([at(time) for time in prices], np.array(list(prices.values())))
    assert values("SESSION_VWAP", bars).tolist() == [5.0, 10.0, 15.0, 15.0, 15.0, 30.0, 35.0]


def test_vwap_holds_over_a_weekend_a_holiday_and_the_afternoon_of_a_half_day() -> None:
    prices = {
        "2024-11-27T15:59": 10.0,
        "2024-11-28T11:00": 99.0,  # Thanksgiving
        "2024-11-29T12:59": 20.0,
        "2024-11-29T13:00": 99.0,
        "2024-11-30T11:00": 99.0,  # a Saturday
        "2024-12-02T09:29": 99.0,
        "2024-12-02T09:30": 30.0,
    }
    bars = bars_at([at(time) for time in prices], np.array(list(prices.values())))
    assert values("SESSION_VWAP", bars).tolist() == [10.0, 10.0, 20.0, 20.0, 20.0, 20.0, 30.0]


def test_vwap_is_the_typical_price_while_a_session_has_no_volume() -> None:
    prices, volumes = np.array([10.0, 11.0, 12.0, 13.0]), np.array([7.0, 0.0, 0.0, 1.0])
    times = [at(time) for time in ("2024-01-03T15:59", "2024-01-04T09:30", "2024-01-04T09:31", "2024-01-04T09:32")]
    assert values("SESSION_VWAP", bars_at(times, prices, volumes)).tolist() == [10.0, 11.0, 12.0, 13.0]


def test_vwap_of_the_utc_day_begins_anew_at_midnight() -> None:
    times = [utc("2024-03-09T23:58"), utc("2024-03-09T23:59"), utc("2024-03-10T00:00"), utc("2024-03-10T00:01")]
    bars = bars_at(times, np.array([10.0, 20.0, 30.0, 50.0]))
    assert values("SESSION_VWAP", bars, "utc_day").tolist() == [10.0, 15.0, 30.0, 40.0]


def test_two_sessions_are_two_even_if_no_bar_lies_between_them() -> None:
    bars = bars_at([at("2024-01-03T10:00"), at("2024-01-04T10:00")], np.array([10.0, 20.0]))
    assert values("SESSION_VWAP", bars).tolist() == [10.0, 20.0]


def test_vwap_goes_on_from_a_state_in_the_middle_of_a_session() -> None:
    bars = market(3, 900)
    spec = spec_of(*({"name": op, "op": op} for op in OPS), {"name": "gap", "op": "SESSION_VWAP", "as": "relative"})
    whole = built(spec, bars)
    for cut in (1, 200, 389, 390, 600):
        builder = FeatureBuilder(spec)
        builder.build(bars[:cut])
        other = FeatureBuilder(spec)
        other.build(market(4, 50))
        other.restore(builder.state())
        np.testing.assert_array_equal(bits(other.build(bars[cut:])), bits(whole[cut:]))


# --- all of them, against the oracle ---


def around(text: str, days: int, seed: int, step_ns: int = 7 * MINUTE_NS) -> Bars:
    """Bars with gaps around the clock from a New York date on, their times partly off the minute."""
    random = np.random.default_rng(seed)
    n = int(days * 86_400 * SECOND_NS // (2 * step_ns))
    times = at(text) + np.cumsum(random.integers(1, 4, n)) * step_ns + random.integers(0, 2, n) * 12_345_678_901
    run = market(seed, n, "ticks")
    volume = np.where(random.random(n) < 0.2, 0.0, run.volume)
    return Bars(times, run.open, run.high, run.low, run.close, volume)


@pytest.mark.parametrize("calendar", ["us_equity", "utc_day"])
@pytest.mark.parametrize(
    ("start", "days"),
    [("2024-03-05", 10), ("2024-10-30", 8), ("2024-11-25", 10), ("2024-12-20", 14), ("2024-06-28", 9)],
    ids=["spring forward", "fall back", "Thanksgiving", "Christmas", "Independence Day"],
)
def test_all_session_ops_agree_with_the_oracle(start: str, days: int, calendar: str) -> None:
    check(around(start, days, days), calendar)


def test_second_bars_agree_with_the_oracle() -> None:
    opening = at("2024-07-03T12:58")
    run = market(1, 600, "ticks")
    check(Bars(opening + SECOND_NS * np.arange(600), run.open, run.high, run.low, run.close, run.volume), "us_equity")


@pytest.mark.parametrize("calendar", ["us_equity", "utc_day"])
@pytest.mark.parametrize(
    ("name", "first", "count"),
    [
        ("SPY_1m.csv.gz", 0, 3000),
        ("SPY_1m.csv.gz", 26_000, 3000),
        ("SPY_1m.csv.gz", 65_000, 8000),
        ("SPY_1m_2011.csv.gz", 18_000, 12_000),
        ("QQQ_1m.csv.gz", 0, 9000),
    ],
)
def test_recorded_bars_agree_with_the_oracle(name: str, first: int, count: int, calendar: str) -> None:
    check(real_bars(name)[first : first + count], calendar)


@pytest.mark.parametrize("op", OPS)
def test_the_registry_row_names_the_calendars(op: str) -> None:
    row = op_named(op)
    assert row["params"] == [{"name": "calendar", "default": "us_equity", "choices": ["us_equity", "utc_day"]}]
    assert (row["sources"], row["warmup"]) == (0, 0)
    assert row["settle"] == (None if op == "SESSION_VWAP" else 0)


def test_an_unknown_calendar_is_refused_with_its_path() -> None:
    text = '{"features": [{"name": "x", "op": "DAY_SIN", "calendar": "nyse"}]}'
    with pytest.raises(ValueError, match=r"calendar: must be one of us_equity, utc_day, found \"nyse\""):
        FeatureSpec.from_json(text)


def test_two_calendars_in_one_spec_do_not_mix() -> None:
    features = [{"name": f"{op}.{c}", "op": op, "calendar": c} for op in OPS for c in ("us_equity", "utc_day")]
    bars = around("2024-03-08", 5, 2)
    together = built(spec_of(*features), bars)
    for i, feature in enumerate(features):
        np.testing.assert_array_equal(bits(built(spec_of(feature), bars)[:, 0]), bits(together[:, i]))

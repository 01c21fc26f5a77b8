"""How a walk-forward cuts history."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentio_trainer.errors import ConfigError, DataError
from sentio_trainer.walk_windows import Window, cut_windows, make_cut

MINUTE_NS = 60_000_000_000
DAY_NS = 1_440 * MINUTE_NS
# 2024-01-02 14:30 UTC, a Tuesday.
OPEN_NS = 1_704_205_800_000_000_000
# Five sessions of three bars, the last one cut off; a weekend lies behind the fourth.
CLOCK = np.concatenate([OPEN_NS + day * DAY_NS + MINUTE_NS * np.arange(3) for day in (0, 1, 2, 3, 6)])[:-1]


def ticks(windows: tuple[Window, ...]) -> list[tuple[int, int, int]]:
    return [(each.train_begin, each.test_begin, each.test_end) for each in windows]


def test_sessions_are_counted_as_the_calendar_has_them() -> None:
    cut = make_cut(train="2d", test="1d", step=None, windows=None, anchored=False)
    windows = cut_windows(CLOCK, cut, first=0, calendar="us_equity")
    assert ticks(windows) == [(0, 6, 9), (3, 9, 12), (6, 12, 14)]
    assert [each.name for each in windows] == ["w01", "w02", "w03"]


def test_an_anchored_window_grows() -> None:
    cut = make_cut(train="2d", test="1d", step=None, windows=None, anchored=True)
    assert ticks(cut_windows(CLOCK, cut, first=0, calendar="us_equity")) == [(0, 6, 9), (0, 9, 12), (0, 12, 14)]


def test_history_begins_with_the_session_of_the_first_sample() -> None:
    cut = make_cut(train="2d", test="2d", step=None, windows=None, anchored=False)
    assert ticks(cut_windows(CLOCK, cut, first=4, calendar="us_equity")) == [(3, 9, 14)]


def test_bars_are_a_length_too_and_the_last_test_may_be_shorter() -> None:
    cut = make_cut(train="4b", test="3b", step=None, windows=None, anchored=False)
    assert ticks(cut_windows(CLOCK, cut, first=2, calendar="us_equity")) == [(2, 6, 9), (5, 9, 12), (8, 12, 14)]


def test_so_many_windows_are_the_last_ones_and_whole() -> None:
    cut = make_cut(train="4b", test="3b", step=None, windows=2, anchored=False)
    assert ticks(cut_windows(CLOCK, cut, first=0, calendar="us_equity")) == [(4, 8, 11), (7, 11, 14)]


def test_where_windows_step_faster_than_they_test_the_newest_model_trades() -> None:
    cut = make_cut(train="4b", test="4b", step="2b", windows=2, anchored=False)
    assert ticks(cut_windows(CLOCK, cut, first=0, calendar="us_equity")) == [(4, 8, 10), (6, 10, 14)]


@given(
    n=st.integers(5, 60),
    first=st.integers(0, 20),
    train=st.integers(1, 20),
    test=st.integers(1, 9),
    step=st.integers(1, 9),
    windows=st.none() | st.integers(1, 4),
    anchored=st.booleans(),
)
def test_tests_follow_each_other_behind_what_is_learned_from(
    n: int, first: int, train: int, test: int, step: int, windows: int | None, anchored: bool
) -> None:
    step, first = min(step, test), min(first, n - 1)
    cut = make_cut(train=f"{train}b", test=f"{test}b", step=f"{step}b", windows=windows, anchored=anchored)
    try:
        found = cut_windows(MINUTE_NS * np.arange(n), cut, first=first, calendar="utc_day")
    except DataError:
        assert n - first < train + (1 if windows is None else test + step * (windows - 1))
        return
    assert [each.number for each in found] == list(range(1, len(found) + 1))
    assert windows is None or len(found) == windows
    assert found[-1].test_end == n if windows or step == test else found[-1].test_end <= n
    for one, other in pairwise(found):
        assert one.test_end == other.test_begin == one.test_begin + step
    for each in found:
        assert first <= each.train_begin
        assert each.test_begin - each.train_begin >= train
        assert anchored or each.test_begin - each.train_begin == train
        assert each.test_begin < each.test_end <= each.test_begin + test
    assert not anchored or len({each.train_begin for each in found}) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train": "120"}, "--train: must be sessions or bars, such as 120d or 500b, found '120'"),
        ({"test": "0d"}, "--test: must be sessions or bars, such as 120d or 500b, found '0d'"),
        ({"test": "5b"}, "--test: must be in sessions as --train is, found 5b"),
        ({"step": "5b"}, "--step: must be in sessions as --train is, found 5b"),
        (
            {"step": "3d"},
            "--step: must be at most --test, 2d, or no model trades what lies between two tests; found 3d",
        ),
        ({"windows": 0}, "--windows: must be at least 1, found 0"),
    ],
)
def test_lengths_that_do_not_go_together_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_cut(**{"train": "4d", "test": "2d", "step": None, "windows": None, "anchored": False, **settings})  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_too_short_a_history_says_how_much_is_wanted() -> None:
    cut = make_cut(train="5d", test="1d", step=None, windows=None, anchored=False)
    with pytest.raises(DataError) as caught:
        cut_windows(CLOCK, cut, first=0, calendar="us_equity")
    assert str(caught.value) == (
        "5 sessions with features and labels are too few for --train 5d and a test, 6; give more bars, or lower "
        "--train, --test or --windows"
    )
    cut = make_cut(train="2d", test="2d", step="1d", windows=3, anchored=False)
    with pytest.raises(DataError, match=r"too few for --train 2d and 3 tests of 2d, 6; give more bars"):
        cut_windows(CLOCK, cut, first=0, calendar="us_equity")

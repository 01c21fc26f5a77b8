"""What the benchmarks rest on: contenders are compared before they are timed, and the page shows what was found."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.edge import Found, noise
from benchmarks.report import markdown
from benchmarks.subset import spec_with
from benchmarks.tables import Table, Target, peer_rows, race_rows
from benchmarks.timing import Contender, Result, like_for_like, race, ratios
from market_bars import LEVELS_55, PROJECT, market


def contender(who: str, setup: str, **arguments: Any) -> Contender:
    return Contender(who=who, setup=f"contenders:{setup}", arguments=arguments)


def test_a_contender_that_is_wrong_or_missing_is_not_timed_and_says_why() -> None:
    first, second, third = race(
        [contender("sound", "sound"), contender("wrong", "wrong"), contender("absent", "absent")], rounds=2
    )
    assert len(first.seconds) == 2
    assert min(first.seconds) > 0
    assert (second.seconds, second.note) == ((), "other values in a")
    assert (third.seconds, third.note) == ((), "nowhere is not installed")
    assert [row[1:] for row in race_rows([second], bars=1, ours=first)] == [[None] * 5 + ["other values in a"]]


def test_ours_is_made_for_the_features_that_the_peer_covers() -> None:
    asked = []

    def ours(features: "list[str]") -> Contender:
        asked.append(list(features))
        return contender("ours", "sound", features=features)

    theirs, same = like_for_like(contender("peer", "sound", features=["b"]), ours, rounds=1)
    assert asked == [["b"]]
    assert same is not None
    assert [row[:2] for row in peer_rows(theirs, same, bars=10)] == [["peer", 1], ["ours", 1]]


def test_ratios_are_of_the_best_rounds_and_the_median_of_each_round() -> None:
    theirs, ours = Result(who="a", seconds=(2.0, 9.0, 4.0)), Result(who="b", seconds=(1.0, 3.0, 4.0))
    assert ratios(theirs, ours) == (2.0, 2.0)


def test_a_subset_of_the_spec_yields_those_columns_in_the_order_of_the_spec() -> None:
    spec = spec_with(["ema_200", "ret_1m"], LEVELS_55)
    assert spec.names == ["ret_1m", "ema_200"]


def test_targets_are_met_at_their_limit_and_not_beyond_it() -> None:
    below = Target(what="time", limit=3.0, found=3.0, unit="s")
    above = Target(what="rows", limit=6.0, found=5.9, unit="a second", at_least=True)
    assert (below.met, above.met, Target(what="memory", limit=1.0, found=None, unit="MB").met) == (True, False, None)


def test_the_page_shows_losses_and_missed_targets() -> None:
    ours, theirs = Result(who="Sentio", seconds=(2.0,)), Result(who="peer", seconds=(1.0,))
    table = Table(
        key="x",
        title="A race",
        text="Ten bars.",
        headings=("who", "ns a bar", "median", "ratio", "median", "cores", "note"),
        rows=race_rows([ours, theirs], bars=10, ours=ours),
    )
    results = {
        "made": {"commit": "abc"},
        "rounds": 1,
        "seconds": 3,
        "targets": [vars(Target(what="time", limit=1.0, found=2.0, unit="s"))],
        "tables": [vars(table)],
    }
    page = markdown(results)
    assert "| time | ≤ 1 s | 2 | **missed** |" in page
    assert "| peer | 100,000,000 | 100,000,000 | 0.5 | 0.5 | 0 |  |" in page


def test_the_page_in_the_project_is_that_of_its_results() -> None:
    folder = PROJECT / "benchmarks"
    results = json.loads((folder / "results.json").read_text())
    assert (folder / "results.md").read_text() == markdown(results)


def test_talib_and_numpy_yield_the_plain_55(tmp_path: Path) -> None:
    pytest.importorskip("talib")
    import numpy as np
    from benchmarks.bars import COLUMNS, Stored
    from benchmarks.batch import talib_matrix

    stored, bars = Stored(tmp_path), market(1, 8_000, "ticks")
    for name in COLUMNS:
        np.save(stored.column(name), bars[name])
    talib_matrix(stored)  # raises where a column differs


def test_noise_is_as_large_as_that_of_independent_normal_returns() -> None:
    rng = np.random.default_rng(1)
    rows, seeds, times = 400, 5, 800
    x, y = rng.normal(size=(2, times, seeds, rows))
    means = np.abs((x * y).mean(axis=2) / (x.std(axis=2) * y.std(axis=2))).mean(axis=1)
    found = [Found(seed=seed, rows=rows, ic=0.0, rank_ic=0.0, possible=0.0, seconds=0.0) for seed in range(seeds)]
    # 800 means: an error of 0.7 % of their mean and of 2.5 % of their spread.
    expected, error = noise(found)
    assert means.mean() == pytest.approx(expected, rel=0.03)
    assert means.std() == pytest.approx(error, rel=0.08)

"""What the benchmarks rest on: contenders are compared before they are timed, and the page shows what was found."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.edge import Found, noise
from benchmarks.inference import NATIVE, race_table, targets_of
from benchmarks.inference import Found as Raced
from benchmarks.inference_networks import NETWORKS
from benchmarks.inference_runtimes import Agreement, Running, Runtime, Timed, agreement, compare, take_turns
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


def runtime(who: str, forward: str) -> Runtime:
    """A program that answers like a runtime: `forward` is an expression in the rows x, [B, 2]."""
    code = (
        "import numpy as np; from benchmarks.inference_peers import answer; "
        f"answer(lambda x: ({forward}).astype(np.float32), np.arange(8, dtype=np.float32).reshape(4, 2))"
    )
    return Runtime(who=who, command=[sys.executable, "-c", code], files=[], rival=who)


def test_runtimes_are_compared_with_float64_and_those_that_differ_are_not_timed() -> None:
    reference = np.array([1.0, 5.0, 9.0, 13.0])
    sums, others = runtime("sums", "x.sum(axis=1)"), runtime("others", "x.sum(axis=1) + len(x)")
    with Running(sums) as first, Running(others) as second:
        agreed, refused = compare([first, second], reference)
        timed = take_turns([first], 2, rounds=3, seconds=0.0)
    assert agreed == {"sums": Agreement(ulp_median=0.0, ulp_largest=0.0, error=0.0, same_bits=4)}
    assert refused == {"others": "differs from float64 by 4"}
    assert list(timed) == ["sums"]
    assert len(timed["sums"].result.seconds) == 3
    assert 0 < timed["sums"].result.best <= timed["sums"].p99


def test_agreement_counts_units_of_the_last_place_and_rows_of_the_same_bits() -> None:
    ulp = 2.0**-23  # of a float32 in [1, 2)
    reference = np.array([1.0, 1.25, 1.5])
    found = agreement(reference + np.array([0.0, ulp, 3 * ulp]), reference + np.array([0.0, ulp, 0.0]), reference)
    assert found == Agreement(ulp_median=1.0, ulp_largest=3.0, error=3 * ulp / 1.5, same_bits=2)


def test_targets_of_inference_are_those_of_the_best_round_and_of_the_slowest_block() -> None:
    network = NETWORKS["mlp"]
    ours = runtime(NATIVE, "x")
    times = {1: (2e-6, 3e-6), 64: (1.0e-6, 1.1e-6), 256: (0.5e-6, 0.6e-6), 1024: (0.7e-6, 0.8e-6)}
    found = Raced(
        network=network,
        rows=1024,
        runtimes=[ours],
        agreed={NATIVE: Agreement(ulp_median=1.0, ulp_largest=9.0, error=1e-7, same_bits=1023)},
        refused={},
        timed={
            batch: {NATIVE: Timed(result=Result(who=NATIVE, seconds=seconds), p99=4e-6)}
            for batch, seconds in times.items()
        },
    )
    error, bits, single, block = targets_of("mlp", found)
    assert (error.found, error.met) == (pytest.approx(0.1), True)
    assert (bits.found, bits.met) == (1023, False)
    assert (single.found, single.met) == (pytest.approx(2.0), True)
    assert (block.found, block.met) == (pytest.approx(1.0), True)
    assert [row[1] for row in race_table("mlp", found, seconds=0.1).rows] == list(network.batches)


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

"""Python's bits are those of every platform: tests/golden/bits.txt, which `make bits` compares compilers with."""

import hashlib
import math
from pathlib import Path

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from market_bars import LEVELS_55, MINUTE_NS, PROJECT, SPEC_55, Float64, built, spec_of, split
from sentio_features import Bars, FeatureBuilder, FeatureSpec

OTHER_OPS = PROJECT / "tests" / "bits" / "other_ops.json"
GOLDEN = dict(
    reversed(line.split("  ", 1)) for line in (PROJECT / "tests" / "golden" / "bits.txt").read_text().splitlines()
)
N = 200_000


class Random:
    """Knuth's 64-bit linear congruential generator (MMIX), as in tests/bits/generated.hpp."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, count: int) -> int:
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._state >> 33) * count >> 31


def generated_bars(n: int) -> Bars:
    """What `generated_bars` of tests/bits/generated.hpp makes, line by line, so that no file has to travel."""
    random = Random(55)
    rows = np.empty((n, 6), dtype=np.int64)  # times in ns, prices in cents, volumes in tenths
    price, unrest, still = 40_000, 1, 0
    for i in range(n):
        day, minute = divmod(i, 390)
        if minute == 0:
            price = max(price * (9_800 + random.below(401)) // 10_000, 2_000)
            unrest = 1 + random.below(8)
        if random.below(400) == 0:
            still = 1 + random.below(60)

        reach = 2 + price * unrest // 20_000
        opened = price + random.below(3) - 1
        closed = opened - 2 * (reach - 1) + sum(random.below(reach) for _ in range(4))
        spiked = random.below(3_000) == 0
        if spiked:
            closed = closed * (900 + random.below(201)) // 1_000
        high = max(opened, closed) + random.below(reach)
        low = min(opened, closed) - random.below(reach)
        volume = 100 + random.below(900)
        volume <<= random.below(8)
        if random.below(2_000) == 0:
            volume *= 1_000
        if random.below(50) == 0:
            volume = 0

        ts = 946_909_800_000_000_000 + (day // 5 * 7 + day % 5) * 1_440 * MINUTE_NS + minute * MINUTE_NS
        if still > 0:
            still -= 1
            opened = high = low = closed = price
            if minute % 4 != 0:
                volume = 0
        elif not spiked:
            price = max(closed, 2_000)
        rows[i] = ts, opened, high, low, closed, volume
    return Bars(rows[:, 0], *(rows[:, k] / 100.0 for k in range(1, 5)), rows[:, 5] / 10.0)


@pytest.fixture(scope="module")
def bars() -> Bars:
    return generated_bars(N)


def sha256(*arrays: npt.NDArray[np.generic]) -> str:
    """Of their little-endian bytes, one after the other."""
    return hashlib.sha256(b"".join(a.astype(a.dtype.newbyteorder("<")).tobytes() for a in arrays)).hexdigest()


def test_python_makes_the_bars_of_the_golden_hashes(bars: Bars) -> None:
    assert sha256(bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume) == GOLDEN["bars"]


def test_the_bars_have_what_features_stumble_over(bars: Bars) -> None:
    moves = np.abs(bars.close[1:] / bars.open[1:] - 1)
    gaps = np.abs(bars.open[1:] / bars.close[:-1] - 1)
    assert 0.02 < (bars.volume == 0).mean() < 0.3
    assert 0.02 < (bars.high == bars.low).mean() < 0.3
    assert moves.max() > 0.09
    assert gaps[389::390].max() > 0.015
    assert bars.volume.max() > 100 * np.median(bars.volume)
    assert len(np.unique(bars.close)) > 1_000


@pytest.mark.parametrize("path", [SPEC_55, LEVELS_55, OTHER_OPS], ids=lambda path: path.stem)
def test_python_in_one_block_has_the_bits_of_cpp_in_pieces(path: Path, bars: Bars) -> None:
    matrix = FeatureBuilder(FeatureSpec.load(path)).build(bars)
    assert sha256(matrix) == GOLDEN[path.stem]


def engine_log(x: Float64) -> Float64:
    """The engine's logarithm to its last bit: LOGRET from a close of 1 to a close of x, within the limits of prices."""
    close = np.ones(2 * len(x))
    close[1::2] = x
    ts = MINUTE_NS * np.arange(1, 2 * len(x) + 1)
    spec = spec_of({"name": "v", "op": "LOGRET", "source": "close", "emit": False}, *split("v", parts=3))
    high, middle, low = built(spec, Bars(ts, close, close, close, close, close))[1::2].astype(np.float64).T
    return high + (middle + low)


# The largest errors, up to 0.88 ulp, of forty million arguments tried: somewhat below sqrt(1/2), where two terms of
# opposite sign are large beside the logarithm.
HARDEST = ["0x1.65bed468e34cfp-1", "0x1.693f74024d20fp-1", "0x1.68d72427341c3p-1", "0x1.69e933a8682c7p-1"]


def test_the_logarithm_is_within_1_ulp_of_mpmath() -> None:
    random = np.random.default_rng(7)
    edges = np.concatenate([np.ldexp([1.0, math.sqrt(0.5)], k) for k in range(-99, 100)])
    edges = np.concatenate([np.nextafter(edges, 0.0), edges, np.nextafter(edges, np.inf)])
    wide = np.exp2(random.uniform(-99.0, 99.0, 7_000))
    ratios = random.integers(20_000, 60_000, 7_000) / random.integers(20_000, 60_000, 7_000)
    near_one = 1.0 + np.ldexp(random.choice([-1.0, 1.0], 5_000), -random.integers(2, 54, 5_000))
    x = np.concatenate([edges, wide, ratios, near_one, [float.fromhex(text) for text in HARDEST]])
    found = engine_log(x)

    errors = []
    with mpmath.workprec(120):
        for argument, value in zip(x.tolist(), found.tolist(), strict=True):
            truth = mpmath.log(argument)
            if truth == 0:
                assert value == 0.0
                continue
            errors.append(float(abs(mpmath.mpf(value) - truth)) / math.ulp(value))
    assert max(errors) <= 1.0
    assert min(errors[-len(HARDEST) :]) > 0.8  # the hardest are still hard: what is compared is the engine's last bit

"""A feature stream that is killed goes on from its last saved state, and nothing but that state is taken."""

import hashlib
import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from market_bars import SPEC_55, Float32, bits, built, market, spec_of
from sentio_features import ENGINE_VERSION, Bars, FeatureBuilder, FeatureSpec, InputError

EVERY = 7
"""Bars between two saved states, which does not divide the engine's block of bars."""

STREAM = """
import os, pathlib, sys
import numpy as np
import sentio_features as s

folder, every, stop, within_a_save = pathlib.Path(sys.argv[1]), *map(int, sys.argv[3:])

def wait_to_be_killed():
    print("waits", flush=True)
    sys.stdin.read()

builder = s.FeatureBuilder(s.FeatureSpec.load(sys.argv[2]))
if (folder / "state").exists():
    builder.restore((folder / "state").read_bytes())
with open(folder / "begins", "a") as begins:
    print(builder.bars_seen, file=begins)
ts, bars = np.load(folder / "ts.npy"), np.load(folder / "bars.npy")
with open(folder / "rows", "r+b") as rows:
    # Rows that were written after the state was saved come again.
    rows.truncate(builder.bars_seen * builder.spec.width * 4)
    rows.seek(0, os.SEEK_END)
    for t in range(builder.bars_seen, len(ts)):
        rows.write(builder.push(int(ts[t]), *bars[:, t]).tobytes())
        if builder.bars_seen == stop and not within_a_save:
            wait_to_be_killed()
        if builder.bars_seen % every == 0 or t + 1 == len(ts):
            rows.flush()
            state = builder.state()
            with open(folder / "state.part", "wb") as part:
                part.write(state[: len(state) // 2])
                part.flush()
                if builder.bars_seen >= stop and within_a_save:
                    wait_to_be_killed()
                part.write(state[len(state) // 2 :])
            (folder / "state.part").rename(folder / "state")
"""


def started(folder: Path, stop: int, *, within_a_save: bool) -> "subprocess.Popen[bytes]":
    """A stream that waits at the bar `stop`, or within the next save of its state."""
    arguments = [str(folder), str(SPEC_55), str(EVERY), str(stop), str(int(within_a_save))]
    return subprocess.Popen([sys.executable, "-c", STREAM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_a_stream_that_is_killed_again_and_again_has_the_rows_of_one_that_was_not(tmp_path: Path) -> None:
    bars = market(11, 1500)
    np.save(tmp_path / "ts.npy", bars.ts)
    np.save(tmp_path / "bars.npy", [bars[name] for name in ("open", "high", "low", "close", "volume")])
    rows = tmp_path / "rows"
    rows.touch()
    stops = sorted(random.Random(3).sample(range(1, len(bars)), 6))
    for i, stop in enumerate(stops):
        with started(tmp_path, stop, within_a_save=i % 2 == 1) as stream:
            assert stream.stdout is not None
            assert stream.stdout.readline() == b"waits\n"
            stream.kill()
        assert stream.returncode == -signal.SIGKILL
    with started(tmp_path, len(bars) + 1, within_a_save=False) as last:
        pass
    assert last.returncode == 0
    begins = [int(line) for line in (tmp_path / "begins").read_text().split()]
    assert begins == [0, *((stop - 1) // EVERY * EVERY for stop in stops)], "each goes on from the last whole state"

    spec = FeatureSpec.load(SPEC_55)
    again = np.fromfile(rows, dtype=np.float32).reshape(-1, spec.width)
    np.testing.assert_array_equal(bits(again), bits(built(spec, bars)))


# --- what is no state of this builder ---

SPEC = spec_of({"name": "e", "op": "EMA", "window": 9}, {"name": "r", "op": "RSI"}, {"name": "s", "op": "STD"})
BARS = market(12, 300)
MAGIC, SEAL = len("SENTIO-FEATURES "), 64


def builder_after(bars: Bars, spec: FeatureSpec = SPEC) -> FeatureBuilder:
    builder = FeatureBuilder(spec)
    builder.build(bars)
    return builder


def sealed(payload: bytes) -> bytes:
    """A payload with a checksum that fits: what an attacker, or a writer with a fault, would hand over."""
    return payload + hashlib.sha256(payload).hexdigest().encode()


def refusal(state: bytes, target: FeatureBuilder) -> str:
    """The message; nothing has changed."""
    before = target.state()
    with pytest.raises(InputError, match=r"^feature state: ") as error:
        target.restore(state)
    assert target.state() == before
    return str(error.value).removeprefix("feature state: ")


@pytest.fixture
def target() -> Iterator[FeatureBuilder]:
    """A builder in the middle of a stream, which goes on as if nothing had been."""
    target = builder_after(BARS[:120])
    yield target
    rest: Float32 = target.build(BARS[120:])
    np.testing.assert_array_equal(bits(rest), bits(built(SPEC, BARS)[120:]))


STATE = builder_after(BARS[:200]).state()
VERSION = int.from_bytes(STATE[MAGIC : MAGIC + 4], sys.byteorder)


def test_a_state_that_is_cut_anywhere_is_refused(target: FeatureBuilder) -> None:
    complaints = {refusal(STATE[:size], target) for size in range(len(STATE))}
    assert complaints == {"is cut off", "is cut off or altered, its checksum does not fit"}


def test_a_state_with_a_byte_that_was_altered_is_refused(target: FeatureBuilder) -> None:
    draw = random.Random(5)
    head = MAGIC + 8 + len(SPEC.hash)
    for at in [
        *range(head + 16),
        *draw.sample(range(head + 16, len(STATE)), 300),
        *range(len(STATE) - SEAL, len(STATE)),
    ]:
        altered = bytearray(STATE)
        altered[at] ^= draw.randrange(1, 256)
        complaint = refusal(bytes(altered), target)
        if at < MAGIC:
            assert complaint == "is not a state of a feature builder"
        elif at < MAGIC + 4:
            assert complaint.startswith(f"version must be {VERSION}, found ")
        elif at < MAGIC + 8:
            assert complaint.endswith(f", this is engine {ENGINE_VERSION}")
        elif at < head:
            assert complaint.startswith("belongs to another spec, found ")
        else:
            assert complaint == "is cut off or altered, its checksum does not fit"


def test_bytes_behind_a_state_are_refused(target: FeatureBuilder) -> None:
    for more in (b"\0", b"\n", STATE, bytes(1000)):
        assert refusal(STATE + more, target) == "is cut off or altered, its checksum does not fit"
    assert refusal(sealed(STATE[:-SEAL] + bytes(8)), target) == "is longer than this spec's"
    assert refusal(sealed(STATE), target) == "is longer than this spec's"
    # Even with a checksum that fits, what is missing is missed.
    assert refusal(sealed(STATE[: -SEAL - 8]), target) == "is cut off"


@pytest.mark.parametrize(
    "features",
    [
        [{"name": "e", "op": "EMA", "window": 10}, {"name": "r", "op": "RSI"}, {"name": "s", "op": "STD"}],
        [{"name": "f", "op": "EMA", "window": 9}, {"name": "r", "op": "RSI"}, {"name": "s", "op": "STD"}],
        [{"name": "r", "op": "RSI"}, {"name": "e", "op": "EMA", "window": 9}, {"name": "s", "op": "STD"}],
        [{"name": "e", "op": "EMA"}],
    ],
    ids=["another window", "another name", "another order", "fewer features"],
)
def test_the_state_of_another_spec_is_refused(target: FeatureBuilder, features: "list[dict[str, object]]") -> None:
    other = spec_of(*features)
    complaint = refusal(builder_after(BARS[:200], other).state(), target)
    assert complaint == f"belongs to another spec, found {other.hash}, expected {SPEC.hash}"


@pytest.mark.parametrize("version", [0, VERSION - 1, VERSION + 1, 2**32 - 1])
def test_the_state_of_another_version_is_refused(target: FeatureBuilder, version: int) -> None:
    other = STATE[:MAGIC] + version.to_bytes(4, sys.byteorder) + STATE[MAGIC + 4 : -SEAL]
    assert refusal(sealed(other), target) == f"version must be {VERSION}, found {version}"


def test_the_state_of_another_engine_is_refused(target: FeatureBuilder) -> None:
    engine = int(ENGINE_VERSION) - 1
    other = STATE[: MAGIC + 4] + engine.to_bytes(4, sys.byteorder) + STATE[MAGIC + 8 : -SEAL]
    assert refusal(sealed(other), target) == f"was written by engine {engine}, this is engine {ENGINE_VERSION}"


@pytest.mark.parametrize(
    "state", [b"", b"\0" * 5000, b"SENTIO-MODEL 1", json.dumps({"seen": 3}).encode(), b"SENTIO-FEATURES"]
)
def test_what_is_no_state_at_all_is_refused(target: FeatureBuilder, state: bytes) -> None:
    assert refusal(state, target) in ("is cut off", "is not a state of a feature builder")


def test_a_state_with_impossible_content_is_refused(target: FeatureBuilder) -> None:
    """A checksum is no signature."""
    payload, seen = STATE[:-SEAL], MAGIC + 8 + len(SPEC.hash)
    for count in (-1, -(2**63), 2**63 - 1, 2**53 + 1):
        wrong = payload[:seen] + count.to_bytes(8, sys.byteorder, signed=True) + payload[seen + 8 :]
        assert refusal(sealed(wrong), target).startswith("must hold a count of bars in [0, 9007199254740992] and ")
    for at in range(seen + 16, len(payload), 8):
        for value in (np.nan, np.inf, -np.inf):
            wrong = payload[:at] + np.float64(value).tobytes() + payload[at + 8 :]
            assert refusal(sealed(wrong), target) == "holds a value that is not finite"
    assert sealed(payload) == STATE

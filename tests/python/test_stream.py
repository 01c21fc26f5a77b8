"""Live decisions: those of a backtest bit for bit, after any restart, and an answer to every line."""

import json
import random
import signal
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_support import SENTIO_CLI, refusal_of, report_of, run_cli
from market_bars import PROJECT
from sentio_features import Bars, InputError, read_csv
from sentio_inference import Artifact, RefusedBarError, Stream, backtest, rule_stream
from training_support import Project, make_project, write_bars

from sentio_trainer.cli import app, run
from sentio_trainer.report import Silence
from sentio_trainer.trainers.tfa import train

HEADER = "ts,open,high,low,close,volume"
CROSS = ("--strategy", "sma_cross", "--params", "fast=3,slow=10,allow_short=true")
MODEL = ("--strategy", "tfa")
REAL = PROJECT.parent / "shared" / "data" / "SPY_1m.csv.gz"
COLUMNS = ("ts", "open", "high", "low", "close", "volume")

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("stream") / "project", days=6)
    train(project.load(), overwrite=False, report=Silence())
    return project


@pytest.fixture(scope="module")
def bars(project: Project) -> Bars:
    return read_csv(project.root / "bars.csv")


@pytest.fixture(scope="module")
def csv_lines(project: Project, bars: Bars) -> list[str]:
    """One a bar, without the header."""
    return write_bars(project.root / "plain.csv", bars).read_text().splitlines()[1:]


def stream(lines: Iterable[str], *arguments: str | Path, cwd: Path) -> Lines:
    """What a run that must succeed answers to these lines."""
    done = subprocess.run(
        [str(SENTIO_CLI), "stream", *map(str, arguments)],
        input="".join(f"{line}\n" for line in lines),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return parsed(done.stdout)


def parsed(text: str) -> Lines:
    return [json.loads(line) for line in text.splitlines()]


def of_type(lines: Lines, kind: str) -> Lines:
    return [line for line in lines if line["type"] == kind]


def decisions_of(lines: Lines) -> Lines:
    return of_type(lines, "decision")


def signals(lines: Lines) -> list[tuple[str, float, float | None]]:
    return [(line["time"], line["exposure"], line["probability"]) for line in decisions_of(lines)]


def backtest_signals(bars: Bars, strategy: str, **settings: Any) -> list[tuple[str, float, float | None]]:
    series = backtest(bars, strategy, **settings)["series"]
    times = [f"{time}Z" for time in series["ts"].astype("datetime64[ns]").astype("datetime64[s]").astype(str)]
    probability = [None if np.isnan(p) else p for p in series["probability"].tolist()]
    return list(zip(times, series["exposure"].tolist(), probability, strict=True))


def test_live_decisions_are_those_of_a_backtest_bit_for_bit(project: Project, bars: Bars, csv_lines: list[str]) -> None:
    cross = {"fast": 3, "slow": 10, "allow_short": True}
    live = stream(csv_lines, *CROSS, cwd=project.root)
    assert signals(live) == backtest_signals(bars, "sma_cross", params=cross)

    artifact = Artifact.load(project.artifact)
    live = stream(csv_lines, *MODEL, cwd=project.root)
    assert signals(live) == backtest_signals(bars, "tfa", artifact=artifact, bar_by_bar=True)
    assert signals(live) == backtest_signals(bars, "tfa", artifact=artifact)
    assert live[0]["strategy"]["backend"] == "native"
    known = [line["logit"] is not None for line in decisions_of(live)]
    assert known == [False] * artifact.warmup + [True] * (len(bars) - artifact.warmup)


def test_live_decisions_on_real_bars_are_those_of_a_backtest(project: Project, tmp_path: Path) -> None:
    if not REAL.is_file():
        pytest.skip(f"{REAL} is not there: recorded bars are not part of the project")
    recorded = read_csv(REAL)
    recorded = Bars(*(recorded[name][-8000:] for name in COLUMNS))  # type: ignore[call-overload]
    lines = write_bars(tmp_path / "real.csv", recorded).read_text().splitlines()
    live = stream(lines, *MODEL, cwd=project.root)
    artifact = Artifact.load(project.artifact)
    assert signals(live) == backtest_signals(recorded, "tfa", artifact=artifact, bar_by_bar=True)
    assert signals(live) == backtest_signals(recorded, "tfa", artifact=artifact)
    assert of_type(live, "error") == []


def test_a_backtest_bar_by_bar_from_the_shell_is_the_one_from_python(project: Project, bars: Bars) -> None:
    arguments = ("backtest", "QQQ", "--bars", "bars.csv", *MODEL, "--from", "2024-01-04", "--bar-by-bar")
    begin = int(np.searchsorted(bars.ts, np.datetime64("2024-01-04", "ns").astype(np.int64)))
    python = backtest(bars, "tfa", artifact=Artifact.load(project.artifact), begin=begin, bar_by_bar=True)
    assert report_of(*arguments, cwd=project.root)["fills_hash"] == python["fills_hash"]


def json_line(line: str) -> str:
    ts, *prices = line.split(",")
    values = ", ".join(f'"{name}": {value}' for name, value in zip(COLUMNS[1:], prices, strict=True))
    return f'{{"symbol": "QQQ", "ts": {ts}, {values}}}'


def test_csv_with_and_without_a_header_and_json_are_answered_alike(project: Project, csv_lines: list[str]) -> None:
    lines = csv_lines[:100]
    plain = stream(lines, *CROSS, cwd=project.root)
    assert stream([HEADER, *lines[:50], HEADER, *lines[50:]], *CROSS, cwd=project.root) == plain
    assert stream(map(json_line, lines), *CROSS, cwd=project.root) == plain
    assert stream(map(json_line, lines), *CROSS, "--input", "jsonl", cwd=project.root) == plain
    reverse = [",".join(reversed(line.split(","))) for line in lines]
    named = ["\ufeff" + ",".join(reversed(HEADER.split(","))), *reverse]
    assert stream(named, *CROSS, "--input", "csv", cwd=project.root) == plain


def test_a_line_that_cannot_be_taken_is_answered_and_changes_nothing(project: Project, csv_lines: list[str]) -> None:
    lines = csv_lines[:60]
    clean = stream(lines, *CROSS, cwd=project.root)
    ts, open_, high, low, close, volume = lines[30].split(",")
    wrong = [
        "",
        f"{ts},{open_},x,{low},{close},{volume}",
        f"{ts},{open_},{low},{high},{close},{volume}",
        '{"ts": 1, "open"',
        '{"ts": "2024-01-08"}',
        lines[29],
        lines[29].replace(",", ",1", 1),
        lines[5],
    ]
    answers = stream([*lines[:30], *wrong, *lines[30:]], *CROSS, cwd=project.root)
    assert decisions_of(answers) == decisions_of(clean)
    errors = of_type(answers, "error")
    kinds = ["bad_line", "bad_line", "bad_bar", "bad_line", "bad_line", "duplicate", "bad_bar", "late"]
    assert [error["kind"] for error in errors] == kinds
    assert [error["line"] for error in errors] == list(range(31, 39))
    assert errors[1]["message"] == f"stdin:32:{len(ts) + len(open_) + 3}: high is not a number: 'x'"
    assert errors[5]["message"].endswith("was taken already, with the same values")
    assert answers[-1]["run"]["errors"] == {"bad_line": 4, "bad_bar": 2, "duplicate": 1, "late": 1}
    assert answers[-1]["bars"] == 60


def test_every_line_of_noise_is_answered(project: Project, csv_lines: list[str]) -> None:
    chance = random.Random(3)
    good = [*csv_lines[:40], *map(json_line, csv_lines[:40])]
    noise = []
    for _ in range(600):
        text = list(chance.choice(good))
        for _ in range(chance.randrange(1, 5)):
            text[chance.randrange(len(text))] = chance.choice('0123456789.,eE+-"{}[]:\\ \x00\x1b\xe9nulltruNaN')
        noise.append("".join(text))
    noise.append("1" * (1 << 20) + ",1")
    answers = stream(noise, *CROSS, cwd=project.root)
    assert len(decisions_of(answers)) + len(of_type(answers, "error")) == len(noise)
    assert answers[-2]["message"] == "stdin:601:1: line is longer than 1 MiB"
    assert all(message["message"].isprintable() for message in of_type(answers, "error"))


def test_a_line_that_the_input_ends_within_is_taken_only_where_its_end_shows(
    project: Project, csv_lines: list[str]
) -> None:
    def answer(last: str) -> Any:
        text = f"{csv_lines[0]}\n{last}"
        done = subprocess.run(
            [str(SENTIO_CLI), "stream", *CROSS], input=text, cwd=project.root, capture_output=True, text=True
        )
        return parsed(done.stdout)[2]

    cut = csv_lines[1][:-1]  # a bar of another volume
    assert answer(cut)["kind"] == "bad_line"
    assert answer(cut)["message"] == f"stdin:2:{len(cut) + 1}: the input ends within the line, which may be cut off"
    assert answer(json_line(csv_lines[1]))["type"] == "decision"
    assert answer(json_line(csv_lines[1])[:-1])["kind"] == "bad_line"
    # As long as the pieces that input is read in, so that nothing of it is left when the input ends.
    assert answer("1" * (17 * 65536 - len(csv_lines[0]) - 1))["message"] == "stdin:2:1: line is longer than 1 MiB"


def test_refused_lines_are_summed_up_on_standard_error(project: Project) -> None:
    done = subprocess.run(
        [str(SENTIO_CLI), "stream", *CROSS], input="1,2\n3\n", cwd=project.root, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "sentio_cli: warning: lines refused: bad_line 2\n")


def test_a_header_that_lacks_a_column_is_no_feed(project: Project) -> None:
    done = subprocess.run(
        [str(SENTIO_CLI), "stream", *CROSS],
        input="ts,open,high,low,close\n",
        cwd=project.root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3
    assert done.stderr == ("sentio_cli: stdin:1:1: the header has no column volume, found 'ts,open,high,low,close'\n")


def test_a_closed_standard_input_ends_the_stream_at_once(project: Project) -> None:
    script = 'exec "$0" stream "$@" <&-'
    done = subprocess.run(
        ["sh", "-c", script, str(SENTIO_CLI), *CROSS], cwd=project.root, capture_output=True, text=True, timeout=10
    )
    assert done.returncode == 1
    assert done.stderr == "sentio_cli: stdin: cannot be read, Bad file descriptor\n"


def test_a_rule_takes_no_options_of_models(project: Project) -> None:
    for option in (("--backend", "torch"), ("--device", "cuda"), ("--threads", "2")):
        code, message = refusal_of("stream", *CROSS, *option, cwd=project.root)
        assert (code, message) == (
            2,
            "sentio_cli: --backend, --device and --threads go with a model, 'sma_cross' is a rule",
        )


def test_missing_bars_are_a_gap_and_a_night_is_none(project: Project, bars: Bars, csv_lines: list[str]) -> None:
    day = int(np.argmax(np.diff(bars.ts) > 3_600_000_000_000)) + 1  # the first bar of the second session
    kept = [*csv_lines[:20], *csv_lines[23 : day + 1], *csv_lines[day + 2 : day + 5]]
    gaps = of_type(stream(kept, *CROSS, cwd=project.root), "gap")
    assert [gap["missing_bars"] for gap in gaps] == [3, 1]
    assert gaps[0]["before"] == decisions_of(stream(csv_lines[:24], *CROSS, cwd=project.root))[-1]["time"]
    assert gaps[0]["interval_s"] == 60


def test_a_warm_start_goes_on_as_if_it_had_seen_the_history(
    project: Project, bars: Bars, csv_lines: list[str], tmp_path: Path
) -> None:
    whole = stream(csv_lines, *MODEL, cwd=project.root)
    half = len(csv_lines) // 2
    history = tmp_path / "history.csv"
    history.write_text("\n".join([HEADER, *csv_lines[:half]]) + "\n")
    live = stream(csv_lines[half:], *MODEL, "--warm", history, cwd=project.root)
    assert live[0]["warm"]["bars"] == half
    assert decisions_of(live) == decisions_of(whole)[half:]


def start_process(arguments: Sequence[str | Path], cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(SENTIO_CLI), "stream", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=cwd,
    )


def run_until_killed(
    arguments: Sequence[str | Path], lines: Sequence[str], *, cwd: Path, decisions: int, signal_: signal.Signals
) -> str:
    """Everything that a run has written when it gets a signal soon after so many decisions."""
    process = start_process(arguments, cwd)
    assert process.stdin is not None
    assert process.stdout is not None
    text, seen = "", 0
    fed = iter(lines)
    while seen < decisions:
        line = next(fed, None)
        if line is None:
            break
        process.stdin.write(line + "\n")
        process.stdin.flush()
        while True:
            answer = process.stdout.readline()
            text += answer
            seen += '"type":"decision"' in answer
            if '"type":"decision"' in answer or '"type":"error"' in answer:
                break
    # Lines it has not answered yet: the signal comes while it works on one of them.
    process.stdin.write("".join(f"{line}\n" for _, line in zip(range(40), fed, strict=False)))
    process.stdin.flush()
    process.send_signal(signal_)
    rest, _ = process.communicate()
    assert process.returncode == (-signal.SIGKILL if signal_ == signal.SIGKILL else 0)
    return text + rest


@pytest.mark.parametrize("strategy", [CROSS, MODEL], ids=["rule", "model"])
def test_a_killed_stream_goes_on_with_the_same_bits(
    project: Project, csv_lines: list[str], tmp_path: Path, strategy: tuple[str, ...]
) -> None:
    lines = csv_lines[:600]
    unbroken = {line["time"]: line for line in decisions_of(stream(lines, *strategy, cwd=project.root))}
    chance = random.Random(11)
    arguments = [*strategy, "--state", tmp_path / "live.state", "--save-every", "7"]
    log = ""
    for _ in range(4):
        decided = len({line["time"] for line in decisions_of(parsed(log))})
        # The feeder begins again, or a little before where the stream was.
        fed = lines[chance.choice([0, max(0, decided - 20)]) :]
        text = run_until_killed(
            arguments, fed, cwd=project.root, decisions=chance.randrange(40, 130), signal_=signal.SIGKILL
        )
        log += text[: text.rfind("\n") + 1]
    log += "".join(json.dumps(line) + "\n" for line in stream(lines, *arguments, cwd=project.root))
    runs = of_type(parsed(log), "start")
    assert [run["state"]["found"] for run in runs] == [False] + [True] * 4
    decisions = decisions_of(parsed(log))
    assert len(decisions) > len(unbroken)  # some were made again
    assert all(line == unbroken[line["time"]] for line in decisions)
    assert {line["time"] for line in decisions} == set(unbroken)


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_stream_with_its_state_saved(
    project: Project, csv_lines: list[str], tmp_path: Path, signal_: signal.Signals
) -> None:
    arguments = [*CROSS, "--state", tmp_path / "live.state", "--save-every", "1000000"]
    lines = parsed(run_until_killed(arguments, csv_lines[:30], cwd=project.root, decisions=30, signal_=signal_))
    assert (lines[-1]["type"], lines[-1]["reason"], lines[-1]["bars"]) == ("end", signal_.name, 30)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["live.state"]
    again = stream(csv_lines[:40], *arguments, cwd=project.root)
    assert again[0]["bars"] == 30
    assert again[-1]["total"]["errors"] == {"duplicate": 1, "late": 29}
    whole = stream(csv_lines[:40], *CROSS, cwd=project.root)
    assert decisions_of(again) == decisions_of(whole)[30:]


def test_a_state_that_does_not_fit_is_refused_by_name(project: Project, csv_lines: list[str], tmp_path: Path) -> None:
    state = tmp_path / "live.state"
    stream(csv_lines[:80], *MODEL, "--state", state, "--save-every", "1000", cwd=project.root)
    whole = state.read_bytes()
    another = f"{state}: stream state: belongs to another strategy or model, found "
    code, message = refusal_of("stream", *CROSS, "--state", state, cwd=project.root)
    assert code == 3
    assert message.startswith(f"sentio_cli: {another}" + '{"name":"tfa"')
    for content in (whole[:-1], whole[: len(whole) // 2], whole[:2000] + b"\0" + whole[2001:], whole + b"\0"):
        state.write_bytes(content)
        code, message = refusal_of("stream", *MODEL, "--state", state, cwd=project.root)
        assert (code, message) == (
            3,
            f"sentio_cli: {state}: stream state: is cut off or altered, its checksum does not fit",
        )
        assert state.read_bytes() == content
    for content in (b"", b"ts,open\n" * 9):
        state.write_bytes(content)
        assert refusal_of("stream", *MODEL, "--state", state, cwd=project.root)[0] == 3


def test_a_state_that_cannot_be_written_ends_the_stream(project: Project, csv_lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "no" / "live.state"
    done = subprocess.run(
        [str(SENTIO_CLI), "stream", *CROSS, "--state", str(path)],
        input=csv_lines[0],
        cwd=project.root,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")  # before any bar is decided
    assert done.stderr == f"sentio_cli: {path}.part: cannot be written, No such file or directory\n"


def row(bars: Bars, i: int) -> tuple[Any, ...]:
    return tuple(bars[name][i].item() for name in COLUMNS)  # type: ignore[call-overload]


def push_all(live: Stream, bars: Bars) -> list[tuple[float, float | None, float | None, str]]:
    answers = [live.push(*row(bars, i)) for i in range(len(bars))]
    return [(a.exposure, a.probability, a.logit, a.reason) for a in answers]


def test_a_stream_in_python_decides_as_the_one_of_the_shell(
    project: Project, bars: Bars, csv_lines: list[str], tmp_path: Path
) -> None:
    shell = decisions_of(
        stream(csv_lines, *MODEL, "--state", tmp_path / "state", "--save-every", "9999", cwd=project.root)
    )
    live = Artifact.load(project.artifact).stream()
    python = push_all(live, bars)
    assert python == [(a["exposure"], a["probability"], a["logit"], a["reason"]) for a in shell]
    assert (live.bars_seen, live.last_ts) == (len(bars), bars.ts[-1])
    resumed = Artifact.load(project.artifact).stream()
    resumed.restore((tmp_path / "state").read_bytes())
    assert resumed.state() == live.state()


def test_a_sequence_model_goes_on_from_any_bar_with_the_same_bits(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", days=3)
    sequences = {"model__kind": "transformer", "model__sequence_length": 8, "model__hidden": 8, "model__heads": 2}
    train(project.load(training__epochs=1, **sequences), overwrite=False, report=Silence())
    artifact, bars = Artifact.load(project.artifact), read_csv(project.root / "bars.csv")
    assert artifact.sequence_length == 8
    series = backtest(bars, "tfa", artifact=artifact)["series"]
    chance = random.Random(4)
    live, probability = artifact.stream(), []
    for i in range(len(bars)):
        probability.append(live.push(*row(bars, i)).probability)
        if chance.random() < 0.05:
            resumed = artifact.stream()
            resumed.restore(live.state())
            live = resumed
    np.testing.assert_array_equal(np.array(probability, dtype=float), series["probability"])


def test_a_stream_in_python_refuses_by_name_and_goes_on(bars: Bars) -> None:
    live = rule_stream("sma_cross", {"fast": 3, "slow": 10})
    push_all(live, bars[:20])
    before = live.state()
    for i, kind in ((19, "duplicate"), (3, "late")):
        with pytest.raises(RefusedBarError) as caught:
            live.push(*row(bars, i))
        assert caught.value.kind == kind
        assert isinstance(caught.value, ValueError)
    with pytest.raises(RefusedBarError, match="open 0 is not above 0"):
        live.push(int(bars.ts[20]), 0.0, 1.0, 1.0, 1.0, 1.0)
    with pytest.raises(TypeError):
        live.push(*row(bars, 20)[:-1])  # type: ignore[call-arg]
    assert live.bars_seen == 20
    whole = rule_stream("sma_cross", {"fast": 3, "slow": 10})
    assert push_all(live, bars[20:]) == push_all(whole, bars)[20:]
    fresh = rule_stream("sma_cross", {"fast": 4, "slow": 10})
    with pytest.raises(InputError, match="belongs to another strategy or model"):
        fresh.restore(before)
    with pytest.raises(ValueError, match="unknown strategy 'sma_cros'; did you mean 'sma_cross'"):
        rule_stream("sma_cros")


def test_a_stream_in_python_is_warmed_up_by_a_history(bars: Bars) -> None:
    live, whole = rule_stream("sma_cross"), rule_stream("sma_cross")
    assert live.warm(bars[:50]) == 50
    assert live.warm(bars[:50]) == 0
    assert live.warm(bars[40:60]) == 10
    assert push_all(live, bars[60:90]) == push_all(whole, bars[:90])[60:]


def write_log(path: Path, *runs: Lines) -> Path:
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for run in runs for line in run))
    return path


@dataclass(frozen=True)
class Replayed:
    code: int
    out: str
    err: str


@pytest.fixture
def replay(project: Project, capsys: pytest.CaptureFixture[str]) -> Callable[..., Replayed]:
    """`sentio replay LOG` on the project's bars."""

    def run_replay(log: Path, *arguments: str | Path) -> Replayed:
        capsys.readouterr()
        words = ["replay", str(log), str(project.root / "bars.csv"), *map(str, arguments)]
        code = run(app, words, program="sentio")
        return Replayed(code, *capsys.readouterr())

    return run_replay


def test_a_replay_finds_a_log_the_same_or_names_the_first_difference(
    project: Project, csv_lines: list[str], tmp_path: Path, replay: Callable[..., Replayed]
) -> None:
    lines = csv_lines[:300]
    state = tmp_path / "state"
    first = stream(lines[:200], *MODEL, "--state", state, "--save-every", "9999", cwd=project.root)
    second = stream(lines[150:], *MODEL, "--state", state, "--save-every", "9999", cwd=project.root)
    model = ("--artifact", project.artifact)
    log = write_log(tmp_path / "live.jsonl", first, second)
    done = replay(log, *model)
    assert done.code == 0, done.err
    assert "The same, bit for bit." in done.out
    assert "errors: late" in done.out

    changed = [dict(line) for line in second]
    target = next(line for line in changed if line["type"] == "decision" and line["bar"] == 250)
    target["probability"] = float(np.nextafter(target["probability"], 1.0))
    done = replay(write_log(tmp_path / "changed.jsonl", first, changed), *model)
    assert done.code == 1
    assert f": {target['time']}: probability: the log has {target['probability']!r}, a fresh run " in done.err

    other = [dict(line) for line in first]
    other[0] = {**other[0], "strategy": {**other[0]["strategy"], "spec_hash": "sha256:0"}}
    done = replay(write_log(tmp_path / "other.jsonl", other), *model)
    assert done.code == 1
    assert "other.jsonl:1: strategy.spec_hash: the log has 'sha256:0', this run 'sha256:" in done.err

    lost = [line for line in first if line.get("bar") != 100]
    done = replay(write_log(tmp_path / "lost.jsonl", lost), *model)
    assert done.code == 1
    assert "the log has no decision for this bar" in done.err


def test_a_replay_runs_the_backend_of_the_log(
    project: Project, csv_lines: list[str], tmp_path: Path, replay: Callable[..., Replayed]
) -> None:
    live = stream(csv_lines[:250], *MODEL, "--backend", "torch", cwd=project.root)
    done = replay(write_log(tmp_path / "torch.jsonl", live), "--artifact", project.artifact)
    assert done.code == 0, done.err
    live[0]["strategy"]["backend"] = "tensor"
    done = replay(write_log(tmp_path / "unknown.jsonl", live), "--artifact", project.artifact)
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert "unknown.jsonl:1: strategy.backend: must be native or torch, found 'tensor'" in done.err


def test_a_replay_of_a_shorter_history_says_from_where_on_it_compares(
    project: Project, csv_lines: list[str], tmp_path: Path, replay: Callable[..., Replayed]
) -> None:
    live = stream(csv_lines[400:1000], *MODEL, cwd=project.root)
    done = replay(write_log(tmp_path / "late.jsonl", live), "--artifact", project.artifact)
    settle = Artifact.load(project.artifact).stream().settle
    assert settle is not None
    assert done.code == 0, done.err
    assert f"features are settled from {decisions_of(live)[settle]['time']} on" in done.out


def test_a_replay_of_a_rule_and_of_what_is_no_log(
    project: Project, csv_lines: list[str], tmp_path: Path, replay: Callable[..., Replayed]
) -> None:
    log = write_log(tmp_path / "rule.jsonl", stream(csv_lines[:100], *CROSS, cwd=project.root))
    cut = tmp_path / "cut.jsonl"
    cut.write_text(log.read_text()[:-400] + log.read_text())  # killed within a line, and started anew
    for path in (log, cut):
        done = replay(path)
        assert done.code == 0, done.err
    assert replay(log, "--artifact", project.artifact).code == 2
    assert replay(tmp_path / "none").code == 3
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text("x\n" + log.read_text())
    done = replay(wrong)
    assert (done.code, done.err) == (
        3,
        "sentio: wrong.jsonl:1: is not a JSON object\n",
    ) or done.code == 3


def test_the_help_of_stream_names_every_option(project: Project) -> None:
    text = run_cli("stream", "--help", cwd=project.root).stdout
    for option in ("--strategy", "--input", "--warm", "--state", "--save-every", "--session", "--interval", "--params"):
        assert option in text

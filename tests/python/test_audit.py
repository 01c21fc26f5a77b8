"""The look-ahead audit, from Python and from the command line: what it must find, and what it must leave alone."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
import torchscript_support
from cli_support import refusal_of, report_of, run_cli
from leaks import LEAKS, Leak, Made, forward_return, momentum, quarters, table
from market_bars import MINUTE_NS, PROJECT, REAL_BARS, market
from native_support import random_model, write_artifact
from sentio_features import Bars, FeatureBuilder, FeatureSpec
from sentio_inference import audit
from training_support import write_bars

from sentio_trainer.schema import ModelConfig

MLP = ModelConfig(kind="mlp", hidden=8)


def known_in_time(bars: Bars) -> Made:
    """What several of the leaks should have been."""
    x = momentum(bars, 4)
    count = np.arange(1, len(bars) + 1)
    day = bars.ts // (96 * 15 * MINUTE_NS)
    first = np.flatnonzero(np.diff(day, prepend=day[0] - 1))
    highest = np.concatenate([np.maximum.accumulate(part) for part in np.split(bars.high, first[1:])])
    held = np.concatenate([[0.0], np.sign(x[:-1])])
    return {
        "x": table(bars),
        "from_mean": x - np.cumsum(x) / count,
        "smooth": np.convolve(bars.close, np.ones(9) / 9)[: len(bars)],
        "logit": table(bars) @ np.array([1.0, -2.0, 0.5]),
        "high_of_the_day_so_far": highest,
        "exposure": x > 0.0,
        "held": held,
        "price": np.where(np.diff(held, prepend=0.0) != 0.0, bars.open, np.nan),
    }


def test_there_are_25_leaks_of_six_kinds() -> None:
    kinds = Counter(leak.kind for leak in LEAKS)
    assert len(LEAKS) == 25
    assert set(kinds) == {"feature", "label", "scaler", "fill", "resample", "threshold"}


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.pipeline.__name__)
def test_a_planted_leak_is_found_by_its_column_and_by_a_bar_that_is_not_later_than_the_cut(leak: Leak) -> None:
    result = audit(quarters(1), leak.pipeline, at_open=leak.at_open, fill_prices=leak.fill_prices)

    assert not result["clean"]
    found = result["differences"][0]
    assert found["column"] == leak.column
    assert all(difference["bar"] <= difference["cut"] for difference in result["differences"])
    assert found["text"].startswith(f"{leak.column} at bar {found['bar']} ({found['time']}) is ")


@pytest.mark.parametrize("seed", range(10))
def test_pipelines_that_know_everything_in_time_are_clean(seed: int) -> None:
    result = audit(quarters(seed), known_in_time, seed=seed, at_open=["held", "price"], fill_prices=["price"])

    assert result["differences"] == []
    assert result["clean"]
    assert result["columns"][:4] == ["x[0]", "x[1]", "x[2]", "from_mean"]


@pytest.mark.parametrize("width", [1, 21])
def test_a_leak_in_a_feature_as_small_as_a_return_over_a_turnover_is_found(width: int) -> None:
    mode: Literal["full", "same"] = "same" if width > 1 else "full"

    def illiquidity(bars: Bars) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        moves = np.abs(np.diff(np.log(bars.close), prepend=np.log(bars.close[0])))
        return {"illiquidity": np.convolve(moves / (1e7 * (1.0 + bars.volume)), np.full(width, 1.0 / width), mode)}

    result = audit(quarters(1), illiquidity)
    assert result["clean"] == (width == 1)


def test_features_of_the_engine_are_clean_to_the_last_bit_and_settle_as_they_say() -> None:
    spec = FeatureSpec.from_json(
        json.dumps(
            {
                "features": [
                    {"name": "rsi", "op": "RSI", "window": 5},
                    {"name": "ema", "op": "EMA", "window": 4, "as": "relative"},
                ]
            }
        )
    )
    assert spec.settle is not None

    def pipeline(bars: Bars) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        return {"x": FeatureBuilder(spec).build(bars)}

    result = audit(market(3, 2000), pipeline, settle={"x": spec.settle}, tolerance=0.0)
    assert result["clean"], result["differences"]
    assert result["starts"] == []
    start = next(check for check in result["checks"] if check["name"] == "start")
    assert start["values"] > 0

    too_soon = audit(market(3, 2000), pipeline, settle={"x": 5}, tolerance=0.0)
    assert {difference["check"] for difference in too_soon["differences"]} == {"start"}


def test_the_pipeline_sees_the_bars_before_the_cut_as_they_are_and_valid_bars_behind_it() -> None:
    bars = quarters(2, 200)
    seen: list[Bars] = []

    def pipeline(given: Bars) -> Made:
        seen.append(given)
        return {"close": given.close}

    assert audit(bars, pipeline, cuts=3, warmup=100)["clean"]
    assert len(seen) == 1 + 3 * (9 + 1)  # as they are, nine kinds of noise, another start
    for given in seen[1:]:
        if given.ts[0] == bars.ts[0]:
            assert np.array_equal(given.close[:101], bars.close[:101])
            assert not np.array_equal(given.close, bars.close)


def test_labels_look_ahead_and_are_found_if_they_are_not_left_out() -> None:
    result = audit(quarters(1), lambda bars: {"x": table(bars), "label": forward_return(bars, 2)}, cuts=5)

    assert {difference["column"] for difference in result["differences"]} == {"label"}


def test_a_rare_leak_needs_cuts_where_it_shows() -> None:
    """A network learned again every two days, of labels that reach two bars beyond: 2 bars of 192 tell."""

    def pipeline(bars: Bars) -> Made:
        score = np.full(len(bars), np.nan)
        x, y = momentum(bars, 3), np.nan_to_num(forward_return(bars, 2))
        for begin in range(192, len(bars), 192):
            slope = np.dot(x[:begin], y[:begin]) / np.dot(x[:begin], x[:begin])
            score[begin : begin + 192] = slope * x[begin : begin + 192]
        return {"score": score}

    result = audit(quarters(1), pipeline)
    assert not result["clean"]
    assert result["differences"][0]["bar"] == 192


def test_the_example_of_the_page_finds_its_leak(tmp_path: Path) -> None:
    write_bars(tmp_path / "SPY_1d.csv", market(1, 600))
    page = (PROJECT / "docs" / "audit.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("z at bar ")
    assert done.stdout.count("\n") == 1


def test_arguments_that_cannot_be_are_refused() -> None:
    bars = quarters(1, 100)
    with pytest.raises(TypeError, match=r"must return a mapping of names to arrays, found <class 'list'>"):
        audit(bars, lambda _: [])  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match=r"x must be an array of real numbers, found <U1"):
        audit(bars, lambda seen: {"x": np.full(len(seen), "a")})
    with pytest.raises(ValueError, match=r"x must be of shape \[n\] or \[n, k\] with n = 100 bars, found \(3,\)"):
        audit(bars, lambda _: {"x": np.zeros(3)})
    with pytest.raises(ValueError, match=r"nothing to audit: no column was made of the bars"):
        audit(bars, lambda _: {})
    with pytest.raises(ValueError, match=r"at_open names 'y', which the pipeline does not return"):
        audit(bars, lambda seen: {"x": seen.close}, at_open=["y"])
    with pytest.raises(ValueError, match=r"cuts must be at least 1, found 0"):
        audit(bars, lambda seen: {"x": seen.close}, cuts=0)
    with pytest.raises(ValueError, match=r"a cut needs 102 bars, its warm-up among them, found 100"):
        audit(bars, lambda seen: {"x": seen.close}, warmup=100)
    with pytest.raises(ValueError, match=r"window must be 0 or at least 12, the warm-up and 2 bars, found 5"):
        audit(bars, lambda seen: {"x": seen.close}, window=5)
    with pytest.raises(ValueError, match=r"tolerance must be at least 0 and below 1, found -1"):
        audit(bars, lambda seen: {"x": seen.close}, tolerance=-1.0)
    with pytest.raises(ZeroDivisionError):
        audit(bars, lambda seen: {"x": seen.close / (1 // (len(seen) // 100))})


# The command line


def model_in(folder: Path) -> Path:
    write_artifact(folder / "artifacts" / "TFA" / "v1", random_model(MLP), window=1)
    return folder / "artifacts"


def test_every_rule_and_a_model_pass_the_command(tmp_path: Path) -> None:
    write_bars(tmp_path / "bars.csv", market(5, 1500))
    artifacts = model_in(tmp_path)
    listed = run_cli("list", "strategies", cwd=tmp_path).stdout.splitlines()
    rules = {line for line in listed if not line.startswith(" ")} - {"tfa"}
    assert {"buy_and_hold", "sma_cross"} <= rules
    for rule in sorted(rules):
        report = report_of("audit", "--strategy", rule, "--bars", "bars.csv", "--cuts", "8", cwd=tmp_path)
        assert report["clean"], report["differences"]
        assert report["strategy"]["name"] == rule
    report = report_of(
        "audit", "--strategy", "tfa", "--artifacts", artifacts, "--bars", "bars.csv", "--cuts", "8", cwd=tmp_path
    )
    assert report["clean"], report["differences"]
    assert [name for name in report["columns"] if name.startswith("feature ")] == [f"feature f{i}" for i in range(11)]
    assert report["columns"][11:] == [
        "logit",
        "probability",
        "exposure",
        "order kind",
        "order price",
        "fill quantity",
        "fill reference",
        "fill price",
        "position",
        "equity",
    ]


def test_what_a_model_of_libtorch_leaves_out_is_said(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(torchscript_support.SPEC.width, 1))
    torchscript_support.write_artifact(tmp_path / "artifacts" / "TFA" / "v1", network)
    write_bars(tmp_path / "bars.csv", market(5, 600))
    arguments = ("audit", "--strategy", "tfa", "--bars", "bars.csv", "--cuts", "4", "--backend", "torch")

    report = report_of(*arguments, cwd=tmp_path)
    assert report["clean"], report["differences"]
    assert report["columns"][-2:] == ["logit", "probability"]
    assert report["left_out"].startswith("Exposures, fills and equity are not compared: LibTorch rounds by batch size")
    assert "Exposures, fills and equity are not compared" in run_cli(*arguments, cwd=tmp_path).stdout


def test_the_table_says_what_was_compared(tmp_path: Path) -> None:
    write_bars(tmp_path / "bars.csv", market(5, 500))
    done = run_cli(
        "audit",
        "X",
        "--strategy",
        "buy_and_hold",
        "--bars",
        "bars.csv",
        "--cuts",
        "4",
        "--json",
        "a.json",
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Look-ahead audit of buy_and_hold on bars.csv, 500 bars"
    assert lines[1] == "4 cuts, seed 1, all bars each"
    assert lines[-1] == "No look-ahead found."
    assert max(map(len, lines)) <= 100
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["settings"] == {"cuts": 4, "seed": 1, "window": 8192, "warmup": 0, "costs": "us_equity"}
    assert [check["trials"] for check in document["checks"]] == [4] * 10 + [1, 37]


def test_a_difference_exits_with_1_and_names_the_bar_the_feature_and_both_values(tmp_path: Path) -> None:
    """A mean that has seen a price 10^15 times its present one settles later than it says of ordinary bars."""
    artifacts = model_in(tmp_path)
    folder = artifacts / "TFA" / "v1"
    features = [{"name": f"f{i}", "op": "EMA", "window": 3 + i, "as": "relative"} for i in range(11)]
    spec = FeatureSpec.from_json(json.dumps({"schema_version": "1.0", "features": features}))
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["expects"] |= {"spec_hash": spec.hash, "emit_from": spec.emit_from, "pad_value": spec.pad_value}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    (folder / "feature_spec.json").write_bytes(spec.to_json().encode())
    calm = market(6, 1200)
    scale = np.where(np.arange(1200) < 3, 1e15, 1.0)
    wild = Bars(calm.ts, calm.open * scale, calm.high * scale, calm.low * scale, calm.close * scale, calm.volume)
    write_bars(tmp_path / "bars.csv", wild)

    arguments = ("audit", "--strategy", "tfa", "--artifacts", artifacts, "--bars", "bars.csv", "--cuts", "10")
    done = run_cli(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert re.fullmatch(
        r"sentio_cli: audit: feature f\d+ at bar \d+ \(2024-.*Z\) is \S+, and \S+ with bars from bar \d+ \(2024-.*Z\)"
        r" on, which should no longer show \(settle \d+\)",
        message,
    )
    assert "differences:" in done.stdout
    assert "No look-ahead found." not in done.stdout


def test_wrong_options_and_short_bars_are_refused(tmp_path: Path) -> None:
    write_bars(tmp_path / "bars.csv", market(5, 31))
    base = ("audit", "--strategy", "sma_cross", "--bars", "bars.csv")
    assert refusal_of(*base, cwd=tmp_path) == (
        3,
        "sentio_cli: 31 bars leave no bar to cut at after the 30 that the strategy wants as warm-up",
    )
    assert refusal_of(*base, "--seed", "-1", cwd=tmp_path) == (2, "sentio_cli: --seed must be at least 0, found -1")
    assert refusal_of(*base, "--cuts", "0", cwd=tmp_path) == (2, "sentio_cli: --cuts must be at least 1, found 0")
    assert refusal_of("audit", "--strategy", "sma_cros", "--bars", "bars.csv", cwd=tmp_path) == (
        2,
        "sentio_cli: unknown strategy 'sma_cros'; did you mean 'sma_cross'?",
    )
    write_bars(tmp_path / "bars.csv", market(5, 100))
    assert refusal_of(*base, "--window", "20", cwd=tmp_path) == (
        2,
        "sentio_cli: --window must be 0 or at least 32, the strategy's warm-up and 2 bars, found 20",
    )


@pytest.mark.parametrize("name", ["SPY_1d.csv", "EURUSD_1h.csv", "SPY_1m_2011.csv.gz"])
def test_rules_are_clean_on_recorded_bars(name: str, tmp_path: Path) -> None:
    path = REAL_BARS / name
    if not path.exists():
        pytest.skip(f"the recorded bars {name} are not beside this project, in ../shared/data")
    report = report_of("audit", "--strategy", "sma_cross", "--bars", path, "--cuts", "20", cwd=tmp_path)
    assert report["clean"], report["differences"]

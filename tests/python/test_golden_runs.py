"""Golden runs: one of each strategy on bars and weights made from integers, the same on every machine."""

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import torch
from market_bars import PROJECT
from native_support import random_model, write_artifact
from rule_support import LIVELY, made_bars
from sentio_inference import Artifact, backtest

from sentio_trainer.models import Normalised
from sentio_trainer.schema import ModelConfig

GOLDEN = PROJECT / "tests" / "golden" / "runs.json"
FEATURES = 11


def network() -> Normalised:
    """Weights that are small whole numbers over a power of two, for returns of about a thousandth."""
    model = random_model(ModelConfig(kind="mlp", hidden=16), inputs=FEATURES)
    draw = random.Random(1)
    with torch.no_grad():
        for weights in model.body.parameters():
            numbers = [draw.randrange(-64, 65) / 128 for _ in range(weights.numel())]
            weights.copy_(torch.tensor(numbers).reshape(weights.shape))
        model.mean.zero_()
        model.std.fill_(1 / 512)
    model.calibrate(slope=0.5, intercept=0.0)
    return model


def golden_runs(folder: Path) -> dict[str, dict[str, Any]]:
    bars = made_bars()
    artifact = Artifact.load(write_artifact(folder / "v1", network(), window=1))
    reports = {name: backtest(bars, name, params=params, capital=1e6) for name, params in LIVELY.items()}
    reports["buy_and_hold"] = backtest(bars, "buy_and_hold", capital=1e6)
    reports["tfa"] = backtest(bars, "tfa", artifact=artifact, capital=1e6)
    runs = {}
    for name, report in reports.items():
        metrics = report["metrics"]
        runs[name] = {
            "fills_hash": report["fills_hash"],
            "fills": metrics["fills"],
            "end_equity": metrics["end_equity"],
            "total_return": metrics["total_return"],
            "max_drawdown": metrics["max_drawdown"]["depth"],
            "trades": metrics["trades"]["count"],
            "win_rate": metrics["trades"]["win_rate"],
            "costs_paid": metrics["costs_paid"]["total"],
        }
    return runs


def test_golden_runs_trade_as_they_did(tmp_path: Path) -> None:
    """Written anew by `PYTHONPATH=tests python tests/python/test_golden_runs.py`, where trading was meant to change."""
    assert golden_runs(tmp_path) == json.loads(GOLDEN.read_text())


def test_golden_runs_trade_on_both_sides_but_for_holding(tmp_path: Path) -> None:
    runs = golden_runs(tmp_path)
    assert all(run["fills"] >= 50 for name, run in runs.items() if name != "buy_and_hold")
    assert runs["buy_and_hold"]["fills"] == 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        GOLDEN.write_text(json.dumps(golden_runs(Path(folder)), indent=2) + "\n")

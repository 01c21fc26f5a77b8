"""The planted edge in full size: what the shipped configurations find on the synthetic market, with one and without.

`python -m benchmarks.edge` takes tens of minutes on one core; `--quick` says whether it runs.
"""

import argparse
import json
import math
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.bars import PROJECT
from benchmarks.report import as_rich, verdict
from benchmarks.tables import Cell, Table, Target
from sentio_trainer.config import given_by_flag, load_config
from sentio_trainer.market import MarketSpec, make_market, write_market
from sentio_trainer.metrics import correlation
from sentio_trainer.report import Silence
from sentio_trainer.samples import load_samples, split_samples
from sentio_trainer.trainers.tfa import train

CONFIGS = {"mlp": "tfa.yaml", "transformer": "tfa_transformer.yaml"}
PLANTED = 0.10


@dataclass(frozen=True, kw_only=True)
class Found:
    """One training; all of it on the test rows."""

    seed: int
    rows: int
    ic: float
    rank_ic: float
    possible: float  # IC of the market's own best forecast
    seconds: float


def find(model: str, *, seed: int, days: int, ic: float) -> Found:
    """Trains a shipped configuration on a market of its own; one seed for both."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "pyproject.toml").touch()
        shutil.copytree(PROJECT / "configs", root / "configs")
        market = MarketSpec(days=days, seed=seed, ic=ic)
        (root / "data" / "equities").mkdir(parents=True)
        write_market(market, root / "data" / "equities" / "QQQ_NH.csv", overwrite=False)
        changed = {"training.seed": seed, "tracking.plot": False}
        overrides = [given_by_flag(key, value, flag="edge") for key, value in changed.items()]
        loaded = load_config(root / "configs" / CONFIGS[model], overrides=overrides, environment={})
        began = time.monotonic()
        trained = train(loaded, overwrite=False, report=Silence())
        seconds = time.monotonic() - began
        assert trained is not None  # there is one process
        scores = trained.evaluation.model
        samples = load_samples(loaded, Silence())
        test = split_samples(samples, loaded.config.data.split, Silence()).test.indices()
    possible = correlation(make_market(market).best_forecast[test], samples.labels.forward_return[test])
    return Found(
        seed=seed,
        rows=len(test),
        ic=math.nan if scores.ic is None else scores.ic.value,
        rank_ic=math.nan if scores.rank_ic is None else scores.rank_ic.value,
        possible=math.nan if possible is None else possible,
        seconds=seconds,
    )


def noise(found: Sequence[Found]) -> tuple[float, float]:
    """Mean of |IC| where there is nothing to find, and its standard error.

    An IC of n independent rows is then nearly normal with standard deviation 1 / sqrt(n).
    """
    sizes = [1.0 / math.sqrt(each.rows) for each in found]
    expected = math.sqrt(2.0 / math.pi) * float(np.mean(sizes))
    return expected, math.sqrt((1.0 - 2.0 / math.pi) * float(np.mean(np.square(sizes))) / len(found))


def recovered(model: str, found: Sequence[Found]) -> tuple[Table, Target]:
    rows: list[list[Cell]] = [
        [f"seed {each.seed}", each.rows, each.possible, each.ic, each.rank_ic, each.ic / PLANTED, each.seconds]
        for each in found
    ]
    mean = float(np.mean([each.ic for each in found]))
    rows.append(
        [
            "mean",
            sum(each.rows for each in found),
            float(np.mean([each.possible for each in found])),
            mean,
            float(np.mean([each.rank_ic for each in found])),
            mean / PLANTED,
            sum(each.seconds for each in found),
        ]
    )
    table = Table(
        key=f"edge_{model}",
        title=f"A planted IC of {PLANTED:g}: {CONFIGS[model]}",
        text="`possible` is the IC of the market's own best forecast of the standardised return on the same test rows.",
        headings=("market and training", "test rows", "possible", "IC", "rank IC", "of the planted", "seconds"),
        rows=rows,
    )
    return table, Target(
        what=f"{model}: share of the planted IC", limit=0.7, found=mean / PLANTED, unit="", at_least=True
    )


def nothing(model: str, found: Sequence[Found]) -> tuple[Table, Target]:
    size = float(np.mean([abs(each.ic) for each in found]))
    expected, error = noise(found)
    table = Table(
        key=f"no_edge_{model}",
        title=f"No planted edge: {CONFIGS[model]}",
        text=f"{len(found)} seeds. Noise alone has a mean |IC| of `expected`, give or take `error`.",
        headings=("model", "test rows", "mean IC", "mean |IC|", "expected", "error", "errors away"),
        rows=[
            [
                model,
                sum(each.rows for each in found),
                float(np.mean([each.ic for each in found])),
                size,
                expected,
                error,
                (size - expected) / error,
            ]
        ],
    )
    return table, Target(
        what=f"{model}: mean |IC| without an edge, in errors from noise",
        limit=2.0,
        found=abs(size - expected) / error,
        unit="",
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edge", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few bars and seeds: does it run, not what is found")
    parser.add_argument("--model", action="append", choices=CONFIGS, help="one of the models; all without it")
    parser.add_argument("--days", type=int, default=1_000, help="sessions of a market with an edge")
    parser.add_argument("--days-without", type=int, default=250, help="sessions of a market without one")
    parser.add_argument("--out", type=Path, help="a JSON file for all figures")
    given = parser.parse_args()
    days, days_without = (12, 12) if given.quick else (given.days, given.days_without)
    console = Console()
    tables: list[Table] = []
    targets: list[Target] = []
    for model in given.model or CONFIGS:
        with_edge = [find(model, seed=seed, days=days, ic=PLANTED) for seed in range(1, 2 if given.quick else 4)]
        without = [find(model, seed=seed, days=days_without, ic=0.0) for seed in range(1, 3 if given.quick else 11)]
        for table, target in (recovered(model, with_edge), nothing(model, without)):
            console.print(as_rich(table))
            console.print(f"{target.what}: {target.found:.2f}, {verdict(target)}")
            tables.append(table)
            targets.append(target)
    if given.out:
        document = {"tables": [vars(table) for table in tables], "targets": [vars(target) for target in targets]}
        given.out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

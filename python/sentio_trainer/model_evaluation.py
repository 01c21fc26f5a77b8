"""`sentio evaluate`: runs, compares and writes."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sentio_trainer.artifact import to_json
from sentio_trainer.comparison_document import DOCUMENT, PAGE, PLOT, Settings, comparison_document, free_folder
from sentio_trainer.comparison_page import report_page
from sentio_trainer.comparison_plot import comparison_png, require_matplotlib
from sentio_trainer.errors import ConfigError
from sentio_trainer.files import write_folder
from sentio_trainer.model_comparison import compare_runs
from sentio_trainer.model_list import parse_models
from sentio_trainer.model_runs import check_costs, choose_calendar, open_traders, run_models
from sentio_trainer.named_bars import DATA_DIR, parse_bars_files, read_named_bars

COSTS = "us_equity"
OUT = Path("evaluation_results")
# A display of so many steps; what it yields is called after each.
Steps = Callable[[int], AbstractContextManager[Callable[[], None]]]


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    folder: Path
    document: Mapping[str, Any]


def evaluate_models(
    models: Sequence[str],
    symbols: Sequence[str],
    *,
    steps: Steps,
    test_days: int = 90,
    data_dir: Path = DATA_DIR,
    bars: Sequence[str] = (),
    costs: str = COSTS,
    session: str | None = None,
    jobs: int = 1,
    out: Path = OUT,
    seed: int = 0,
    allow_in_sample: bool = False,
    plots: bool = True,
) -> Evaluated:
    """Runs every model over the same last sessions of every symbol, compares them, and writes what was found.

    Args:
        models: as `parse_models` reads them.
        symbols: names of their bars files.
        steps: a display of the backtests.
        test_days: sessions measured, the last that all symbols have.
        data_dir: where bars are looked for.
        bars: files of symbols, `SYMBOL=FILE`, before those of `data_dir`.
        costs: a shipped cost model or a file.
        session: calendar; what the models were trained with if not given.
        jobs: backtests at a time.
        out: folder of the evaluation's folder.
        seed: of the bootstrap.
        allow_in_sample: ranks also models that were trained on measured bars.
        plots: draws the picture, which needs matplotlib.

    Raises:
        ConfigError: an argument is wrong, or matplotlib is missing.
        DataError: bars are wrong, missing or too few.
        ArtifactError: a model is wrong.
        SentioError: a backtest fails.
    """
    if plots:
        require_matplotlib()
    for name, value in (("--test-days", test_days), ("--jobs", jobs)):
        if value < 1:
            raise ConfigError(f"{name}: must be at least 1, found {value}")
    if seed < 0:
        raise ConfigError(f"--seed: must be at least 0, found {seed}")
    if twice := [symbol for i, symbol in enumerate(symbols) if symbol in symbols[:i]]:
        raise ConfigError(f"--test-symbols: {twice[0]} is given twice")
    files = parse_bars_files(bars)
    if unused := [symbol for symbol in files if symbol not in symbols]:
        raise ConfigError(f"--bars {unused[0]}={files[unused[0]]}: {unused[0]} is not among --test-symbols")
    check_costs(costs)
    now = datetime.now(timezone.utc)
    folder = free_folder(out, now)
    traders = open_traders(parse_models(models))
    calendar = choose_calendar(traders, session)
    named = [read_named_bars(symbol, files=files, data_dir=data_dir) for symbol in symbols]
    with steps(len(traders) * len(named)) as advance:
        runs = run_models(traders, named, days=test_days, calendar=calendar, costs=costs, jobs=jobs, advance=advance)
    found = compare_runs(runs, allow_in_sample=allow_in_sample, seed=seed)
    settings = Settings(test_days=test_days, allow_in_sample=allow_in_sample, seed=seed)
    document = comparison_document(found, settings, created_at=now)
    contents = {
        DOCUMENT: to_json(document),
        PAGE: report_page(document, plot=PLOT if plots else None).encode(),
    }
    if plots:
        contents[PLOT] = comparison_png(document)
    write_folder(folder, contents)
    return Evaluated(folder=folder, document=document)

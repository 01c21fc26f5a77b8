"""What a report page is made of: the folder as C++ wrote it, and the figures that the charts add."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_runs import changed, session_bars, traded

from sentio_trainer.errors import DataError
from sentio_trainer.pages.derived import (
    activity,
    calibration,
    cumulative_costs,
    drawdown,
    monthly_returns,
    round_trips,
    wilson,
)
from sentio_trainer.pages.folder import Fills, ReportFolder, read_folder, report_folders
from sentio_trainer.pages.thinned import kept_points

BARS = session_bars(45)
PROBABILITY = np.random.default_rng(2).uniform(0.4, 0.6, len(BARS))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("report") / "run"
    return folder, traded(folder, BARS, probability=PROBABILITY, fractional=True)


@pytest.fixture
def folder(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(made[0], tmp_path / "run"))


@pytest.fixture(scope="module")
def run(made: tuple[Path, dict[str, Any]]) -> ReportFolder:
    return read_folder(made[0])


def test_the_columns_are_those_of_the_run_to_the_last_bit(made: tuple[Path, dict[str, Any]]) -> None:
    run, (_, report) = read_folder(made[0]), made
    for name in ("ts", "equity", "position"):
        np.testing.assert_array_equal(getattr(run, name), report["series"][name])
    np.testing.assert_array_equal(run.open, BARS.open[-len(run.ts) :])
    np.testing.assert_array_equal(run.close, BARS.close[-len(run.ts) :])
    np.testing.assert_array_equal(run.probability, PROBABILITY[-len(run.probability) :])
    for name in ("ts", "quantity", "price", "commission", "borrow", "position"):
        np.testing.assert_array_equal(getattr(run.fills, name), report["fills"][name])


def cut(name: str, lines: int) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        kept = (folder / name).read_text().splitlines(keepends=True)[:-lines]
        (folder / name).write_text("".join(kept))

    return change


def swap(name: str, line: int, old: str, new: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        lines = (folder / name).read_text().splitlines(keepends=True)
        assert old in lines[line - 1]
        lines[line - 1] = lines[line - 1].replace(old, new, 1)
        (folder / name).write_text("".join(lines))

    return change


def dropped(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (dropped("equity.csv"), "equity.csv: is missing, half a report"),
        (dropped("fills.csv"), "fills.csv: is missing, half a report"),
        (dropped("decisions.csv"), "decisions.csv: is missing, half a report"),
        (cut("equity.csv", 3), "equity.csv: must have 2700 rows, one a measured bar of report.json, found 2697"),
        (cut("decisions.csv", 1), "decisions.csv: must have the bars of equity.csv"),
        (cut("fills.csv", 1), "fills.csv: is not of this report.json: fills_hash is sha256:"),
        (swap("equity.csv", 1, "close", "last"), "equity.csv:1: has no column close; found ts,open,last,"),
        (swap("equity.csv", 5, ",", ",2x"), "equity.csv:5: open is not a number: '2x"),
        (swap("equity.csv", 7, "2024-01-02T14:35:00Z", "2024-01-02T14:33:00Z"), "equity.csv:7: ts is before that of"),
        (swap("equity.csv", 9, ",", ",nan,"), "equity.csv:9: open is not a finite number"),
        (lambda f: changed(f, lambda d: d.update(schema_version="1.0")), "schema_version must be 2.x, found 1.0"),
        (lambda f: changed(f, lambda d: d.pop("schema_version")), "is not a report: schema_version must be a text"),
        (lambda f: changed(f, lambda d: d.pop("metrics")), "report.json: metrics is missing"),
        (lambda f: changed(f, lambda d: d["broker"].pop("capital")), "report.json: broker.capital is missing"),
        (lambda f: (f / "report.json").write_text('{"a": 1,\n nonsense'), "report.json:2: is not JSON"),
    ],
)
def test_a_broken_folder_is_refused_with_its_place(folder: Path, harm: Callable[[Path], object], message: str) -> None:
    harm(folder)
    with pytest.raises(DataError) as refused:
        read_folder(folder)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none", "no such folder"), (tmp_path, "holds no report.json")):
        with pytest.raises(DataError, match=message):
            report_folders(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file"):
        report_folders(tmp_path / "file")


def test_drawdowns_are_measured_from_the_highest_equity_and_the_capital() -> None:
    found = drawdown(np.array([90.0, 120.0, 60.0, 150.0]), 100.0)
    np.testing.assert_allclose(found, [0.1, 0.0, 0.5, 0.0])


def test_the_deepest_drawdown_is_that_of_the_report(run: ReportFolder) -> None:
    assert drawdown(run.equity, run.capital).max() == pytest.approx(run.number("metrics.max_drawdown.depth"))
    assert drawdown(run.held_equity, run.capital).max() == pytest.approx(run.number("buy_and_hold.max_drawdown.depth"))


def test_months_compound_to_the_return_of_the_whole(run: ReportFolder) -> None:
    months = monthly_returns(run.ts, run.equity, run.capital)
    assert months.month == ["2024-01", "2024-02"]
    growth = np.prod([1.0 + value for value in months.value if value is not None])
    assert growth - 1.0 == pytest.approx(run.number("metrics.total_return"))


def test_a_month_after_ruin_has_no_return() -> None:
    ts = np.array(["2024-01-31", "2024-02-01", "2024-03-01"], dtype="datetime64[ns]").astype(np.int64)
    assert monthly_returns(ts, np.array([110.0, 0.0, 0.0]), 100.0).value == [pytest.approx(0.1), -1.0, None]


def test_round_trips_have_the_figures_of_the_report(run: ReportFolder) -> None:
    profit = round_trips(run.fills).profit
    assert np.any(run.fills.position < 0.0), "the run is meant to be short at times"
    wins, losses = profit[profit > 0.0], profit[profit < 0.0]
    assert len(profit) == run.number("metrics.trades.count")
    assert len(profit) > 100
    assert len(wins) / len(profit) == pytest.approx(run.number("metrics.trades.win_rate"))
    assert wins.mean() == pytest.approx(run.number("metrics.trades.average_win"))
    assert losses.mean() == pytest.approx(run.number("metrics.trades.average_loss"))
    assert profit.mean() == pytest.approx(run.number("metrics.trades.expectancy"))


def fills_of(*rows: tuple[float, ...]) -> Fills:
    """Fills of quantity, price, commission, position after; a minute apart."""
    quantity, price, commission, position = (np.array(column) for column in zip(*rows, strict=True))
    none = np.zeros(len(rows))
    ts = 60 * np.arange(len(rows), dtype=np.int64)
    at = np.full(len(rows), b"open")
    return Fills(ts=ts, at=at, quantity=quantity, price=price, commission=commission, spread=none, slippage=none,
                 borrow=none, position=position)  # fmt: skip


def test_a_fill_that_turns_a_position_round_ends_a_trade_and_begins_one() -> None:
    # Long 10 at 100; 30 sold at 110 for a commission of 3: 10 of them close, 20 open a short, closed at 105.
    found = round_trips(fills_of((10, 100, 1, 10), (-30, 110, 3, -20), (20, 105, 2, 0)))
    np.testing.assert_allclose(found.profit, [10 * 10 - 1 - 1, 20 * 5 - 2 - 2])
    assert found.entry_ts.tolist() == [0, 60]
    assert found.exit_ts.tolist() == [60, 120]


def test_a_position_that_is_open_at_the_end_is_no_trade() -> None:
    assert len(round_trips(fills_of((10, 100, 1, 10)))) == 0


@pytest.mark.parametrize("groups", [1, 7, 10_000])
def test_no_turnover_and_no_exposure_is_lost_in_groups(run: ReportFolder, groups: int) -> None:
    found = activity(run, groups=groups)
    begins = np.arange(0, len(run.ts), found.bars)
    lengths = np.diff(np.append(begins, len(run.ts)))
    equity = np.add.reduceat(run.equity, begins) / lengths
    assert len(found.ts) <= groups
    assert np.sum(found.turnover * equity) == pytest.approx(np.abs(run.fills.quantity * run.fills.price).sum())
    exposure = np.mean(run.position * run.close / run.equity)
    assert np.average(found.exposure, weights=lengths) == pytest.approx(exposure)


def test_costs_add_up_to_those_of_the_report(run: ReportFolder) -> None:
    ends = {kind: float(paid[-1]) for kind, paid in cumulative_costs(run.fills).items()}
    assert ends["commission"] == pytest.approx(run.number("metrics.costs_paid.commission"))
    assert ends["half-spread"] == pytest.approx(run.number("metrics.costs_paid.spread"))
    assert ends["slippage"] == pytest.approx(run.number("metrics.costs_paid.slippage"))


def test_wilson_s_interval_has_its_published_values() -> None:
    # Newcombe, Statistics in Medicine 17, 1998, table I, method 3: 81 of 263 and 0 of 20.
    np.testing.assert_allclose(wilson(81 / 263, 263), (0.2553, 0.3662), atol=5e-5)
    np.testing.assert_allclose(wilson(0.0, 20), (0.0, 0.1611), atol=5e-5)


def knowing(folder: Path, horizon: int, kind: str) -> ReportFolder:
    """A run whose probability is 0.9 before the event of such a label, else 0.2."""
    rose = np.zeros(len(BARS), dtype=bool)
    if kind == "open_to_open":
        rose[: -horizon - 1] = BARS.open[horizon + 1 :] > BARS.open[1:-horizon]
    else:
        rose[:-horizon] = BARS.close[horizon:] > BARS.close[:-horizon]
    traded(folder, BARS, probability=np.where(rose, 0.9, 0.2))
    changed(folder, lambda document: document["strategy"].update(label={"kind": kind, "horizon": horizon}))
    return read_folder(folder)


@pytest.mark.parametrize(("kind", "horizon"), [("open_to_open", 1), ("open_to_open", 3), ("logret_fwd", 1),
                                               ("direction", 5)])  # fmt: skip
def test_a_forecast_that_knows_the_future_always_comes_true(tmp_path: Path, kind: str, horizon: int) -> None:
    bins = calibration(knowing(tmp_path / "run", horizon, kind)).bins
    assert {each.observed for each in bins if each.predicted == pytest.approx(0.9)} == {1.0}
    assert {each.observed for each in bins if each.predicted == pytest.approx(0.2)} == {0.0}
    assert sum(each.count for each in bins) > len(BARS) - horizon - 5


def test_forecasts_of_noise_come_true_half_of_the_time(run: ReportFolder) -> None:
    found = calibration(run)
    assert found.event == "the open 2 bars after the decision is above the next open"
    assert len(found.bins) == 10
    assert sum(each.low < 0.5 < each.high for each in found.bins) >= 8  # of 10 intervals of 95 %


def test_a_rule_has_no_calibration(tmp_path: Path) -> None:
    traded(tmp_path / "run", session_bars(3))
    found = calibration(read_folder(tmp_path / "run"))
    assert (found.bins, found.missing) == ([], "The strategy is a rule: it gives no probability.")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.sampled_from([4, 8, 40]))
def test_a_thinned_line_keeps_its_ends_its_lowest_and_its_highest(numbers: list[float], most: int) -> None:
    values = np.array(numbers)
    kept = kept_points(values, most=most)
    assert np.all(np.diff(kept) > 0)
    assert len(kept) <= max(most, 1)
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    assert values[kept].min() == values.min()
    assert values[kept].max() == values.max()
    if len(values) <= most:
        assert len(kept) == len(values)


def test_every_group_of_a_thinned_line_keeps_its_extremes() -> None:
    values = np.random.default_rng(3).normal(size=1_000)
    kept = set(kept_points(values, most=40).tolist())
    for begin in range(0, 1_000, 100):
        part = values[begin : begin + 100]
        assert {begin, begin + int(part.argmin()), begin + int(part.argmax()), begin + 99} <= kept


def test_report_json_names_what_the_page_needs(made: tuple[Path, dict[str, Any]]) -> None:
    document = json.loads((made[0] / "report.json").read_text())
    assert {"sha256", "file", "synthetic"} <= set(document["bars"])

"""The rule strategies: an independent reference, written from their descriptions, gives the same exposures."""

from typing import Any

import numpy as np
import pytest
from cli_support import run_cli
from market_bars import MINUTE_NS, PROJECT, REAL_BARS
from reference.rules import RULES, History
from rule_support import LIVELY, made_bars
from sentio_features import Bars, read_csv
from sentio_inference import backtest, rule_stream


@pytest.fixture(scope="module")
def bars() -> Bars:
    return made_bars()


def exposures(bars: Bars, name: str, params: dict[str, Any]) -> list[float]:
    found: list[float] = backtest(bars, name, params=params)["series"]["exposure"].tolist()
    return found


def reference(bars: Bars, name: str, params: dict[str, Any]) -> list[float]:
    filled = rule_stream(name, params).identity["params"]
    history = History(ts=bars.ts.tolist(), **{c: bars[c].tolist() for c in ("open", "high", "low", "close", "volume")})
    return RULES[name](history, filled)


def test_every_rule_has_a_reference_and_lively_params() -> None:
    listed = run_cli("list", "strategies", cwd=PROJECT).stdout.splitlines()
    names = {line.strip() for line in listed if not line.startswith(" ")} - {"tfa"}
    assert names == set(RULES) == set(LIVELY) | {"buy_and_hold"}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("lively", [False, True], ids=["defaults", "lively"])
@pytest.mark.parametrize("every", [1, 7])
def test_a_rule_wants_what_its_reference_wants(name: str, lively: bool, every: int) -> None:
    bars = made_bars(seed=11, every=every)
    params = LIVELY.get(name, {}) if lively else {}
    found = exposures(bars, name, params)
    assert found == reference(bars, name, params)
    if lively and params:
        assert {-1.0, 0.0, 1.0} == set(found)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("file", ["SPY_1m_2011.csv.gz", "EURUSD_1h.csv", "SPY_1d.csv"])
def test_a_rule_wants_what_its_reference_wants_on_real_bars(name: str, file: str) -> None:
    if not (REAL_BARS / file).exists():
        pytest.skip(f"real bars {file} are not here")
    whole = read_csv(REAL_BARS / file)
    bars = whole[-4000:]
    params = LIVELY.get(name, {})
    assert exposures(bars, name, params) == reference(bars, name, params)


@pytest.mark.parametrize("name", ["opening_range_breakout", "vwap_reversion"])
def test_a_session_that_the_bars_begin_within_is_left_out(name: str, bars: Bars) -> None:
    """From the second session on, rules of sessions decide the same wherever in the first one the bars begin."""
    params = LIVELY[name]
    whole = exposures(bars, name, params)
    for cut in (1, 100, 389):
        later = exposures(bars[cut:], name, params)
        assert set(later[: 390 - cut]) == {0.0}
        assert later[390 - cut :] == whole[390:]


@pytest.mark.parametrize("name", ["opening_range_breakout", "vwap_reversion"])
@pytest.mark.parametrize("every", [1, 15, 30])
def test_a_rule_of_sessions_holds_nothing_overnight(name: str, every: int) -> None:
    bars = made_bars(every=every)
    report = backtest(bars, name, params=LIVELY[name])
    position = report["series"]["position"]
    days = bars.ts // (24 * 60 * MINUTE_NS)  # New York's regular hours lie in one UTC date
    last = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    assert len(report["fills"]["ts"]) > 10
    assert not position[last].any()

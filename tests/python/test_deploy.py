"""Models reach production through gates, whole or not at all, and come back from there."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_support import SENTIO_CLI
from deploy_support import ANY, Listener, Shop, alter, deploy, inside, make_shop, seal_of, set_metadata, tree
from sentio_features import Bars, read_csv
from sentio_inference import Artifact, backtest
from sentio_inference import ArtifactError as RefusedArtifact
from training_support import ONE_THREAD, command, write_bars

from sentio_trainer import ledger
from sentio_trainer.bars import synthetic_mark
from sentio_trainer.cli import app, run
from sentio_trainer.deployment import DeploymentError, ModelDeployer, deployed_models
from sentio_trainer.errors import ArtifactError, ConfigError, SentioError, StoppedError
from sentio_trainer.files import exclusive_lock, sha256_file
from sentio_trainer.gates import Limits
from sentio_trainer.releases import remove_tree

Json = dict[str, Any]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("deploy") / "project", days=50, test=0.5)


@pytest.fixture
def production(tmp_path: Path) -> Path:
    return tmp_path / "models" / "production"


@pytest.fixture
def own_shop(shop: Shop, tmp_path: Path) -> Shop:
    """A copy to break."""
    root = tmp_path / "project"
    shutil.copytree(shop.root, root, ignore=shutil.ignore_patterns("cache"))
    return Shop(project=type(shop.project)(root=root))


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(DeploymentError) as raised:
        work()
    assert raised.value.deployment.outcome in ("refused", "rolled back")
    return str(raised.value)


def tpa_test(shop: Shop, production: Path, name: str, *arguments: str) -> Json:
    words = (
        "QQQ",
        "--bars",
        shop.bars,
        "--artifacts",
        production.parent,
        "--model",
        production.name,
        "--version",
        name,
    )
    line = [SENTIO_CLI, "tpa_test", *words, "--strategy", "tfa", *arguments, "--json", "-"]
    done = subprocess.run([str(word) for word in line], capture_output=True, text=True, check=True)
    report: Json = json.loads(done.stdout)
    return report


def test_what_is_deployed_is_the_artifact_and_trades_as_it_was_judged(shop: Shop, production: Path) -> None:
    deployment = deploy(shop, production)
    assert (deployment.outcome, deployment.names, deployment.backup) == ("deployed", ["tfa"], None)
    assert production.readlink() == Path("releases") / deployment.id
    release = production.resolve()
    assert tree(release / "tfa") == tree(shop.artifact("v1"))
    model = deployment.document["models"]["tfa"]
    assert model["files"] == {path.name: sha256_file(path) for path in shop.artifact("v1").iterdir()}
    (evidence,) = model["evidence"]
    report = tpa_test(shop, production, "tfa", "--days", str(evidence["sessions"]))
    assert report["fills_hash"] == evidence["fills_hash"]
    assert report["metrics"]["fills"] > 10
    assert evidence["bars_hash"] == sha256_file(shop.bars)
    record = json.loads((production.parent / "deployments" / f"deployment_{deployment.id}.json").read_text())
    assert record == deployment.document
    assert Artifact.load(production / "tfa").folder == release / "tfa"  # the link is followed once, then left
    assert model["backends"] == ["native", "torch"]


def test_a_deployed_model_is_deflated_by_the_trials_that_it_was_picked_from(shop: Shop, production: Path) -> None:
    path = ledger.ledger_path(shop.artifact("v1"))
    own, before = ledger.read(path)[0], path.read_bytes()
    try:
        for number in range(9):
            ledger.append(path, replace(own, study="wide", config_hash=f"sha256:{number}"))
        ledger.append(path, replace(own, version="v9", config_hash="sha256:elsewhere", data_hash="sha256:other"))
        deployment = deploy(shop, production)
        ours = Artifact.load(shop.artifact("v1")).trials
        assert ours is not None
        assert ours["count"] == 11  # v1 and v2 as they were trained, and nine of the study
    finally:
        path.write_bytes(before)
    deploy(shop, production, "v2", name="other")
    (evidence,) = deployment.document["models"]["tfa"]["evidence"]
    sessions = str(evidence["sessions"])
    trials = {"count": 11, "from": "deployment.json, by the ledger when it was deployed"}
    for reports in (tpa_test(shop, production, "tfa", "--days", sessions), backtest_of(shop, production / "tfa")):
        assert reports["evidence"]["trials"] == trials
    found = tpa_test(shop, production, "tfa", "--days", sessions)["evidence"]
    assert found["deflated_sharpe"] == evidence["evidence"]["deflated_sharpe"] < found["probabilistic_sharpe"]
    assert tpa_test(shop, production, "other", "--days", sessions)["evidence"]["trials"]["count"] == 2
    ModelDeployer(production).rollback()
    assert tpa_test(shop, production, "tfa", "--days", sessions)["evidence"]["trials"] == trials
    # A model that is deployed from where it was deployed to keeps its number.
    ModelDeployer(production).deploy({"again": production / "tfa"}, shop.bench())
    assert tpa_test(shop, production, "again", "--days", sessions)["evidence"]["trials"]["count"] == 11


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"models": {"other": {}}}, "must say what was deployed as 'tfa'"),
        ([], "must say what was deployed as 'tfa'"),
        ({"models": {"tfa": {"trials": 0}}}, "the trials of 'tfa' must be a whole number of at least 1, found 0"),
        ({"models": {"tfa": {"trials": "3"}}}, "the trials of 'tfa' must be a whole number of at least 1, found \"3\""),
    ],
)
def test_a_deployment_that_does_not_say_its_trials_is_refused(
    shop: Shop, tmp_path: Path, document: object, message: str
) -> None:
    artifact = Artifact.load(shutil.copytree(shop.artifact("v1"), tmp_path / "tfa"))
    assert artifact.trials is None  # neither a ledger nor a deployment
    (tmp_path / "deployment.json").write_text('{"models": {"tfa": {"trials": null}}}')
    assert artifact.trials is None  # deployed without a ledger
    (tmp_path / "deployment.json").write_text(json.dumps(document))
    with pytest.raises(RefusedArtifact, match=re.escape(f"deployment.json: {message}")):
        _ = artifact.trials


def backtest_of(shop: Shop, folder: Path) -> Json:
    return dict(backtest(read_csv(shop.bars), "tfa", artifact=Artifact.load(folder)))


def test_a_release_cannot_be_written_by_accident(shop: Shop, production: Path) -> None:
    deploy(shop, production)
    paths = [production.resolve(), *production.resolve().rglob("*")]
    assert [path for path in paths if path.stat().st_mode & 0o222] == []


def test_gates_see_whole_sessions_that_the_model_has_not_seen_and_no_others(shop: Shop, production: Path) -> None:
    (evidence,) = deploy(shop, production).document["models"]["tfa"]["evidence"]
    data = json.loads((shop.artifact("v1") / "metadata.json").read_text())["data"]
    seen = data["validation"][1]
    first = evidence["measured"]["first"]
    assert first[:10] > seen[:10]  # ISO 8601: later texts are later times
    assert first.endswith("T14:30:00Z")  # New York opens at 9:30
    days = sorted({str(day) for day in read_csv(shop.bars).ts.astype("datetime64[ns]").astype("datetime64[D]")})
    assert evidence["sessions"] == sum(day > seen[:10] for day in days)
    assert evidence["measured"]["samples"]["out-of-sample"] == evidence["measured"]["bars"]


def figures_of(shop: Shop, folder: Path) -> dict[str, float]:
    """The figures of the model over its unseen sessions, from an own run of the command line."""
    seen = json.loads((shop.artifact("v1") / "metadata.json").read_text())["data"]["validation"][1]
    opening = np.datetime64(seen[:10]) + 1
    line = ("backtest", "QQQ", "--bars", shop.bars, "--strategy", "tfa", "--artifacts", shop.root / "artifacts")
    words = (*line, "--version", "v1", "--from", str(opening), "--json", "-", "--out", folder)
    done = subprocess.run([str(SENTIO_CLI), *map(str, words)], capture_output=True, text=True, check=True)
    metrics = json.loads(done.stdout)["metrics"]
    equity = np.genfromtxt(folder / "equity.csv", delimiter=",", names=True)["equity"]
    drawdown = 1.0 - np.min(np.append(1e5, equity) / np.maximum.accumulate(np.append(1e5, equity)))
    assert metrics["max_drawdown"]["depth"] == pytest.approx(drawdown, rel=1e-9)
    trades = metrics["trades"]
    return {
        "min_sharpe": metrics["sharpe"],
        "max_drawdown": metrics["max_drawdown"]["depth"],
        "min_win_rate": trades["win_rate"],
        "min_profit_factor": trades["profit_factor"],
    }


def test_a_figure_at_its_limit_passes_and_one_beyond_it_does_not(shop: Shop, production: Path, tmp_path: Path) -> None:
    figures = figures_of(shop, tmp_path / "run")
    deployer, models = ModelDeployer(production), {"tfa": shop.artifact("v1")}
    deployment = deployer.deploy(models, shop.bench(Limits(**figures)))
    trades, *others = deployment.gates["tfa"]
    assert (trades.figure, trades.limit) == ("trades", 1)
    assert [gate.value for gate in others] == list(figures.values())
    for name, value in figures.items():
        beyond = float(np.nextafter(value, -np.inf if name == "max_drawdown" else np.inf))
        figure = name.removeprefix("min_")
        told = refusal(lambda: deployer.deploy(models, shop.bench(Limits(**{**figures, name: beyond}))))  # noqa: B023
        assert told.startswith(f"not deployed: tfa: QQQ {figure} must be ")
        assert told.count(" must be ") == 1
        assert told.endswith("production is as it was")
    assert production.readlink().name == deployment.id


def test_a_sharpe_ratio_of_few_sessions_passes_no_gate(shop: Shop, production: Path) -> None:
    for limits in (Limits(min_sharpe=-1e9), Limits(min_deflated_sharpe=0.0)):
        bench = shop.bench(limits, test_days=19)
        told = refusal(lambda: ModelDeployer(production).deploy({"tfa": shop.artifact("v1")}, bench))  # noqa: B023
        assert "found not annualised: 19 sessions" in told
    assert not production.exists()
    bench = shop.bench(Limits(min_sharpe=-1e9), test_days=20)
    assert ModelDeployer(production).deploy({"tfa": shop.artifact("v1")}, bench).outcome == "deployed"


def test_a_figure_that_is_undefined_passes_no_gate(own_shop: Shop, production: Path) -> None:
    never = {"rule": "threshold", "long_above": 1.0, "short_below": 0.0}
    set_metadata(own_shop.artifact("v1"), lambda document: document.update(decision=never))
    limits = Limits(min_win_rate=0.0, min_profit_factor=0.0)
    told = refusal(lambda: ModelDeployer(production).deploy({"tfa": own_shop.artifact("v1")}, own_shop.bench(limits)))
    assert "win_rate must be >= 0, found undefined: 0 trades" in told
    assert "profit_factor must be >= 0, found undefined: 0 trades" in told


def test_a_model_that_never_trades_is_refused_unless_that_is_asked_for(own_shop: Shop, production: Path) -> None:
    never = {"rule": "threshold", "long_above": 1.0, "short_below": 0.0}
    set_metadata(own_shop.artifact("v1"), lambda document: document.update(decision=never))
    models = {"tfa": own_shop.artifact("v1")}
    told = refusal(lambda: ModelDeployer(production).deploy(models, own_shop.bench(Limits(max_drawdown=1.0))))
    assert told.startswith("not deployed: tfa: QQQ trades must be >= 1, found 0")
    idle = own_shop.bench(Limits(max_drawdown=1.0, min_trades=0))
    assert ModelDeployer(production).deploy(models, idle).outcome == "deployed"


def test_without_a_ledger_nothing_is_deflated(own_shop: Shop, production: Path) -> None:
    link = own_shop.root / "best"
    link.symlink_to(own_shop.artifact("v1"))
    deployment = ModelDeployer(production).deploy({"tfa": link}, own_shop.bench())
    assert deployment.document["models"]["tfa"]["evidence"][0]["trials"] == 2
    (own_shop.artifact("v1").parent / "trials.csv").unlink()
    bench = own_shop.bench(Limits(min_deflated_sharpe=0.0))
    told = refusal(lambda: ModelDeployer(production).deploy({"tfa": link}, bench))
    assert "found undefined: no trials.csv beside the artifact" in told


def drop_train(document: Json) -> None:
    del document["data"]["train"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_train, "its metadata lacks data.train, so which bars it has seen is not known"),
        (lambda document: document["data"].update(synthetic=True), "was trained on SYNTHETIC bars"),
        (lambda document: document["data"].update(bar_interval_s=3600.0), "has bars of 60 s, the model was trained on"),
    ],
)
def test_a_model_that_cannot_be_judged_is_refused(
    own_shop: Shop, production: Path, change: Callable[[Json], object], message: str
) -> None:
    set_metadata(own_shop.artifact("v1"), change)
    assert message in refusal(lambda: deploy(own_shop, production))
    assert not production.exists()


def test_bars_that_prove_nothing_are_refused(own_shop: Shop, production: Path, tmp_path: Path) -> None:
    def told(**options: object) -> str:
        bench = own_shop.bench(ANY, **options)
        return refusal(lambda: ModelDeployer(production).deploy({"tfa": own_shop.artifact("v1")}, bench))

    seen = write_bars(tmp_path / "seen.csv", read_csv(own_shop.bars)[:9000])
    assert "no whole session lies behind" in told(bars=seen)
    assert "--test-days asks for 30" in told(test_days=30)
    assert "no such bars file" in told(bars=tmp_path / "none.csv")
    assert "has no bars of 'SPY'" in told(bars=None, symbols=["SPY"], data_dir=own_shop.root)
    synthetic_mark(own_shop.bars).write_text('{"synthetic": true}')
    assert "the bars are SYNTHETIC" in told()
    assert not production.exists()
    bench = own_shop.bench(ANY, allow_synthetic=True)
    model = ModelDeployer(production).deploy({"tfa": own_shop.artifact("v1")}, bench).document["models"]["tfa"]
    assert model["evidence"][0]["synthetic"] is True


def test_the_bars_of_the_training_are_taken_only_as_they_were(own_shop: Shop, production: Path) -> None:
    deployer, models = ModelDeployer(production), {"tfa": own_shop.artifact("v1")}
    bench = own_shop.bench(ANY, bars=None)
    (evidence,) = deployer.deploy(models, bench).document["models"]["tfa"]["evidence"]
    assert evidence["bars_hash"] == sha256_file(own_shop.bars)
    with own_shop.bars.open("a") as file:
        file.write("2030-01-02T14:30:00Z,1,1,1,1,1\n")
    assert "is not the file that the model was trained on" in refusal(lambda: deployer.deploy(models, bench))
    own_shop.bars.unlink()
    assert "bars.csv is not there; give --bars" in refusal(lambda: deployer.deploy(models, bench))


def test_each_symbol_is_judged_and_must_pass(own_shop: Shop, production: Path) -> None:
    bars = read_csv(own_shop.bars)
    write_bars(own_shop.root / "QQQ.csv", bars)
    # Another market: the same one with its moves turned round, on which the same rule earns something else.
    turned = [1e5 / bars.open, 1e5 / bars.low, 1e5 / bars.high, 1e5 / bars.close]
    write_bars(own_shop.root / "SPY_1m.csv", Bars(bars.ts, *turned, bars.volume))
    deployer, models = ModelDeployer(production), {"tfa": own_shop.artifact("v1")}
    where: Json = {"bars": None, "symbols": ["QQQ", "SPY"], "data_dir": own_shop.root}
    depths = {
        gate.symbol: gate.value or 0.0 for gate in deployer.deploy(models, own_shop.bench(ANY, **where)).gates["tfa"]
    }
    assert list(depths) == ["QQQ", "SPY"]
    assert depths["QQQ"] != depths["SPY"]
    between = own_shop.bench(Limits(max_drawdown=sum(depths.values()) / 2.0), **where)
    told = refusal(lambda: deployer.deploy(models, between))
    assert told.startswith(
        f"not deployed: tfa: {max(depths, key=lambda symbol: depths[symbol])} max_drawdown must be <="
    )
    assert told.count(" must be ") == 1


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({}, "no gate is given"),
        ({"max_drawdown": 1.5}, "--max-drawdown must be between 0 and 1, found 1.5"),
        ({"min_sharpe": float("nan")}, "--min-sharpe must be a number, found nan"),
    ],
)
def test_wrong_limits_are_named(limits: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Limits(**limits)


@pytest.mark.parametrize("text", ["tfa", ":artifacts/TFA/v1", "tfa:", "../x:artifacts/TFA/v1", "deployment.json:a"])
def test_a_wrong_name_in_production_is_refused(shop: Shop, production: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        ModelDeployer(production).deploy(deployed_models([text]), shop.bench())
    assert not production.parent.exists()


def test_other_names_stay_as_they_are(shop: Shop, production: Path) -> None:
    deploy(shop, production, "v1", name="tfa")
    both = deploy(shop, production, "v2", name="second")
    assert both.names == ["tfa", "second"]
    assert list(both.gates) == ["second"]
    deploy(shop, production, "v2", name="tfa")
    assert [seal_of(production / name) for name in ("tfa", "second")] == [seal_of(shop.artifact("v2"))] * 2


def test_a_rollback_brings_the_old_bytes_back_and_a_further_one_goes_further(shop: Shop, production: Path) -> None:
    deployer = ModelDeployer(production)
    deploy(shop, production, "v1", name="only")
    first = tree(production.resolve())
    deploy(shop, production, "v1")
    second = tree(production.resolve())
    deploy(shop, production, "v2")

    def models(release: dict[str, bytes | str]) -> dict[str, bytes | str]:
        return {name: content for name, content in release.items() if name != "deployment.json"}

    back = deployer.rollback()
    assert (back.action, back.outcome, back.names) == ("rollback", "deployed", ["only", "tfa"])
    assert models(tree(production.resolve())) == models(second)
    deployer.rollback()
    assert models(tree(production.resolve())) == models(first)
    with pytest.raises(ConfigError, match="nothing was live before"):
        deployer.rollback()
    assert back.backup is not None
    deployer.rollback(back.backup)  # what the first rollback took away
    assert seal_of(production / "tfa") == seal_of(shop.artifact("v2"))
    with pytest.raises(ConfigError, match="unknown backup 'backup_1'"):
        deployer.rollback("backup_1")


def test_a_rollback_never_goes_to_what_was_rolled_back(shop: Shop, production: Path) -> None:
    deploy(shop, production, "v1", name="first")
    deploy(shop, production, "v1", name="second")
    deploy(shop, production, "v1", name="bad")
    deployer = ModelDeployer(production)
    assert deployer.rollback().names == ["first", "second"]
    deploy(shop, production, "v2", name="worse")
    assert deployer.rollback().names == ["first", "second"]
    assert deployer.rollback().names == ["first"]
    with pytest.raises(ConfigError, match="nothing was live before"):
        deployer.rollback()


def test_a_backup_outlives_all_releases_and_a_damaged_one_is_refused(shop: Shop, production: Path) -> None:
    deployer = ModelDeployer(production)
    deploy(shop, production, "v1")
    deploy(shop, production, "v2")
    releases = production.parent / "releases"
    for path in releases.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(releases)
    told: list[str] = []
    ModelDeployer(production, report=Listener(told.append)).rollback()
    assert seal_of(production / "tfa") == seal_of(shop.artifact("v1"))
    assert any("gets no backup" in line for line in told)

    deploy(shop, production, "v2")
    backup = deployer.history()[-1].backup
    assert backup is not None
    alter(production.parent / "backups" / backup / "tfa" / "weights.bin")
    assert "weights.bin: is not the file that was deployed" in refusal(deployer.rollback)
    assert seal_of(production / "tfa") == seal_of(shop.artifact("v2"))


def test_damage_to_what_is_live_is_found_and_can_be_deployed_over(shop: Shop, production: Path) -> None:
    deployer = ModelDeployer(production)
    assert deployer.current() is None
    deploy(shop, production, "v1")
    current = deployer.current()
    assert current is not None
    assert current.fault is None
    alter(current.folder / "tfa" / "train_log.csv")
    damaged = deployer.current()
    assert damaged is not None
    assert damaged.fault is not None
    assert "train_log.csv" in damaged.fault
    assert deploy(shop, production, "v2").backup is None
    assert seal_of(production / "tfa") == seal_of(shop.artifact("v2"))


@pytest.mark.parametrize(
    ("when", "outcome"),
    [("copied", "refused"), ("releases/", "rolled back")],
)
def test_damage_on_the_way_is_found_and_what_was_live_is_live(
    shop: Shop, production: Path, when: str, outcome: str
) -> None:
    first = deploy(shop, production, "v1")

    def heard(text: str) -> None:
        if when in text and "removed" not in text:
            newest = max(path for path in (production.parent / "releases").iterdir() if path.name.strip(".") > first.id)
            alter(newest / "tfa" / "probe.json")

    with pytest.raises(DeploymentError, match=r"probe\.json") as raised:
        deploy(shop, production, "v2", report=Listener(heard))
    assert raised.value.deployment.outcome == outcome
    assert production.readlink().name == first.id
    assert [path.name for path in (production.parent / "releases").iterdir()] == [first.id]
    assert [each.outcome for each in ModelDeployer(production).history()] == ["deployed", outcome]


def test_a_model_that_trades_otherwise_than_it_was_judged_is_refused(own_shop: Shop, production: Path) -> None:
    def heard(text: str) -> None:
        if "gates" in text:
            bars = read_csv(own_shop.bars)
            double = [2.0 * bars.open, 2.0 * bars.high, 2.0 * bars.low, 2.0 * bars.close]
            write_bars(own_shop.bars, Bars(bars.ts, *double, bars.volume))

    with pytest.raises(DeploymentError, match="trades otherwise than it was judged: sentio_cli tpa_test QQQ gives"):
        deploy(own_shop, production, report=Listener(heard))
    assert not production.exists()


@pytest.mark.parametrize("sound", [True, False])
def test_a_release_that_went_live_without_its_record_is_kept_if_it_is_sound(
    shop: Shop, production: Path, *, sound: bool
) -> None:
    first = deploy(shop, production, "v1")
    second = deploy(shop, production, "v2")
    (production.parent / "deployments" / f"deployment_{second.id}.json").unlink()  # as where the process died
    if not sound:
        alter(production / "tfa" / "model.pt")
    told: list[str] = []
    deployer = ModelDeployer(production, report=Listener(told.append))
    deployer.recover()
    assert production.readlink().name == (second if sound else first).id
    assert deployer.history()[-1].outcome == ("deployed" if sound else "rolled back")
    assert len(told) == 1
    deployer.recover()
    assert len(told) == 1


def test_a_release_that_went_live_by_another_link_is_not_taken_for_a_dead_one(shop: Shop, production: Path) -> None:
    first = deploy(shop, production)
    (production.parent / "deployments" / f"deployment_{first.id}.json").unlink()  # as where the process died
    deploy(shop, production.with_name("staging"), "v2")
    assert seal_of(production / "tfa") == seal_of(shop.artifact("v1"))
    deployer = ModelDeployer(production)
    deployer.recover()
    assert first.id in [each.id for each in deployer.history()]


def test_what_dead_processes_left_is_removed_and_nothing_else(shop: Shop, production: Path) -> None:
    deployment = deploy(shop, production)
    left = (
        "releases/.20250101T000000.000Z.partial",
        "backups/.backup_20250101T000000.000Z.partial",
        "deployments/.deployment_20250101T000000.000Z.json.7.partial",
    )
    others = ("releases/.mine.partial", "backups/.backup_of_mine.partial", "deployments/.mine.json.7.partial")
    for name in (*left, *others):
        path = production.parent / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    told: list[str] = []
    ModelDeployer(production, report=Listener(told.append)).recover()
    assert [name for name in (*left, *others) if (production.parent / name).exists()] == list(others)
    assert len(told) == len(left)
    assert production.readlink().name == deployment.id


@pytest.mark.parametrize("step", range(6))
def test_an_interruption_at_any_step_leaves_what_was_live(shop: Shop, production: Path, step: int) -> None:
    first = deploy(shop, production, "v1")
    steps: list[str] = []

    def heard(text: str) -> None:
        steps.append(text)
        if len(steps) == step + 1:
            raise KeyboardInterrupt

    if step == 5:  # there are five
        assert deploy(shop, production, "v2", report=Listener(heard)).outcome == "deployed"
        assert len(steps) == 5
        return
    with pytest.raises(StoppedError, match=r"interrupted; .*production is as it was"):
        deploy(shop, production, "v2", report=Listener(heard))
    assert production.readlink().name == first.id
    assert ModelDeployer(production).history()[-1].outcome == ("rolled back" if step == 4 else "refused")


def test_a_dry_run_changes_nothing(shop: Shop, production: Path) -> None:
    models = {"tfa": shop.artifact("v1")}
    before = tree(shop.root)
    assert ModelDeployer(production).deploy(models, shop.bench(), dry_run=True).outcome == "dry run"
    assert not production.parent.exists()
    strict = shop.bench(Limits(min_sharpe=1e9))
    told = refusal(lambda: ModelDeployer(production).deploy(models, strict, dry_run=True))
    assert told.endswith("dry run, nothing is changed")
    assert not production.parent.exists()
    assert tree(shop.root) == before


def test_of_two_deployments_at_once_one_is_refused(shop: Shop, production: Path) -> None:
    with exclusive_lock(production.parent / ".deploy.lock", wait=False):
        with pytest.raises(SentioError, match="another deployment or rollback is under way"):
            deploy(shop, production)
        with pytest.raises(SentioError, match="another deployment or rollback is under way"):
            ModelDeployer(production).rollback()
    assert not production.exists()


def test_while_one_deploys_the_history_can_be_read(
    shop: Shop, production: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = deploy(shop, production)
    with exclusive_lock(production.parent / ".deploy.lock", wait=False):
        assert sentio("deployments", "--production", str(production), "--json") == 0
    shown, told = capsys.readouterr()
    assert json.loads(shown)["live"]["id"] == deployment.id
    assert "nothing is cleaned up" in told


def test_of_deployments_that_race_some_are_refused_and_the_rest_are_whole(shop: Shop, production: Path) -> None:
    start = threading.Barrier(4)
    ends: list[str] = []

    def race(name: str, version: str) -> None:
        start.wait()
        try:
            ends.append(deploy(shop, production, version, name=name).outcome)
        except SentioError as error:  # of the lock, or of the link that nobody has made yet
            ends.append(str(error))

    # A lock is of an open file, so that threads exclude each other as processes do.
    racers = [threading.Thread(target=race, args=(f"m{i}", ("v1", "v2")[i % 2])) for i in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert "deployed" in ends
    assert all(end == "deployed" or "another deployment or rollback is under way" in end for end in ends)
    current = ModelDeployer(production).current()
    assert current is not None
    assert current.fault is None
    assert len(current.document["models"]) == ends.count("deployed")


def file_size_limit(size: int) -> Callable[[], None]:
    """For a child process: its writes fail behind so many bytes of a file, as on a full disk."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_full_disk_is_told_and_what_was_live_is_live(shop: Shop, production: Path) -> None:
    deploy(shop, production, "v1")
    before = tree(production.parent)
    line = command("deploy", "--models", "tfa:artifacts/TFA/v2", "--max-drawdown", "1", "--production", str(production))
    done = subprocess.run(
        line,
        cwd=shop.root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ONE_THREAD},
        preexec_fn=file_size_limit(4096),
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "File too large" in done.stderr
    assert "production is as it was" in done.stderr
    assert tree(production.parent) == before


def test_a_folder_that_cannot_be_written_is_told_and_what_was_live_is_live(shop: Shop, production: Path) -> None:
    deploy(shop, production, "v1")
    (production.parent / "backups").touch()  # a file, where a folder must be made
    before = tree(production.parent)
    with pytest.raises(SentioError, match=r"backups.*production is as it was"):
        deploy(shop, production, "v2")
    assert tree(production.parent) == before


@pytest.mark.parametrize("what", ["folder", "link"])
def test_a_production_that_is_not_ours_is_left_alone(shop: Shop, production: Path, what: str) -> None:
    production.parent.mkdir()
    if what == "folder":
        production.mkdir()
    else:
        production.symlink_to(shop.root)
    with pytest.raises(SentioError, match=r"must be a link to (a release|releases/<id>)"):
        deploy(shop, production)
    assert list(production.parent.iterdir()) == [production]


def test_old_releases_go_and_the_live_one_stays(shop: Shop, production: Path) -> None:
    deployer = ModelDeployer(production, keep=2)
    ids = [deployer.deploy({"tfa": shop.artifact("v1")}, shop.bench()).id for _ in range(4)]
    assert sorted(path.name for path in (production.parent / "releases").iterdir()) == ids[-2:]
    assert len(list((production.parent / "backups").iterdir())) == 3
    # A second link of this folder leads to a release of its own, which is as live.
    deployer = ModelDeployer(production.with_name("staging"), keep=1)
    staged = deployer.deploy({"tfa": shop.artifact("v1")}, shop.bench()).id
    assert sorted(path.name for path in (production.parent / "releases").iterdir()) == [ids[-1], staged]


def test_a_reader_never_meets_an_error_or_a_mixture(shop: Shop, production: Path) -> None:
    deployer = ModelDeployer(production)
    deploy(shop, production, "v1")
    known = {seal_of(shop.artifact(version)): version for version in ("v1", "v2")}
    probes = {seal: json.loads((shop.artifact(known[seal]) / "probe.json").read_text()) for seal in known}
    seen: list[str] = []
    faults: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                artifact = Artifact.load(production / "tfa")
                seal = str(artifact.metadata["seal"])
                logits = artifact.logits(probes[seal]["inputs"])
                np.testing.assert_allclose(logits, probes[seal]["logits"], rtol=1e-5, atol=1e-5)
                seen.append(known[seal])
            except Exception as error:  # noqa: BLE001  told by the test
                faults.append(repr(error))
                return

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(21):
        if turn % 3 == 2:
            deployer.rollback()
        else:
            deploy(shop, production, "v2" if turn % 3 == 0 else "v1")
    stop.set()
    reader.join()
    assert faults == []
    assert set(seen) == {"v1", "v2"}
    assert len(seen) > 100


def test_what_was_killed_at_any_moment_leaves_the_old_model_or_the_new_one(shop: Shop, tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(shop.root, root)
    script = Path(__file__).with_name("kill_deployments.py")
    done = subprocess.run(
        [sys.executable, str(script), str(root), "16", "1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ONE_THREAD},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["faults"] == []
    assert result["kills"] == 16
    assert result["ends"]["old"] > 0
    assert result["told"] > 0


def sentio(*arguments: str) -> int:
    return run(app, arguments, program="sentio")


def test_the_commands_tell_what_they_do(own_shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    production = own_shop.root / "models" / "production"
    gates = ("--max-drawdown", "1", "--min-sharpe", "-1e9")
    with inside(own_shop.root):
        assert sentio("deploy", "--models", "tfa:artifacts/TFA/v1", "b:artifacts/TFA/v2", *gates) == 0
        shown = capsys.readouterr().out
        assert shown.count("pass") == 6
        assert "Gates of tfa, out of sample, after costs" in shown
        assert seal_of(production / "b") == seal_of(own_shop.artifact("v2"))

        assert sentio("deploy", "--models", "tfa:artifacts/TFA/v2", "--min-sharpe", "1e9") == 1
        shown, told = capsys.readouterr()
        assert "FAIL" in shown
        assert ">= 1e+09" in shown
        assert told.splitlines()[-1].startswith("sentio: not deployed: tfa: QQQ sharpe must be >= 1e+09, found ")

        assert sentio("deployments", "--json") == 0
        document = json.loads(capsys.readouterr().out)
        assert [each["outcome"] for each in document["deployments"]] == ["deployed", "refused"]
        assert document["live"] == {"id": document["deployments"][0]["id"], "verified": True, "fault": None}

        assert sentio("deploy", "--models", "tfa:artifacts/TFA/v2", "--max-drawdown", "1") == 0
        assert sentio("rollback") == 0
        assert seal_of(production / "tfa") == seal_of(own_shop.artifact("v1"))
        capsys.readouterr()
        assert sentio("deployments") == 0
        shown = capsys.readouterr().out
        assert "fails QQQ sharpe" in shown
        (backup,) = (path.name for path in (production.parent / "backups").iterdir() if f"to {path.name}" in shown)
        assert f"rollback to {backup}" in shown

        alter(production / "tfa" / "weights.bin")
        assert sentio("deployments") == 4
        shown, told = capsys.readouterr()
        assert "DAMAGED" in shown
        assert "weights.bin" in told


def test_a_rollback_needs_a_backup(production: Path) -> None:
    with pytest.raises(ConfigError, match="has no backups"):
        ModelDeployer(production).rollback()
    with pytest.raises(ConfigError, match="--keep must be at least 1"):
        ModelDeployer(production, keep=0)


def test_records_that_are_no_records_are_named(shop: Shop, production: Path) -> None:
    deploy(shop, production)
    (record,) = (production.parent / "deployments").iterdir()
    for content, message in (
        ("{", "is not valid JSON"),
        ("{}", "is not the document of a deployment"),
        ('{"id": "x", "models": {}}', "it has no 'action'"),
    ):
        record.write_text(content)
        with pytest.raises(ArtifactError, match=message):
            ModelDeployer(production).history()


def test_the_history_is_shown_though_what_is_live_is_gone(
    shop: Shop, production: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(shop, production, "v1")
    second = deploy(shop, production, "v2")
    remove_tree(production.resolve())
    assert sentio("deployments", "--production", str(production)) == 4
    shown, told = capsys.readouterr()
    assert second.id in shown
    assert "deployment.json: is missing" in told


@pytest.mark.parametrize("name", ["releases", "backups", "deployments"])
def test_production_has_a_name_of_its_own(production: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is a folder beside it"):
        ModelDeployer(production.with_name(name))

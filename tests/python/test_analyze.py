"""`sentio analyze`: the bits of trading, no look beyond the bar, and what is not known is said."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from market_bars import real_bars
from sentio_features import Bars, FeatureBuilder, FeatureSpec, read_csv
from sentio_inference import Artifact, backtest
from training_support import Project, make_project, write_bars, write_market_beside

from sentio_trainer import symbol_analysis
from sentio_trainer.bars import iso_time
from sentio_trainer.cli import app, run
from sentio_trainer.errors import ArtifactError, ConfigError, DataError
from sentio_trainer.files import sha256_file
from sentio_trainer.named_bars import read_named_bars
from sentio_trainer.report import Silence
from sentio_trainer.similar_outcomes import wilson
from sentio_trainer.symbol_analysis import analyse_symbol, percentile
from sentio_trainer.trainers.tfa import train

Analyze = Callable[..., tuple[int, str, str]]
TRANSFORMER = {"model__kind": "transformer", "model__layers": 1, "model__heads": 2, "model__sequence_length": 6}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Project:
    del one_thread
    project = make_project(tmp_path_factory.mktemp("analyze") / "project", days=16)
    train(project.load(), overwrite=False, report=Silence())
    return project


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Project:
    """A transformer, which reads six rows."""
    del one_thread
    project = make_project(tmp_path_factory.mktemp("analyze") / "sequences", days=6, hidden=8, epochs=1)
    train(project.load(**TRANSFORMER), overwrite=False, report=Silence())
    return project


@pytest.fixture(scope="module")
def bars(project: Project) -> Bars:
    return read_csv(project.root / "bars.csv")


@pytest.fixture
def analyze(project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Analyze:
    monkeypatch.chdir(project.root)

    def invoke(*arguments: str) -> tuple[int, str, str]:
        code = run(app, ("analyze", *arguments), program="sentio")
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return invoke


V1 = ("--artifact", "artifacts/TFA/v1", "--bars", "bars.csv")


def analysis(project: Project, bars: Path | None = None, **settings: Any) -> dict[str, Any]:
    path = bars or project.root / "bars.csv"
    named = read_named_bars("QQQ", files={"QQQ": path}, data_dir=Path())
    return analyse_symbol(project.artifact, named, **settings)


@pytest.mark.parametrize("bars_before_the_end", [1, 2, 500, 3_000])
def test_it_says_what_the_backtest_says_at_any_bar(project: Project, bars: Bars, bars_before_the_end: int) -> None:
    series = backtest(bars, "tfa", artifact=Artifact.load(project.artifact))["series"]
    i = len(bars) - bars_before_the_end
    found = analysis(project, at=iso_time(bars.ts[i]))
    wanted = found["recommendation"]
    assert found["bar"]["time"] == iso_time(bars.ts[i])
    assert found["bar"]["close"] == bars.close[i]
    assert found["probability"] == series["probability"][i]
    assert wanted["exposure"] == series["exposure"][i]
    assert wanted["side"] == {1.0: "long", -1.0: "short", 0.0: "flat"}[series["exposure"][i]]
    assert wanted["before"]["exposure"] == series["exposure"][i - 1]
    since = i - wanted["before"]["bars"]
    assert (series["exposure"][since:i] == series["exposure"][i - 1]).all()
    assert since == 0 or series["exposure"][since - 1] != series["exposure"][i - 1]


@pytest.mark.parametrize("method", ["integrated_gradients", "permutation"])
def test_later_bars_change_nothing(project: Project, bars: Bars, method: Any, tmp_path: Path) -> None:
    i = len(bars) - 200
    alone = write_bars(tmp_path / "bars.csv", bars[: i + 1])
    shutil.copy(project.root / "bars.csv.synthetic.json", tmp_path / "bars.csv.synthetic.json")
    one = analysis(project, at=iso_time(bars.ts[i]), method=method)
    other = analysis(project, alone, method=method)
    assert {**one, "bars": None} == {**other, "bars": None}
    between = np.datetime64(int(bars.ts[i]) + 30_000_000_000, "ns")
    assert analysis(project, at=f"{between.astype('datetime64[s]')}Z", method=method) == one


@pytest.mark.parametrize("which", ["project", "sequences"])
def test_integrated_gradients_add_up_from_the_training_mean(which: str, request: pytest.FixtureRequest) -> None:
    project: Project = request.getfixturevalue(which)
    found = analysis(project, top=99)
    method = found["method"]
    total = sum(each["contribution"] for each in found["features"])
    assert len(found["features"]) == 8
    assert total == pytest.approx(found["logit"] - method["baseline_logit"], abs=1e-4)
    assert method["logits_apart"] < 1e-4
    assert method["baseline"] == "mean of the training bars"
    metadata, artifact = project.metadata(), Artifact.load(project.artifact)
    mean = np.array(metadata["normalization"]["mean"], dtype=np.float32)
    rows = artifact.sequence_length
    at_mean = mean[None] if rows == 1 else np.tile(mean, (1, rows, 1))
    assert method["baseline_logit"] == pytest.approx(float(artifact.logits(at_mean)[0]), abs=1e-5)


def test_permutation_is_that_of_the_model_that_trades(project: Project, bars: Bars) -> None:
    found = analysis(project, method="permutation", top=3, seed=4)
    artifact = Artifact.load(project.artifact)
    x = FeatureBuilder(FeatureSpec.from_json(artifact.spec_json)).build(bars)
    drawn = np.random.default_rng(4).choice(np.arange(artifact.warmup, len(x) - 1), size=256, replace=False)
    feature = found["features"][0]
    column = artifact.feature_names.index(feature["name"])
    changed = np.tile(x[-1], (256, 1))
    changed[:, column] = x[drawn, column]
    expected = float(artifact.logits(x[-1:])[0]) - artifact.logits(changed).astype(np.float64).mean()
    assert feature["contribution"] == pytest.approx(expected, abs=1e-12)
    assert feature["value"] == x[-1, column]
    assert feature["percentile"] == percentile(x[artifact.warmup :, column], x[-1, column])
    sizes = [abs(each["contribution"]) for each in found["features"]]
    assert sizes == sorted(sizes, reverse=True)
    assert found["features_left_out"] == 5


def test_a_percentile_counts_equal_values_half() -> None:
    assert percentile(np.array([1, 2, 2, 3], dtype=np.float32), 2.0) == 0.5
    assert percentile(np.array([1, 2, 3, 4], dtype=np.float32), 4.0) == 0.875


def test_the_interval_is_of_what_followed_similar_probabilities_on_unseen_bars(project: Project, bars: Bars) -> None:
    found = analysis(project)
    series = backtest(bars, "tfa", artifact=Artifact.load(project.artifact))["series"]
    unseen = bars.ts > np.datetime64(project.metadata()["data"]["validation"][1][:-1], "ns").astype(np.int64)
    change = np.diff(np.log(bars.close), append=np.nan)  # one bar ahead
    usable = np.flatnonzero(unseen & np.isfinite(change) & (change != 0.0))
    nearest = sorted(usable, key=lambda i: abs(series["probability"][i] - found["probability"]))[:200]
    interval = found["interval"]
    assert interval["out_of_sample_bars"] == len(usable)
    assert interval["count"] == 200
    assert interval["rose"] == pytest.approx(np.mean(change[nearest] > 0), abs=0.011)  # ties in distance
    expected = wilson(interval["rose"], 200.0)
    assert (interval["interval"]["low"], interval["interval"]["high"]) == (expected.low, expected.high)
    assert "earlier out-of-sample probabilities" in found["interval_note"]


def test_with_few_unseen_bars_there_is_no_interval_and_it_is_said(project: Project, bars: Bars) -> None:
    found = analysis(project, at=project.metadata()["data"]["train"][1])
    assert found["interval"] is None
    assert found["interval_note"].startswith("none: only 0 earlier bars with a known outcome lie after the training")
    assert found["bar"]["sample"] == "in-sample"
    assert "IN-SAMPLE: the model was trained on this very bar" in found["warnings"]
    assert analysis(project, at=project.metadata()["data"]["validation"][1])["bar"]["sample"] == "validation"
    assert analysis(project, at=iso_time(bars.ts[-1]))["bar"]["sample"] == "out-of-sample"


def test_the_deployed_model_is_looked_at_and_its_deployment_told(project: Project, analyze: Analyze) -> None:
    release = project.root / "models" / "releases" / "r1"
    shutil.copytree(project.artifact, release / "tfa")
    told = {"id": "r1", "models": {"tfa": {"trials": 3}}}
    (release / "deployment.json").write_text(json.dumps(told))
    (project.root / "models" / "production").symlink_to("releases/r1")
    code, out, err = analyze("QQQ", "--bars", "bars.csv", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["model"]["folder"] == "models/production/tfa"
    assert document["model"]["deployment"] == told
    assert document["schema_version"] == "1.0"
    assert str(project.root) not in out
    (release / "deployment.json").write_text("{")
    code, out, err = analyze("QQQ", "--bars", "bars.csv")
    assert (code, out) == (4, "")
    assert "models/releases/r1/deployment.json: must say what was deployed as 'tfa'" in err
    code, out, err = analyze("QQQ", "--bars", "bars.csv", "--model", "tfb")
    assert (code, out) == (4, "")
    assert "models/production/tfb: no deployed model 'tfb'; did you mean 'tfa'?" in err


def test_what_is_told_is_of_the_model_that_was_loaded_though_another_goes_live(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("r1", "r2"):
        shutil.copytree(project.artifact, tmp_path / name / "tfa")
        (tmp_path / name / "deployment.json").write_text(json.dumps({"id": name, "models": {"tfa": {}}}))
    production = tmp_path / "production"
    production.symlink_to("r1")
    first = sha256_file(tmp_path / "r1" / "tfa" / "metadata.json")
    (tmp_path / "r2" / "tfa" / "metadata.json").write_bytes(b"{}")
    load = Artifact.load

    def load_before_a_swap(folder: Path) -> Artifact:
        artifact = load(folder)
        production.unlink()
        production.symlink_to("r2")
        return artifact

    monkeypatch.setattr(symbol_analysis, "Artifact", SimpleNamespace(load=load_before_a_swap))
    named = read_named_bars("QQQ", files={"QQQ": project.root / "bars.csv"}, data_dir=tmp_path)
    model = analyse_symbol(production / "tfa", named)["model"]
    assert (model["metadata_hash"], model["deployment"]) == (first, {"id": "r1", "models": {"tfa": {}}})


def test_the_page_tells_all_of_it(analyze: Analyze) -> None:
    code, out, err = analyze("QQQ", *V1)
    assert (code, err) == (0, "")
    for part in ("recommendation: ", "probability of a rise: ", "interval: ", "percentile", "integrated gradients"):
        assert part in out
    code, out, _ = analyze("QQQ", *V1, "--method", "permutation", "--top", "2", "--max-age", "1")
    assert "method: permutation (Breiman 2001, at one bar)" in out
    assert "6 features moved it less" in out
    assert "STALE: the bar is " in out


def test_another_symbol_and_generated_bars_are_said(project: Project, analyze: Analyze) -> None:
    write_market_beside(project, "IWM.csv", days=3, seed=5)
    code, out, _ = analyze("IWM", "--artifact", "artifacts/TFA/v1", "--data-dir", ".")
    assert code == 0
    assert "warning: the model was trained on QQQ, not on IWM" in out
    assert "warning: SYNTHETIC bars: this says nothing about a real market" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("QQQ", *V1, "--at", "soon"), 2, "--at: must be a time such as 2024-08-30T19:59:00Z, found 'soon'"),
        (("QQQ", *V1, "--at", "1999-01-01T00:00:00Z"), 3, "has no bar as early; the first is of 2024-01-02T14:30:00Z"),
        (("QQQ", *V1, "--at", "2024-01-02T14:40:00Z"), 3, "not ready at 2024-01-02T14:40:00Z: the model needs 61 bars"),
        (("QQQ", *V1, "--method", "permute"), 2, "--method: unknown method 'permute'; did you mean 'permutation'?"),
        (("QQQ", *V1, "--top", "0"), 2, "--top: must be at least 1, found 0"),
        (("QQQ", *V1, "--seed", "-1"), 2, "--seed: must be at least 0, found -1"),
        (("QQQ", *V1, "--max-age", "nan"), 2, "--max-age: must be hours, at least 0, found nan"),
        (("QQQ", *V1, "--max-age", "-1"), 2, "--max-age: must be hours, at least 0, found -1"),
        (("QQQ", "--artifact", "no/such", "--bars", "bars.csv"), 4, "no/such"),
        (("QQQ", *V1[:2], "--bars", "no.csv"), 3, "no.csv: no such bars file"),
        (("QQQ", "--production", "nowhere", "--bars", "bars.csv"), 4, "no deployed model 'tfa'; none is"),
    ],
)
def test_what_is_wrong_is_one_line_without_a_recommendation(
    arguments: tuple[str, ...], code: int, message: str, analyze: Analyze
) -> None:
    found, out, err = analyze(*arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_damaged_model_recommends_nothing(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "v1"
    shutil.copytree(project.artifact, folder)
    weights = bytearray((folder / "weights.bin").read_bytes())
    weights[5] ^= 1
    (folder / "weights.bin").write_bytes(weights)
    named = read_named_bars("QQQ", files={"QQQ": project.root / "bars.csv"}, data_dir=Path())
    with pytest.raises(ArtifactError, match=r"weights\.bin"):
        analyse_symbol(folder, named)


def test_without_the_graph_gradients_are_refused_and_permutation_works(project: Project, tmp_path: Path) -> None:
    from sentio_trainer.seal import seal_folder

    folder = tmp_path / "TFA" / "v1"
    shutil.copytree(project.artifact, folder)
    for name in ("model.json", "weights.bin"):
        (folder / name).unlink()
    seal_folder(folder)
    named = read_named_bars("QQQ", files={"QQQ": project.root / "bars.csv"}, data_dir=Path())
    with pytest.raises(
        ConfigError, match=r"has no model\.json, which gradients are taken of; use --method permutation"
    ):
        analyse_symbol(folder, named)
    assert analyse_symbol(folder, named, method="permutation")["model"]["backend"] == "torch"


def test_recorded_bars_of_another_market_are_analysed_with_their_warnings(project: Project, tmp_path: Path) -> None:
    path = write_bars(tmp_path / "SPY.csv", real_bars("SPY_1m.csv.gz", 5_000))
    found = analyse_symbol(project.artifact, read_named_bars("SPY", files={"SPY": path}, data_dir=Path()))
    assert "the model was trained on QQQ, not on SPY" in found["warnings"]
    assert "the model was trained on SYNTHETIC bars" in found["warnings"]
    assert found["method"]["error"] <= 1e-4 * max(1.0, abs(found["logit"] - found["method"]["baseline_logit"]))


def test_a_symbol_in_several_files_is_refused(tmp_path: Path) -> None:
    for name in ("SPY.csv", "SPY_1m.csv"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match="several files fit 'SPY'"):
        read_named_bars("SPY", files={}, data_dir=tmp_path)
    (tmp_path / "QQQ.csv").write_text("ts,open,high,low,close,volume\n60,1,1,1,1,1\n")
    with pytest.raises(DataError, match="too few bars: at least 2 are needed, found 1"):
        read_named_bars("QQQ", files={}, data_dir=tmp_path)


def test_gradients_leave_torch_as_it_was(project: Project) -> None:
    before = torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()
    analysis(project)
    assert (torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()) == before

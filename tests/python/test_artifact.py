"""A trained model, loaded in C++: it is the one that was trained, or it is refused by name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentio_features
import torch
from cli_support import refusal_of, run_cli
from sentio_inference import Artifact, ArtifactError, backtest
from training_support import Project, make_project

from sentio_trainer.artifact import sealed_json, to_json
from sentio_trainer.files import sha256_file
from sentio_trainer.forecast import bar_outputs
from sentio_trainer.report import Silence
from sentio_trainer.samples import load_samples
from sentio_trainer.trainers.tfa import train

Json = dict[str, Any]

WINDOW = 12
SEQUENCE_MODEL: Json = {
    "model__kind": "transformer",
    "model__sequence_length": WINDOW,
    "model__heads": 2,
    "training__lr": 1e-2,
    "training__batch_size": 64,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("trained") / "project")
    train(project.load(), overwrite=False, report=Silence())
    return project


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("sequence") / "project", days=5)
    train(project.load(**SEQUENCE_MODEL), overwrite=False, report=Silence())
    return project


@pytest.fixture
def copy(trained: Project, tmp_path: Path) -> Path:
    """The artifact, to be spoilt."""
    shutil.copytree(trained.artifact, tmp_path / "v1")
    return tmp_path / "v1"


def edit(path: Path, change: Callable[[Json], object]) -> None:
    """Changes a document; metadata is sealed again, so that what it says is looked at."""
    document = json.loads(path.read_text())
    change(document)
    path.write_bytes(sealed_json(document) if path.name == "metadata.json" else to_json(document))


def fix_hashes(folder: Path) -> None:
    """Lets metadata fit the files as they are now."""
    hashes = {path.name: sha256_file(path) for path in folder.iterdir() if path.name != "metadata.json"}
    edit(folder / "metadata.json", lambda document: document.update(files=hashes))


def leave_torchscript(folder: Path) -> None:
    """Takes the graph of the built-in evaluator away."""
    for name in ("model.json", "weights.bin"):
        (folder / name).unlink()


def inspected(folder: Path) -> str:
    done = run_cli("inspect", folder, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


def set_spec(folder: Path, document: Json) -> None:
    """Gives the artifact another spec of the same width and names, and metadata that fit it."""
    spec = sentio_features.FeatureSpec.from_json(json.dumps(document))
    (folder / "feature_spec.json").write_text(spec.to_json())

    def change(metadata: Json) -> None:
        metadata["expects"] |= {"spec_hash": spec.hash, "emit_from": spec.emit_from, "settle": spec.settle}

    edit(folder / "metadata.json", change)
    fix_hashes(folder)


@pytest.mark.parametrize("kind", ["trained", "sequence"])
def test_python_torchscript_and_cpp_give_the_logits_of_the_probe(kind: str, request: pytest.FixtureRequest) -> None:
    project: Project = request.getfixturevalue(kind)
    probe = json.loads((project.artifact / "probe.json").read_text())
    inputs = np.array(probe["inputs"], dtype=np.float32)
    with torch.inference_mode():
        scripted = torch.jit.load(str(project.artifact / "model.pt"))(torch.from_numpy(inputs))[:, 0].numpy()
    # LibTorch picks its kernels by batch size, and the evaluator sums in an order of its own: the last bits move.
    np.testing.assert_allclose(scripted, probe["logits"], rtol=0, atol=1e-6)
    for backend in ("native", "torch"):
        in_cpp = Artifact.load(project.artifact, backend=backend).logits(inputs)  # type: ignore[arg-type]
        np.testing.assert_allclose(in_cpp, probe["logits"], rtol=0, atol=1e-6)


def test_an_artifact_says_what_it_is(trained: Project) -> None:
    artifact = Artifact.load(trained.artifact)
    spec = sentio_features.FeatureSpec.load(trained.root / "configs" / "features.json")
    assert artifact.spec_hash == spec.hash == sentio_features.FeatureSpec.from_json(artifact.spec_json).hash
    assert artifact.feature_names == spec.names
    assert artifact.warmup == spec.warmup
    assert artifact.sequence_length == 1
    assert artifact.warnings == []
    assert artifact.metadata == trained.metadata()
    assert artifact.decision["rule"] == "threshold"


def test_a_sequence_artifact_says_what_it_reads(sequence: Project) -> None:
    artifact = Artifact.load(sequence.artifact)
    spec = sentio_features.FeatureSpec.load(sequence.root / "configs" / "features.json")
    expects = sequence.metadata()["expects"]
    assert (expects["layout"], expects["sequence_length"]) == ("BTF", WINDOW)
    assert artifact.sequence_length == WINDOW
    assert artifact.warmup == spec.warmup + WINDOW - 1
    assert artifact.warnings == []
    probe = json.loads((sequence.artifact / "probe.json").read_text())
    assert np.array(probe["inputs"]).shape == (8, WINDOW, spec.width)
    assert "verified" in inspected(sequence.artifact)


def test_a_sequence_model_forecasts_every_bar_alike_in_python_and_cpp(sequence: Project) -> None:
    samples = load_samples(sequence.load(**SEQUENCE_MODEL), Silence())
    bars = sentio_features.read_csv(str(sequence.root / "bars.csv"))
    model = torch.jit.load(str(sequence.artifact / "model.pt"))
    every = slice(0, len(bars))
    logit = bar_outputs(model, samples.data, every, window=WINDOW, device=torch.device("cpu"))
    expected = 1.0 / (1.0 + np.exp(-logit))
    artifact = Artifact.load(sequence.artifact)
    assert np.isnan(expected).sum() == artifact.warmup
    assert np.nanstd(expected) > 0.01, "the model says the same of all bars, so nothing was tested"
    for bar_by_bar in (False, True):
        found = backtest(bars, "tfa", artifact=artifact, bar_by_bar=bar_by_bar)["series"]["probability"]
        # LibTorch picks kernels by batch size, which moves the last bits of a float32 logit.
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_logits_refuse_windows_of_another_length(sequence: Project) -> None:
    artifact = Artifact.load(sequence.artifact)
    shape = (3, WINDOW + 1, len(artifact.feature_names))
    with pytest.raises(ValueError, match=rf"x must have the shape \[n, {WINDOW}, 8\], found \(3, {WINDOW + 1}, 8\)"):
        artifact.logits(np.zeros(shape, dtype=np.float32))


def test_inspect_and_check_verify_an_artifact(trained: Project) -> None:
    for verb in ("inspect", "check"):
        done = run_cli(verb, trained.artifact, cwd=trained.root)
        assert done.returncode == 0, done.stderr
        assert "TFA" in done.stdout


def test_inspect_says_how_much_history_a_live_start_needs(trained: Project, copy: Path) -> None:
    stated = trained.metadata()["expects"]["settle"]
    assert f"settle        {stated} bars, after which a start no longer shows\n" in inspected(trained.artifact)
    set_spec(
        copy, {"features": [{"name": name, "op": "OBV"} for name in trained.metadata()["expects"]["feature_names"]]}
    )
    assert "settle        never: a feature depends on all bars since the start\n" in inspected(copy)


@pytest.mark.parametrize("seconds", [2**63 - 1, -(2**63), 2**64 - 1, 10**10])
def test_a_time_of_saving_that_cannot_be_is_not_shown(copy: Path, seconds: int) -> None:
    set_key("saved_at", value=seconds)(copy)
    assert "saved         not stated\n" in inspected(copy)


def test_what_an_artifact_says_of_itself_cannot_steer_the_terminal(copy: Path) -> None:
    hostile = "\x1b]0;x\x07\x9b31m\r\nverified"
    for path in (("model_id",), ("version",), ("label",), ("data", "symbols"), ("versions",)):
        set_key(*path, value=hostile)(copy)
    output = inspected(copy)
    assert output.startswith("?]0;x??31m??verified ?]0;x??31m??verified: verified\n")
    assert output.count("?]0;x??31m??verified") == 5
    assert all(character == "\n" or character.isprintable() for character in output)


def test_logits_refuse_another_shape(trained: Project) -> None:
    artifact = Artifact.load(trained.artifact)
    width = len(artifact.feature_names)
    with pytest.raises(ValueError, match=rf"x must have the shape \[n, {width}\], found \(3, {width + 1}\)"):
        artifact.logits(np.zeros((3, width + 1), dtype=np.float32))
    assert artifact.logits(np.zeros((0, width), dtype=np.float32)).shape == (0,)


def set_key(*path: str, value: object) -> Callable[[Path], None]:
    """Sets a key of the metadata."""

    def spoil(folder: Path) -> None:
        def change(document: Json) -> None:
            for key in path[:-1]:
                document = document[key]
            document[path[-1]] = value

        edit(folder / "metadata.json", change)

    return spoil


def rename_feature(folder: Path) -> None:
    def change(document: Json) -> None:
        document["expects"]["feature_names"][2] = "ret_19"

    edit(folder / "metadata.json", change)


def rename_feature_in_spec(folder: Path) -> None:
    def change(document: Json) -> None:
        document["features"][2]["name"] = "ret_19"
        del document["content_hash"]

    edit(folder / "feature_spec.json", change)


def alter_spec(folder: Path) -> None:
    def change(document: Json) -> None:
        document["features"][0]["window"] = 2
        del document["content_hash"]

    edit(folder / "feature_spec.json", change)


def alter_spec_only(folder: Path) -> None:
    edit(folder / "feature_spec.json", lambda document: document["features"][0].update(window=2))


def truncate_model(folder: Path) -> None:
    content = (folder / "model.pt").read_bytes()
    (folder / "model.pt").write_bytes(content[: len(content) // 2])


def truncate_model_unhashed(folder: Path) -> None:
    truncate_model(folder)
    leave_torchscript(folder)
    fix_hashes(folder)


def alter_probe(folder: Path) -> None:
    edit(folder / "probe.json", lambda document: document["logits"].__setitem__(1, document["logits"][1] + 1.0))
    fix_hashes(folder)


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def break_json(folder: Path) -> None:
    (folder / "metadata.json").write_text('{"schema_version": "1.0",\n')


METADATA, SPEC = "{folder}/metadata.json: ", "{folder}/feature_spec.json: "


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            set_key("schema_version", value="2.0"),
            METADATA + 'schema_version: this program reads version 1, found "2.0"; a newer program wrote it',
        ),
        (set_key("schema_version", value=1), METADATA + 'schema_version: must be a text like "1.0", found 1'),
        (set_key("framework", value="onnx"), METADATA + 'framework: must be "torchscript", found "onnx"'),
        (
            set_key("expects", "input_dim", value=9),
            METADATA + "expects.input_dim: must be the number of features that feature_spec.json emits, 8, found 9",
        ),
        (
            rename_feature,
            METADATA + "expects.feature_names[2]: must be 'ret_20' as in feature_spec.json, found \"ret_19\"",
        ),
        (
            rename_feature_in_spec,
            METADATA + "expects.feature_names[2]: must be 'ret_19' as in feature_spec.json, found \"ret_20\"",
        ),
        (
            alter_spec,
            METADATA + 'expects.spec_hash: does not fit feature_spec.json: found "{hash}", computed "{altered_hash}"',
        ),
        (
            alter_spec_only,
            SPEC + 'content_hash: does not fit the content: found "{hash}", computed "{altered_hash}"',
        ),
        (set_key("expects", "dtype", value="float64"), METADATA + 'expects.dtype: must be "float32", found "float64"'),
        (set_key("expects", "output", value="p"), METADATA + 'expects.output: must be "logit", found "p"'),
        (set_key("expects", "emit_from", value=3), METADATA + "expects.emit_from: must be 60, found 3"),
        (set_key("expects", "layout", value="FB"), METADATA + 'expects.layout: must be "BF" or "BTF", found "FB"'),
        (
            set_key("decision", value={"rule": "threshold", "long_above": 1.5, "short_below": 0.4}),
            METADATA + "decision.long_above: must be a number from 0 to 1, found 1.5",
        ),
        (
            set_key("data", "train", value=["yesterday", "today"]),
            METADATA + 'data.train: must be two ISO-8601 times, the earlier first, found ["yesterday","today"]',
        ),
        (
            set_key("data", "train", value=["2024-01-03T00:00:00Z", "2024-01-02T00:00:00Z"]),
            METADATA + "data.train: must be two ISO-8601 times, the earlier first, "
            'found ["2024-01-03T00:00:00Z","2024-01-02T00:00:00Z"]',
        ),
        (set_key("data", "synthetic", value="yes"), METADATA + 'data.synthetic: must be true or false, found "yes"'),
        (
            set_key("data", "session", value="us_equty"),
            METADATA + "data.session: unknown calendar \"us_equty\"; did you mean 'us_equity'?",
        ),
        (set_key("decision", value={}), METADATA + "decision: key 'rule' is missing"),
        (
            set_key("decision", value={"rule": "threshold", "long_above": 0.6}),
            METADATA + "decision: key 'short_below' is missing",
        ),
        (
            set_key("expects", "seq_len", value=64),
            METADATA + "expects.seq_len: must be expects.sequence_length, 1, found 64",
        ),
        (
            set_key("files", value={"../model.pt": "sha256:0"}),
            METADATA + "files: must name files in this folder, found '../model.pt'",
        ),
        (break_json, "{folder}/metadata.json:2:1: is not valid JSON"),
        (remove("model.pt"), "{folder}/model.pt: the file is missing"),
        (remove("feature_spec.json"), "{folder}/feature_spec.json: the file is missing"),
        (
            remove("metadata.json"),
            "{folder}: has neither metadata.json nor model.meta.json, so it is no artifact",
        ),
    ],
)
def test_a_spoilt_artifact_is_refused_by_name(
    trained: Project, copy: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(copy)
    altered = json.loads((trained.artifact / "feature_spec.json").read_text())
    altered["features"][0]["window"] = 2
    del altered["content_hash"]
    hashes = {
        "hash": trained.metadata()["expects"]["spec_hash"],
        "altered_hash": sentio_features.FeatureSpec.from_json(json.dumps(altered)).hash,
    }
    expected = message.format(folder=copy, **hashes)
    with pytest.raises(ArtifactError) as error:
        Artifact.load(copy)
    assert str(error.value) == expected
    assert refusal_of("inspect", copy, cwd=copy.parent) == (4, "sentio_cli: " + expected)


def test_a_truncated_model_is_told_by_its_hash_and_without_one_by_its_content(copy: Path) -> None:
    truncate_model(copy)
    with pytest.raises(ArtifactError, match=r"model\.pt: is not the file that was saved: its hash is sha256:"):
        Artifact.load(copy)
    truncate_model_unhashed(copy)
    with pytest.raises(ArtifactError, match=r"model\.pt: is not a TorchScript archive that can be loaded: .*"):
        Artifact.load(copy, backend="torch")


def test_a_model_that_computes_something_else_is_told_by_its_probe(copy: Path) -> None:
    alter_probe(copy)
    with pytest.raises(ArtifactError, match=r"probe\.json: logits\[1\]: the model gives .* here, it gave .* when"):
        Artifact.load(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda probe: probe.update(logits=[1e308] * len(probe["logits"])),
            r"probe\.json: logits\[0\]: must be a number that float32 can hold, found 1e\+308",
        ),
        (
            lambda probe: probe.update(inputs=[cell for row in probe["inputs"] for cell in row]),
            r"probe\.json: inputs: must be a list of 8, found \[",
        ),
        (lambda probe: probe.update(logits=[]), r"probe\.json: logits: must be a list of numbers, found \[\]"),
    ],
)
def test_a_probe_that_proves_nothing_is_refused(copy: Path, change: Callable[[Json], object], message: str) -> None:
    edit(copy / "probe.json", change)
    fix_hashes(copy)
    with pytest.raises(ArtifactError, match=message):
        Artifact.load(copy)


def test_a_part_of_the_data_that_is_not_stated_is_warned_of(copy: Path) -> None:
    edit(copy / "metadata.json", lambda document: document["data"].pop("validation"))
    assert Artifact.load(copy).warnings == [
        f"{copy}/metadata.json: data.validation is not stated, so bars of it cannot be told"
    ]


def test_a_model_of_another_shape_is_refused(copy: Path) -> None:
    class Wrong(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :2]

    torch.jit.save(torch.jit.script(Wrong()), str(copy / "model.pt"))
    leave_torchscript(copy)
    fix_hashes(copy)
    with pytest.raises(ArtifactError, match=r"model\.pt: must give logits of shape \[2, 1\], found \[2, 2\]"):
        Artifact.load(copy, backend="torch")


def test_a_model_that_gives_no_number_is_refused(copy: Path) -> None:
    class Nan(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :1] * float("nan")

    torch.jit.save(torch.jit.script(Nan()), str(copy / "model.pt"))
    leave_torchscript(copy)
    fix_hashes(copy)
    with pytest.raises(ArtifactError, match=r"model\.pt: must give finite logits, found -?nan"):
        Artifact.load(copy, backend="torch")


def test_a_folder_of_the_first_schema_loads_with_a_warning_for_each_thing_unverified(copy: Path) -> None:
    document = json.loads((copy / "metadata.json").read_text())
    first = {"schema_version": "1.0", **{key: document[key] for key in ("saved_at", "framework")}}
    first["expects"] = {
        key: document["expects"][key]
        for key in ("input_dim", "feature_names", "spec_hash", "emit_from", "pad_value", "dtype", "output")
    }
    (copy / "metadata.json").unlink()
    (copy / "probe.json").unlink()
    (copy / "model.meta.json").write_text(json.dumps(first))
    artifact = Artifact.load(copy)
    meta = f"{copy}/model.meta.json: "
    assert artifact.warnings == [
        meta + "has no seal, so an altered threshold cannot be told",
        meta + "states no file hashes, so altered files cannot be told",
        meta + "states no decision rule; the default thresholds apply",
        meta + "does not say which bars the model was trained on",
        meta + "states no layout; it was found by trying",
        f"{copy}: has no probe.json, so the model's logits cannot be compared with those of its training",
    ]
    assert artifact.decision["long_above"] == 0.53


def test_a_sequence_model_without_a_layout_is_found_by_trying(copy: Path) -> None:
    class LastRow(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            length = x.shape[1]
            return x[:, length - 1, :1] + float(length)

    torch.jit.save(torch.jit.script(LastRow()), str(copy / "model.pt"))
    (copy / "probe.json").unlink()
    leave_torchscript(copy)

    def change(document: Json) -> None:
        document["expects"].pop("layout")
        document["expects"].pop("sequence_length")
        document["expects"]["seq_len"] = 5

    fix_hashes(copy)
    edit(copy / "metadata.json", change)
    artifact = Artifact.load(copy, backend="torch")
    assert artifact.sequence_length == 5
    assert artifact.warmup == 64
    windows = np.random.default_rng(1).normal(size=(3, 5, 8)).astype(np.float32)
    np.testing.assert_array_equal(artifact.logits(windows), windows[:, -1, 0] + np.float32(5.0))


def test_a_newer_minor_schema_with_unknown_keys_loads(copy: Path) -> None:
    set_key("schema_version", value="1.7")(copy)
    set_key("expects", "added_later", value={"x": 1})(copy)
    assert Artifact.load(copy).warnings == []

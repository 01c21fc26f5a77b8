"""Trained models in the formats of other runtimes: the same logits, or no file."""

import dataclasses
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from network_support import EVERY_KIND, FEATURES, make_model, network_of, rows
from sentio_inference import Artifact
from sentio_inference import ArtifactError as RefusedArtifact
from training_support import Project, make_project, run_sentio

from sentio_trainer import exports
from sentio_trainer.artifact import sealed_json
from sentio_trainer.cli import app, run
from sentio_trainer.errors import ArtifactError, ConfigError, SentioError
from sentio_trainer.export_command import Exported, export_artifact
from sentio_trainer.files import exclusive_lock
from sentio_trainer.formats import FORMATS
from sentio_trainer.network import Network
from sentio_trainer.report import Silence
from sentio_trainer.trainers.tfa import train

pytest.importorskip("onnx", reason="the extra export is not installed")
pytest.importorskip("onnxruntime", reason="the extra export is not installed")

Json = dict[str, Any]

BOTH = ["onnx", "pt2"]
SEQUENCE_MODEL: Json = {
    "model__kind": "transformer",
    "model__sequence_length": 12,
    "model__heads": 2,
    "training__lr": 1e-2,
    "training__max_steps": 10,
}
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def mlp(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Exported by its training."""
    project = make_project(tmp_path_factory.mktemp("mlp") / "project", days=3)
    train(project.load(export__formats=BOTH), overwrite=False, report=Silence())
    return project


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Exported afterwards."""
    project = make_project(tmp_path_factory.mktemp("transformer") / "project", days=3)
    train(project.load(**SEQUENCE_MODEL), overwrite=False, report=Silence())
    export_artifact(project.artifact, BOTH, overwrite=False)
    return project


@pytest.fixture(params=["mlp", "transformer"])
def artifact(request: pytest.FixtureRequest) -> Path:
    project: Project = request.getfixturevalue(request.param)
    return project.artifact


@pytest.fixture
def copy(mlp: Project, tmp_path: Path) -> Path:
    """An artifact without exports, to be given some."""
    folder = tmp_path / "v1"
    shutil.copytree(mlp.artifact, folder)
    for form in FORMATS.values():
        (folder / form.file).unlink()
    edit(folder / "metadata.json", lambda document: [document["files"].pop(form.file) for form in FORMATS.values()])
    return folder


def edit(path: Path, change: Callable[[Json], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_bytes(sealed_json(document))


def listed(folder: Path) -> dict[str, str]:
    """The hashes that the metadata states of exports."""
    files = json.loads((folder / "metadata.json").read_text())["files"]
    return {form.file: files[form.file] for form in FORMATS.values() if form.file in files}


def sha256(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", BOTH)
def test_an_export_gives_the_logits_of_the_model_in_batches_of_any_size(artifact: Path, name: str) -> None:
    probe = exports.read_probe((artifact / "probe.json").read_bytes())
    run = FORMATS[name].load((artifact / FORMATS[name].file).read_bytes())
    for count in (1, 3, 8, 200):
        take = np.arange(count) % len(probe.logits)
        # Other kernels sum in another order.
        np.testing.assert_allclose(run(probe.inputs[take])[:, 0], probe.logits[take], rtol=0, atol=1e-6)


def test_the_metadata_hold_the_hashes_of_exports_and_cpp_looks_at_them(artifact: Path, tmp_path: Path) -> None:
    assert listed(artifact) == {form.file: sha256(artifact / form.file) for form in FORMATS.values()}
    assert Artifact.load(artifact).warnings == []
    for form in FORMATS.values():
        spoilt = tmp_path / form.file
        shutil.copytree(artifact, spoilt)
        content = bytearray((artifact / form.file).read_bytes())
        content[len(content) // 2] ^= 1
        (spoilt / form.file).write_bytes(content)
        with pytest.raises(RefusedArtifact, match=f"{form.file}: is not the file that was saved: "):
            Artifact.load(spoilt)


def test_the_command_writes_the_bytes_that_a_training_writes_and_says_how_near_they_are(
    mlp: Project, copy: Path
) -> None:
    done = run_sentio("export", "v1", "--format", "onnx", "--format", "pt2", cwd=copy.parent)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "Agreement with the logits of the probe, 8 rows at once and one by one"
    assert lines[1].split() == ["file", "bytes", "ulp,", "largest", "difference,", "largest"]
    for line, form in zip(lines[3:5], FORMATS.values(), strict=True):
        assert line.split()[:2] == [form.file, f"{(copy / form.file).stat().st_size:,}"]
    assert lines[5:] == [f"export: v1/{form.file}" for form in FORMATS.values()]
    assert listed(copy) == listed(mlp.artifact)
    assert {path.name for path in copy.iterdir()} == {path.name for path in mlp.artifact.iterdir()}
    assert [path.name for path in copy.parent.iterdir()] == ["v1"]


def test_exports_hold_nothing_of_this_machine(artifact: Path) -> None:
    private = [str(REPOSITORY), str(Path.home()), str(artifact.parents[2]), sys.prefix, ".py", "site-packages"]
    onnx_file = (artifact / "model.onnx").read_bytes()
    with zipfile.ZipFile(io.BytesIO((artifact / "model.pt2").read_bytes())) as archive:
        members = [archive.read(name) for name in archive.namelist()]
    for text in private:
        for content in (onnx_file, *members):
            assert text.encode() not in content, text


def test_a_pt2_file_runs_where_sentio_is_not_installed(mlp: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("sentio_")]:
        monkeypatch.setitem(sys.modules, name, None)  # an import of it fails
    program = torch.export.load(mlp.artifact / "model.pt2")
    assert program.module()(torch.zeros(5, FEATURES)).shape == (5, 1)
    assert {"mean", "body.stack.0.weight"} <= program.state_dict.keys()


@pytest.mark.parametrize("config", EVERY_KIND, ids=str)
def test_every_kind_of_network_is_the_same_in_onnx(config: Json) -> None:
    model, settings = make_model(**config)
    network = network_of(model, settings)
    x = rows(settings, 50)
    with torch.inference_mode():
        expected = model(x).numpy()
        assert expected.std() > 0.05, "the model says the same of all rows, so nothing was tested"
    onnx = FORMATS["onnx"].load(FORMATS["onnx"].write(network))
    # The same formulas in another order of summation, on logits of about 1.
    np.testing.assert_allclose(onnx(x.numpy()), expected, rtol=0, atol=2e-6)


def changed(network: Network) -> Network:
    """One weight is another: its logits are 1e-4 away."""
    return dataclasses.replace(network, tensors={**network.tensors, "intercept": np.array(1e-4, dtype=np.float32)})


@pytest.mark.parametrize("formats", [["onnx"], ["onnx", "pt2"], ["pt2"]], ids=str)
def test_an_export_with_other_logits_leaves_nothing(
    copy: Path, monkeypatch: pytest.MonkeyPatch, formats: list[str]
) -> None:
    wrong = FORMATS[formats[-1]]
    false = dataclasses.replace(wrong, write=lambda network: wrong.write(changed(network)))
    monkeypatch.setitem(FORMATS, formats[-1], false)
    before = contents(copy)
    probe = exports.read_probe((copy / "probe.json").read_bytes())
    with pytest.raises(ArtifactError) as error:
        export_artifact(copy, formats, overwrite=False)
    text = str(error.value)
    assert text.startswith(f"{copy / wrong.file}: logits[0] of the probe: the export gives ")
    assert text.endswith(
        f" in a batch of 8, the model gave {probe.logits[0]:.9g} when it was saved; nothing was written"
    )
    assert float(text.split(" gives ")[1].split()[0]) == pytest.approx(probe.logits[0] + 1e-4, abs=1e-6)
    assert contents(copy) == before


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (lambda x: x[:, :2], "must give logits of shape [8, 1], found [8, 2]"),
        (lambda x: np.full((len(x), 1), np.nan), "logits[0] of the probe: the export gives nan in a batch of 8, "),
        (lambda x: x @ "a", "cannot be run: "),
    ],
)
def test_an_export_that_cannot_be_used_is_refused(
    copy: Path, monkeypatch: pytest.MonkeyPatch, load: Any, message: str
) -> None:
    monkeypatch.setitem(FORMATS, "onnx", dataclasses.replace(FORMATS["onnx"], load=lambda _: load))
    with pytest.raises(ArtifactError) as error:
        export_artifact(copy, ["onnx"], overwrite=False)
    assert str(error.value).startswith(f"{copy / 'model.onnx'}: {message}")
    assert listed(copy) == {}


def test_a_fault_of_one_batch_size_alone_is_found(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = FORMATS["onnx"]

    def load(content: bytes) -> Any:
        run = whole.load(content)
        return lambda x: run(x) + np.float32(1e-4 if len(x) == 1 else 0.0)

    monkeypatch.setitem(FORMATS, "onnx", dataclasses.replace(whole, load=load))
    with pytest.raises(ArtifactError, match="in a batch of 1, the model gave"):
        export_artifact(copy, ["onnx"], overwrite=False)


def test_an_export_that_exists_is_kept_unless_it_may_be_overwritten(copy: Path) -> None:
    (copy / "model.onnx").write_bytes(b"of an earlier program")
    with pytest.raises(ConfigError, match=r"model\.onnx: exists; replace it with --overwrite"):
        export_artifact(copy, BOTH, overwrite=False)
    assert (copy / "model.onnx").read_bytes() == b"of an earlier program"
    assert listed(copy) == {}
    (exported,) = export_artifact(copy, ["onnx", "onnx"], overwrite=True)
    assert exported == Exported(path=copy / "model.onnx", size=exported.size, agreement=exported.agreement)
    assert listed(copy) == {"model.onnx": sha256(copy / "model.onnx")}


def killed_before_rename(number: int, work: Callable[[], object]) -> int:
    """The exit status of a child that is killed when it is about to rename its `number`-th file."""
    child = os.fork()
    if child == 0:
        left = number

        def hook(event: str, _: object) -> None:
            nonlocal left
            if event == "os.rename":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        status = 1
        try:
            sys.addaudithook(hook)
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_an_export_that_is_killed_at_any_rename_leaves_an_artifact_that_loads(copy: Path) -> None:
    old, found = b"of an earlier program", []
    for number in range(1, 5):
        (copy / "model.onnx").write_bytes(old)
        old_hash = {"model.onnx": sha256(copy / "model.onnx")}
        edit(copy / "metadata.json", lambda document, stated=old_hash: document["files"].update(stated))
        status = killed_before_rename(number, lambda: export_artifact(copy, ["onnx"], overwrite=True))
        assert Artifact.load(copy).warnings == []
        found.append((status, (copy / "model.onnx").read_bytes() == old, listed(copy) == old_hash))
    # Before the metadata drop the old hash, before the file is replaced, before they state the new hash; and never.
    killed = -signal.SIGKILL
    assert found == [(killed, True, True), (killed, True, False), (killed, False, False), (0, False, False)]
    assert listed(copy) == {"model.onnx": sha256(copy / "model.onnx")}
    assert not [path.name for path in copy.iterdir() if path.name == ".model.onnx.partial"]


def test_an_artifact_without_a_graph_is_refused(copy: Path) -> None:
    edit(copy / "metadata.json", lambda document: document["files"].pop("weights.bin"))
    (copy / "weights.bin").unlink()
    with pytest.raises(ArtifactError) as error:
        export_artifact(copy, ["onnx"], overwrite=False)
    assert str(error.value) == (
        f"{copy / 'weights.bin'}: is missing; exports are made of model.json and weights.bin, and compared with "
        "probe.json, which a training writes: train the model again"
    )


def test_an_artifact_that_cpp_refuses_is_not_exported(copy: Path) -> None:
    content = bytearray((copy / "weights.bin").read_bytes())
    content[0] ^= 1
    (copy / "weights.bin").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"weights\.bin: is not the file that was saved: "):
        export_artifact(copy, ["onnx"], overwrite=False)


@pytest.mark.parametrize(("here", "folder"), [("", "v1"), ("v1", ".")])
def test_a_version_that_another_process_writes_is_not_exported(
    copy: Path, monkeypatch: pytest.MonkeyPatch, here: str, folder: str
) -> None:
    monkeypatch.chdir(copy.parent / here)
    with (
        exclusive_lock(copy.with_name(".v1.lock"), wait=False),
        pytest.raises(SentioError, match=rf"{folder}: another process is writing this version"),
    ):
        export_artifact(Path(folder), ["onnx"], overwrite=False)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("none", "--format", "onnx"), 4, "none: no such artifact folder"),
        (("none", "--format", "onxn"), 2, "--format: unknown format 'onxn'; did you mean 'onnx'?"),
        (("none", "--format", "tflite"), 2, "--format: unknown format 'tflite'; known: onnx, pt2"),
        (("none",), 2, "Missing option '--format'."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_failure_is_one_line_and_a_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(app, ["export", *arguments], program="sentio") == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"sentio: {message}\n")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("--format", ["export", "artifacts/TFA/v1", "--format", "pt2", "--format", "onnx"]),
        ("export.formats", ["config", "check", "--config", "configs/tfa.yaml", "--set", "export.formats=[onnx]"]),
        (
            "export.formats",
            ["train", "--config", "configs/tfa.yaml", "--out", "artifacts/TFA/v2", "--set", "export.formats=[onnx]"],
        ),
    ],
    ids=["export", "config check", "train"],
)
def test_a_missing_package_is_named_with_the_line_that_installs_it_before_any_work(
    mlp: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    package: str,
    place: str,
    arguments: list[str],
) -> None:
    monkeypatch.chdir(mlp.root)
    monkeypatch.setitem(sys.modules, package, None)  # an import of it fails
    assert run(app, arguments, program="sentio") == 2
    captured = capsys.readouterr()
    message = f"sentio: {place}: onnx needs the package {package}: pip install 'sentio[export]'\n"
    assert (captured.out, captured.err) == ("", message)
    assert not (mlp.root / "artifacts/TFA/v2").exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("onnx", "export.formats: must be a list, such as [onnx, pt2], found 'onnx'"),
        (["onxn"], "export.formats.0: must be one of 'onnx', 'pt2', found 'onxn'; did you mean 'onnx'?"),
        (["pt2", "pt2"], "export.formats: must name each format once, found 'pt2' 2 times"),
    ],
    ids=str,
)
def test_formats_of_a_configuration_are_checked(mlp: Project, value: object, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        mlp.load(export__formats=value)
    assert str(error.value) == message.replace("export.formats", "test", 1)


def test_formats_are_shown_with_their_origin(mlp: Project) -> None:
    shown = mlp.load(export__formats=BOTH).to_yaml(with_origins=True)
    last = [line.split("#")[0].rstrip() for line in shown.splitlines()[-3:]]
    assert last == ["  formats:", "  - onnx", "  - pt2"]
    assert [line.partition("# ")[2] for line in shown.splitlines()[-3:]] == ["test", "", ""]


def test_a_training_whose_export_fails_says_how_to_go_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "project", days=3, epochs=1)
    monkeypatch.setattr(exports, "TOLERANCE", -1.0)
    with pytest.raises(ArtifactError) as error:
        train(project.load(export__formats=["onnx"]), overwrite=False, report=Silence())
    assert str(error.value).startswith("model.onnx: logits[0] of the probe: the export gives ")
    assert str(error.value).endswith(
        "; --resume-from latest --set export.formats=[] writes the artifact without exports"
    )
    assert not project.artifact.exists()
    train(project.load(export__formats=[]), overwrite=False, report=Silence(), resume_from="latest")
    assert listed(project.artifact) == {}
    assert Artifact.load(project.artifact).warnings == []

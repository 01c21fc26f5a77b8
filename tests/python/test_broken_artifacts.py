"""Artifacts are untrusted input: what is damaged, altered or made to deceive is refused by name, in bounded memory."""

import json
import random
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli_support import SENTIO_CLI, refusal_of
from sentio_inference import Artifact, ArtifactError
from training_support import Project, make_project, run_sentio

from sentio_trainer.artifact import sealed_json
from sentio_trainer.errors import ArtifactError as SealError
from sentio_trainer.errors import SentioError
from sentio_trainer.files import exclusive_lock, sha256_file
from sentio_trainer.report import Silence
from sentio_trainer.seal import seal_folder
from sentio_trainer.trainers.tfa import train

DAMAGED = 300
MEMORY = 1 << 29  # what a reader promises to need at most, and the program itself with it


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("broken") / "project", epochs=1)
    train(project.load(), overwrite=False, report=Silence())
    return project


@pytest.fixture
def copy(trained: Project, tmp_path: Path) -> Path:
    """The artifact, to be broken."""
    shutil.copytree(trained.artifact, tmp_path / "v1")
    return tmp_path / "v1"


def metadata_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "metadata.json").read_text())
    return document


def set_hash(folder: Path, name: str) -> None:
    document = metadata_of(folder)
    document["files"][name] = sha256_file(folder / name)
    (folder / "metadata.json").write_bytes(sealed_json(document))


def damaged(content: bytes, rng: random.Random) -> bytes:
    at, kind = rng.randrange(len(content)), rng.randrange(5)
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content + bytes(rng.randrange(1, 100))
    if kind == 2:
        return b""
    if kind == 3:
        return content[:at] + content[at + 1 :]
    return content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]


def test_a_damaged_file_of_a_trained_artifact_is_refused_by_name(copy: Path) -> None:
    names = sorted(path.name for path in copy.iterdir())
    for seed in range(DAMAGED):
        rng = random.Random(seed)
        path = copy / rng.choice(names)
        content = path.read_bytes()
        path.write_bytes(damaged(content, rng))
        with pytest.raises(ArtifactError) as error:
            Artifact.load(copy)
        assert str(error.value).startswith(str(path)), seed
        assert str(error.value).isprintable(), seed
        path.write_bytes(content)
    Artifact.load(copy)


def test_a_threshold_that_was_edited_by_hand_is_refused_until_it_is_sealed(trained: Project, copy: Path) -> None:
    text = (copy / "metadata.json").read_text()
    before = json.dumps(metadata_of(copy)["decision"]["long_above"])
    edited = text.replace(f'"long_above": {before}', '"long_above": 0.99', 1)
    (copy / "metadata.json").write_text(edited)
    right = json.loads(sealed_json(json.loads(edited)))["seal"]
    expected = (
        f"{copy}/metadata.json: seal: the file was altered after it was saved: the seal of its bytes is "
        f'"{right}", found "{json.loads(text)["seal"]}"; if the change is meant, accept it with: sentio seal {copy}'
    )
    assert refusal_of("inspect", copy, cwd=copy.parent) == (4, "sentio_cli: " + expected)
    done = run_sentio("seal", str(copy), cwd=copy.parent)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "metadata.json: was altered, or had no seal"
    assert '"long_above": 0.99' in lines[1]
    assert lines[-1].endswith("v1: sealed")
    assert Artifact.load(copy).decision["long_above"] == 0.99
    assert metadata_of(copy)["seal"] == right


def test_a_seal_says_which_files_it_accepts(copy: Path) -> None:
    (copy / "train_log.csv").write_text("epoch\n")
    (copy / "config.yaml").unlink()
    document = metadata_of(copy)
    del document["files"]["feature_spec.json"]
    (copy / "metadata.json").write_bytes(sealed_json(document))
    lines = seal_folder(copy)
    assert lines[:3] == [
        "config.yaml: is gone",
        f"feature_spec.json: had no hash, now {sha256_file(copy / 'feature_spec.json')}",
        f"train_log.csv: was altered, now {sha256_file(copy / 'train_log.csv')}",
    ]
    assert seal_folder(copy)[-1].endswith(": was sealed already")


def test_a_version_that_another_process_writes_is_not_sealed(copy: Path) -> None:
    with (
        exclusive_lock(copy.with_name(f".{copy.name}.lock"), wait=False),
        pytest.raises(SentioError, match="another process is writing this version"),
    ):
        seal_folder(copy)


def test_what_cannot_be_loaded_is_not_sealed(copy: Path) -> None:
    document = metadata_of(copy)
    document["decision"]["long_above"] = 2.0
    altered = json.dumps(document).encode()
    (copy / "metadata.json").write_bytes(altered)
    with pytest.raises(SealError, match=r"not sealed: .*long_above: must be a number from 0 to 1, found 2\.0"):
        seal_folder(copy)
    assert (copy / "metadata.json").read_bytes() == altered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "a": 2}', "is not valid JSON: a key is written twice in the object of a"),
        (b'{"a": NaN}', "is not valid JSON: NaN is no number of JSON"),
        (b'{"a": "\\ud800"}', "is not valid JSON: "),
        (b"[" * 100_000, "is not valid JSON: "),
        (b"[]", r"must hold an object, found \[\]"),
    ],
)
def test_metadata_that_is_no_document_is_not_sealed(copy: Path, text: bytes, message: str) -> None:
    (copy / "metadata.json").write_bytes(text)
    with pytest.raises(SealError, match=f"metadata.json: {message}"):
        seal_folder(copy)


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("probe.json", b"[" + b"[]," * 1_249_000 + b"[]]", "probe.json: must hold the keys inputs and logits"),
        (
            "probe.json",
            b"{" + b",".join(b'"%085d":0' % i for i in range(624_000)) + b"}",
            "probe.json: must hold the keys inputs and logits",
        ),
        ("probe.json", b"[" + b"0," * 33_000_000 + b"0]", "probe.json: must hold at most 1250000 keys and values"),
        ("probe.json", b"[" * (1 << 26), "probe.json: is nested deeper than 64 levels"),
        ("model.json", b"[" + b"[]," * 349_000 + b"[]]", "model.json: "),
    ],
    ids=["lists", "keys", "numbers", "nesting", "graph"],
)
def test_an_artifact_that_claims_much_is_refused_within_little_memory(
    copy: Path, name: str, text: bytes, message: str
) -> None:
    (copy / name).write_bytes(text)
    set_hash(copy, name)
    done = subprocess.run(
        [SENTIO_CLI, "inspect", copy], capture_output=True, text=True, check=False, timeout=60, preexec_fn=limit_memory
    )
    assert done.returncode == 4, done.stderr
    assert message in done.stderr

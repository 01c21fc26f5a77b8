"""Accepts an artifact as it is now: hashes its files again and seals its metadata."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sentio_inference

from sentio_trainer.artifact import METADATA, SCHEMA_VERSION, sealed_json, sole_writer
from sentio_trainer.errors import ArtifactError
from sentio_trainer.files import sha256_file, write_atomic
from sentio_trainer.paths import shown_path

# Files that belong to an artifact, in the order of metadata's `files`; others are hashed where they are listed there.
_KNOWN = ("model.pt", "model.json", "weights.bin", "feature_spec.json", "probe.json", "config.yaml", "train_log.csv")


def seal_folder(folder: Path) -> list[str]:
    """Hashes the files again, seals the metadata, and loads the artifact.

    Returns:
        One line for each change that is now accepted, then the decision rule and the seal.

    Raises:
        ArtifactError: the metadata cannot be read, or the artifact cannot be loaded; then the metadata is as before.
        SentioError: another process is writing this version.
    """
    path = folder / METADATA
    if not path.is_file():
        raise ArtifactError(f"{shown_path(path)}: no such file")
    with sole_writer(folder):
        return _seal(folder)


def _seal(folder: Path) -> list[str]:
    path = folder / METADATA
    before = path.read_bytes()
    document, was_intact = _parse(path, before)
    stated = document.get("files", {})
    if not isinstance(stated, dict):
        raise ArtifactError(f"{shown_path(path)}: files: must be an object, found {stated!r:.100}")
    names = [*_KNOWN, *(name for name in stated if name not in _KNOWN)]
    found = {name: sha256_file(folder / name) for name in names if (folder / name).is_file()}
    if document.get("schema_version") == "1.0":
        document["schema_version"] = SCHEMA_VERSION
    after = sealed_json({**document, "files": found})
    write_atomic(path, after)
    try:
        artifact = sentio_inference.Artifact.load(folder)
    except sentio_inference.ArtifactError as error:
        write_atomic(path, before)
        raise ArtifactError(f"not sealed: {error}") from error
    lines = [] if was_intact else [f"{METADATA}: was altered, or had no seal"]
    lines += [*_changes(stated, found), f"decision: {json.dumps(artifact.decision)}"]
    lines += [f"warning: {warning}" for warning in artifact.warnings]
    return [*lines, f"{shown_path(folder)}: sealed" if after != before else f"{shown_path(folder)}: was sealed already"]


def _changes(stated: Mapping[str, Any], found: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(stated.keys() | found.keys()):
        if name not in found:
            yield f"{name}: is gone"
        elif name not in stated:
            yield f"{name}: had no hash, now {found[name]}"
        elif stated[name] != found[name]:
            yield f"{name}: was altered, now {found[name]}"


def _parse(path: Path, content: bytes) -> tuple[dict[str, Any], bool]:
    """The document, and whether its seal is there and fits."""
    try:
        document = json.loads(content, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        was_intact = isinstance(document, dict) and sealed_json(document) == content
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{shown_path(path)}: is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise ArtifactError(f"{shown_path(path)}: must hold an object, found {document!r:.100}")
    return document, was_intact


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError(f"a key is written twice in the object of {', '.join(document):.100}")
    return document


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")

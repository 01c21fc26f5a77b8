"""`sentio export`: adds a trained model in other formats to its artifact folder."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sentio_inference import Artifact
from sentio_inference import ArtifactError as RefusedArtifact

from sentio_trainer.artifact import METADATA, sealed_json, sole_writer
from sentio_trainer.errors import ArtifactError, ConfigError
from sentio_trainer.exports import Agreement, check_packages, read_probe, verify
from sentio_trainer.files import sync_entry, write_atomic
from sentio_trainer.formats import Format, find_format
from sentio_trainer.network import MODEL, WEIGHTS, Network, parse_network
from sentio_trainer.paths import shown_path

PROBE = "probe.json"


@dataclass(frozen=True, kw_only=True)
class Exported:
    path: Path
    size: int  # bytes
    agreement: Agreement


def export_artifact(folder: Path, formats: Sequence[str], *, overwrite: bool) -> list[Exported]:
    """Writes the formats beside the model, all of them or none, and their hashes into the metadata.

    A process that dies on the way leaves an artifact that loads.

    Args:
        formats: names; one that is given twice counts once.
        overwrite: whether exports that are there are replaced.

    Raises:
        ConfigError: a format is unknown, its package is missing, or an export is there and `overwrite` is false.
        ArtifactError: the artifact is refused, lacks what exports are made of, or an export gives other logits.
        SentioError: another process is writing this version.
    """
    forms = [find_format(name) for name in dict.fromkeys(formats)]
    check_packages(formats, where="--format")
    if not folder.is_dir():
        raise ArtifactError(f"{shown_path(folder)}: no such artifact folder")
    _require_files(folder)
    with sole_writer(folder):
        _refuse_existing(folder, forms, overwrite=overwrite)
        return _export(folder, forms, _load_network(folder))


def _require_files(folder: Path) -> None:
    for name in (MODEL, WEIGHTS, PROBE):
        if not (folder / name).is_file():
            raise ArtifactError(
                f"{shown_path(folder / name)}: is missing; exports are made of {MODEL} and {WEIGHTS}, and compared "
                f"with {PROBE}, which a training writes: train the model again"
            )


def _refuse_existing(folder: Path, forms: Sequence[Format], *, overwrite: bool) -> None:
    for form in forms:
        if not overwrite and (folder / form.file).exists():
            raise ConfigError(f"{shown_path(folder / form.file)}: exists; replace it with --overwrite")


def _load_network(folder: Path) -> Network:
    try:
        Artifact.load(folder)  # all files are those that were saved, and give the probe's logits
    except RefusedArtifact as error:
        raise ArtifactError(str(error)) from error
    try:
        return parse_network((folder / MODEL).read_bytes(), (folder / WEIGHTS).read_bytes())
    except ArtifactError as error:
        raise ArtifactError(f"{shown_path(folder)}/{error}") from error


def _export(folder: Path, forms: Sequence[Format], network: Network) -> list[Exported]:
    probe = read_probe((folder / PROBE).read_bytes())
    partials = {form.file: folder / f".{form.file}.partial" for form in forms}
    exported, hashes = [], {}
    try:
        for form in forms:
            _write_synced(partials[form.file], form.write(network))
            content = partials[form.file].read_bytes()
            try:
                agreement = verify(form, content, probe)
            except ArtifactError as error:
                raise ArtifactError(f"{shown_path(folder)}/{error}; nothing was written") from error
            exported.append(Exported(path=folder / form.file, size=len(content), agreement=agreement))
            hashes[form.file] = f"sha256:{hashlib.sha256(content).hexdigest()}"
        _take_places(folder, partials, hashes)
    finally:
        for partial in partials.values():
            partial.unlink(missing_ok=True)
    return exported


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _take_places(folder: Path, partials: Mapping[str, Path], hashes: Mapping[str, str]) -> None:
    """In an order in which every state loads: a file without a hash is no fault, one with another's hash is."""
    path = folder / METADATA
    document = json.loads(path.read_bytes())
    files = {name: value for name, value in document.get("files", {}).items() if name not in hashes}
    if files != document.get("files", {}):
        write_atomic(path, sealed_json({**document, "files": files}))
        sync_entry(folder)
    for name, partial in partials.items():
        partial.replace(folder / name)
    sync_entry(folder)
    write_atomic(path, sealed_json({**document, "files": {**files, **hashes}}))
    sync_entry(folder)

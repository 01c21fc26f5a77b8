"""Whether a deployed folder is what was judged: C++ loads it, gives the probe's logits, and trades the same."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from sentio_inference import Artifact
from sentio_inference import ArtifactError as RefusedArtifact

from sentio_trainer.errors import ArtifactError, SentioError
from sentio_trainer.files import sha256_file
from sentio_trainer.network import MODEL
from sentio_trainer.paths import shown_path
from sentio_trainer.releases import DEPLOYMENT, Document, hashes_of

PROBE = "probe.json"


def check_files(release: Path, document: Document) -> None:
    """Holds every file of a release against the hash in its document.

    Raises:
        ArtifactError: a model or a file is missing, altered, or should not be there.
    """
    found = {path.name for path in release.iterdir() if not path.name.startswith(".")} - {DEPLOYMENT}
    if found != set(document["models"]):
        raise ArtifactError(
            f"{shown_path(release)}: must hold {', '.join(document['models'])}, found {', '.join(sorted(found))}"
        )
    for name, model in document["models"].items():
        hashes = hashes_of(release / name)
        for file in sorted(hashes.keys() | model["files"].keys()):
            if hashes.get(file) != model["files"].get(file):
                raise ArtifactError(
                    f"{shown_path(release / name / file)}: is not the file that was deployed: its hash is "
                    f"{hashes.get(file, 'that of no file')}, {DEPLOYMENT} states {model['files'].get(file, 'none')}"
                )


def load_model(folder: Path, *, backend: Literal["auto", "native", "torch"] = "auto") -> Artifact:
    """Loads an artifact in C++, which verifies its seal and its hashes and replays its probe.

    Raises:
        ArtifactError: it is refused.
    """
    try:
        return Artifact.load(folder, backend=backend)
    except RefusedArtifact as error:
        raise ArtifactError(str(error)) from error


def count_trials(artifact: Artifact) -> int | None:
    """How many models it was picked from; None: there is no ledger beside it.

    Raises:
        ArtifactError: the ledger is damaged.
    """
    try:
        found = artifact.trials
    except RefusedArtifact as error:
        raise ArtifactError(str(error)) from error
    return None if found is None else found["count"]


def check_loads(folder: Path) -> list[str]:
    """Loads an artifact by every backend that it has a model for; returns their names.

    Raises:
        ArtifactError: one refuses it, or there is no probe, without which a wrong model cannot be told.
    """
    if not (folder / PROBE).is_file():
        raise ArtifactError(f"{shown_path(folder / PROBE)}: is missing, so the model's logits cannot be verified")
    backends: list[Literal["native", "torch"]] = ["torch"]
    if (folder / MODEL).is_file():
        backends.insert(0, "native")
    for backend in backends:
        load_model(folder, backend=backend)
    return list(backends)


def check_trades(release: Path, name: str, evidence: Mapping[str, Any]) -> None:
    """Runs `sentio_cli tpa_test` on a deployed model, over the bars that it was judged on.

    Raises:
        ArtifactError: it fails, or its fills are others than those that were judged.
    """
    bars = Path(evidence["bars"])
    arguments = {
        "--bars": str(bars),
        "--on-bad-bar": evidence["on_bad_bar"],
        "--artifacts": str(release.parent),
        "--model": release.name,
        "--version": name,
        "--strategy": "tfa",
        "--costs": evidence["costs"],
        "--days": str(evidence["sessions"]),
        "--json": "-",
    }
    command = [_sentio_cli(), "tpa_test", evidence["symbol"], *(word for pair in arguments.items() for word in pair)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        told = done.stderr.strip().splitlines()
        raise ArtifactError(
            f"{shown_path(release / name)}: sentio_cli tpa_test {evidence['symbol']} ended with exit code "
            f"{done.returncode}: {told[-1] if told else 'it said nothing'}"
        )
    found = json.loads(done.stdout)["fills_hash"]
    if found != evidence["fills_hash"]:
        raise ArtifactError(
            f"{shown_path(release / name)}: trades otherwise than it was judged: sentio_cli tpa_test "
            f"{evidence['symbol']} gives fills {found}, the gates saw {evidence['fills_hash']}"
        )


def bars_changed(evidence: Mapping[str, Any]) -> str | None:
    """Why a model cannot be run once more over the bars that it was judged on; None: it can."""
    bars = Path(evidence["bars"])
    if not bars.is_file():
        return f"{shown_path(bars)} is not there"
    return None if sha256_file(bars) == evidence["bars_hash"] else f"{shown_path(bars)} has changed since"


def _sentio_cli() -> str:
    """The program that was installed with this package, else the one on PATH.

    Raises:
        SentioError: there is none.
    """
    beside = Path(sys.executable).with_name("sentio_cli")
    found = str(beside) if beside.is_file() else shutil.which("sentio_cli")
    if found is None:
        raise SentioError(f"sentio_cli is neither at {shown_path(beside)} nor on PATH; install the package again")
    return found

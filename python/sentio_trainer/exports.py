"""A network in the format of another runtime, held against the probe before anybody relies on it."""

import importlib.util
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sentio_trainer.errors import ArtifactError, ConfigError
from sentio_trainer.formats import FORMATS, Format
from sentio_trainer.network import MODEL, WEIGHTS, Float32, parse_network

EXTRA = "pip install 'sentio[export]'"
# Of max(1, |logit|), as for C++: kernels of other runtimes round differently.
TOLERANCE = 1e-5


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Real inputs and the logits that they gave when the model was saved."""

    inputs: Float32  # [n, F] or [n, T, F]
    logits: Float32  # [n]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far a runtime is from the probe, over all rows, at once and one by one."""

    rows: int
    ulp: float  # the largest distance, in units of the last place of a float32 logit
    difference: float  # the largest distance


def check_packages(formats: Iterable[str], *, where: str) -> None:
    """Makes sure, before any work, that the packages of these formats are there.

    Raises:
        ConfigError: one is not; begins with `where`.
    """
    for name in formats:
        for package in FORMATS[name].packages:
            spec = importlib.util.find_spec(package)
            # A folder of that name in the current one is found as a package without a file.
            if spec is None or spec.origin is None:
                raise ConfigError(f"{where}: {name} needs the package {package}: {EXTRA}")


def read_probe(content: bytes) -> Probe:
    """The probe of an artifact that was loaded in C++, so that its form is known to be right."""
    document: dict[str, Any] = json.loads(content)
    numbers = {key: np.array(document[key], dtype=np.float32) for key in ("inputs", "logits")}
    return Probe(**numbers)


def verify(form: Format, content: bytes, probe: Probe) -> Agreement:
    """Runs a file's content on the probe, on all rows at once and on each alone.

    Raises:
        ArtifactError: it cannot be run, gives another shape, or logits that are not the probe's.
    """
    rows = len(probe.logits)
    try:
        run = form.load(content)
        found = {
            f"a batch of {rows}": run(probe.inputs),
            "a batch of 1": np.concatenate([run(probe.inputs[i : i + 1]) for i in range(rows)]),
        }
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ArtifactError(f"{form.file}: cannot be run: {reason or type(error).__name__}") from error
    expected = probe.logits.astype(np.float64)
    limit = TOLERANCE * np.maximum(1.0, np.abs(expected))
    distances = []
    for batch, logits in found.items():
        if logits.shape != (rows, 1):
            raise ArtifactError(f"{form.file}: must give logits of shape [{rows}, 1], found {list(logits.shape)}")
        distance = np.abs(logits[:, 0] - expected)
        wrong = np.flatnonzero(~(distance <= limit))  # a NaN is wrong
        if len(wrong):
            i = wrong[0]
            raise ArtifactError(
                f"{form.file}: logits[{i}] of the probe: the export gives {logits[i, 0]:.9g} in {batch}, "
                f"the model gave {probe.logits[i]:.9g} when it was saved"
            )
        distances.append(distance)
    ulp = max(float((distance / np.spacing(np.abs(probe.logits))).max()) for distance in distances)
    return Agreement(rows=rows, ulp=ulp, difference=max(float(distance.max()) for distance in distances))


def exports(formats: Sequence[str], files: Mapping[str, bytes], probe: Probe) -> dict[str, bytes]:
    """The exports of an artifact that is about to be written, each verified, by file name.

    Args:
        formats: names.
        files: the artifact's other files, by file name.

    Raises:
        ArtifactError: the model cannot be exported; says how to go on without.
    """
    if not formats:
        return {}
    without = "--resume-from latest --set export.formats=[] writes the artifact without exports"
    if MODEL not in files:
        raise ArtifactError(f"export.formats: the model has no {MODEL}, which exports are made of; {without}")
    try:
        network = parse_network(files[MODEL], files[WEIGHTS])
        contents = {}
        for form in (FORMATS[name] for name in formats):
            contents[form.file] = form.write(network)
            verify(form, contents[form.file], probe)
    except ArtifactError as error:
        raise ArtifactError(f"{error}; {without}") from error
    return contents

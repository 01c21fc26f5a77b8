"""How near each runtime comes to the trained network in float64, and how large its files are.

`python -m benchmarks.inference_agreement ARTIFACT ROWS.npy` compares all that an artifact holds, native and TorchScript
by the C++ code that trades; AOTInductor compiles the PT2 export first, which takes a minute.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from sentio_inference import Artifact

from benchmarks.bars import Float32
from benchmarks.report import as_rich
from benchmarks.tables import Table
from sentio_trainer.formats import FORMATS
from sentio_trainer.network import MODEL, WEIGHTS, Network, parse_network
from sentio_trainer.network_module import NetworkModule

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Something that gives the logits, [n], of rows [n, F] or windows [n, T, F]."""

    name: str
    files: Sequence[Path]
    logits: Callable[[Float32], Float32]

    @property
    def size(self) -> int:
        return sum(path.stat().st_size for path in self.files)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Of n rows: distances from the reference, and whether a row's bits depend on its company."""

    ulp_median: float  # in units of the last place of the reference, as a float32
    ulp_largest: float  # large where a logit is near zero, the sum of large terms
    error: float  # largest distance, as a part of max(1, |logit|)
    same_bits: int  # rows whose logit in one batch of all is that of the row alone


def reference_logits(artifact: Path, x: Float32) -> Float64:
    """The network in float64, on the artifact's own float32 weights."""
    module = NetworkModule(_network(artifact)).double().eval()
    with torch.inference_mode():
        logits: Float64 = module(torch.from_numpy(x).double())[:, 0].numpy()
    return logits


def agreement(logits: Callable[[Float32], Float32], x: Float32, reference: Float64) -> Agreement:
    """Asks a runtime for all rows at once, and for each alone."""
    at_once = logits(x)
    alone = np.concatenate([logits(x[i : i + 1]) for i in range(len(x))])
    distance = np.abs(at_once.astype(np.float64) - reference)
    ulp = distance / np.spacing(np.abs(reference).astype(np.float32))
    return Agreement(
        ulp_median=float(np.median(ulp)),
        ulp_largest=float(ulp.max()),
        error=float((distance / np.maximum(1.0, np.abs(reference))).max()),
        same_bits=int((at_once.view(np.int32) == alone.view(np.int32)).sum()),
    )


def runtimes(artifact: Path, folder: Path) -> Iterator[Runtime]:
    """All that the artifact holds; what AOTInductor compiles goes into `folder`."""
    for backend, files in (("native", (MODEL, WEIGHTS)), ("torch", ("model.pt",))):
        logits = Artifact.load(artifact, backend=backend).logits
        name = "native" if backend == "native" else "TorchScript in C++"
        yield Runtime(name=name, files=[artifact / file for file in files], logits=logits)
    for key, name in (("onnx", "ONNX Runtime"), ("pt2", "PT2, eager")):
        path = artifact / FORMATS[key].file
        if path.exists():
            run = FORMATS[key].load(path.read_bytes())
            yield Runtime(name=name, files=[path], logits=_flat(run))
    if (artifact / FORMATS["pt2"].file).exists():
        package = folder / "compiled.pt2"
        program = torch.export.load(artifact / FORMATS["pt2"].file)
        torch._inductor.aoti_compile_and_package(program, package_path=str(package))
        compiled = torch._inductor.aoti_load_package(str(package))
        yield Runtime(
            name="AOTInductor",
            files=[package],
            logits=_flat(lambda x: compiled(torch.from_numpy(np.ascontiguousarray(x))).numpy()),
        )


def agreement_table(artifact: Path, x: Float32) -> Table:
    """A row a runtime."""
    reference = reference_logits(artifact, x)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for runtime in runtimes(artifact, Path(folder)):
            found = agreement(runtime.logits, x, reference)
            rows.append([runtime.name, found.ulp_median, found.ulp_largest, found.error, found.same_bits, runtime.size])
    return Table(
        key="agreement",
        title=f"Agreement with float64 on {len(x):,} rows",
        text="ulp: units of the last place of a float32 logit. Error: as a part of max(1, |logit|). "
        "Same bits: rows whose logit in the batch is that of the row alone.",
        headings=("runtime", "ulp, median", "ulp, largest", "error, largest", "same bits", "bytes"),
        rows=rows,
    )


def _flat(run: Callable[[Float32], Float32]) -> Callable[[Float32], Float32]:
    return lambda x: run(x)[:, 0]


def _network(artifact: Path) -> Network:
    return parse_network((artifact / MODEL).read_bytes(), (artifact / WEIGHTS).read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares the runtimes of an artifact with float64.")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("rows", type=Path, help="float32, [n, F] or [n, T, F], as a .npy file")
    given = parser.parse_args()
    torch.set_num_threads(1)
    x = np.load(given.rows, allow_pickle=False)
    Console(soft_wrap=True).print(as_rich(agreement_table(given.artifact, x)))


if __name__ == "__main__":
    main()

"""What runs a model: as asked, said in every report, and without a trace in the Python that it runs in."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_support import SENTIO_CLI, refusal_of, report_of, run_cli
from native_support import random_model
from sentio_features import read_csv
from sentio_inference import Artifact, ArtifactError, backtest
from torch import nn
from torchscript_support import SPEC, write_artifact
from training_support import bars_of, write_bars

from sentio_trainer.graph import graph_files
from sentio_trainer.schema import ModelConfig

WHY_TORCH = "The artifact has no model.json, so LibTorch runs it."
RUN = ("backtest", "QQQ", "--bars", "QQQ.csv", "--strategy", "tfa")


def python(script: str) -> subprocess.CompletedProcess[str]:
    """A Python of its own, in which nothing has been loaded."""
    return subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("backends")
    torch.manual_seed(1)
    write_artifact(root / "artifacts" / "TFA" / "v1", nn.Linear(SPEC.width, 1))
    config = ModelConfig(hidden=16)
    model = random_model(config, inputs=SPEC.width)
    native = write_artifact(root / "artifacts" / "TFA" / "native", model, layout="BF", sequence_length=1)
    for name, content in graph_files(model, window=config.window, inputs=SPEC.width).items():
        (native / name).write_bytes(content)
    write_bars(root / "QQQ.csv", bars_of(100.0 + np.sin(np.arange(300) / 7.0)))
    return root


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    return root / "artifacts" / "TFA" / "v1"


def test_a_report_says_what_ran_and_why_it_was_not_the_evaluator(root: Path, folder: Path) -> None:
    for options, notes in (((), 1), (("--backend", "auto"), 1), (("--backend", "torch"), 0)):
        report = report_of(*RUN, *options, cwd=root)
        assert (report["strategy"]["backend"], report["strategy"]["device"]) == ("torch", "cpu")
        assert report["notes"].count(WHY_TORCH) == notes
        text = run_cli(*RUN, *options, cwd=root).stdout
        assert text.startswith("backtest QQQ: tfa (TFA v1, torch on cpu)\n")
        assert text.count(WHY_TORCH) == notes
        assert max(map(len, text.splitlines())) <= 100
        inspected = run_cli("inspect", "artifacts/TFA/v1", *options, cwd=root).stdout
        assert "backend       torch on cpu\n" in inspected
        assert inspected.count(WHY_TORCH) == notes
    bars = read_csv(root / "QQQ.csv")
    report = backtest(bars, "tfa", artifact=Artifact.load(folder))
    assert (report["strategy"]["backend"], report["strategy"]["device"]) == ("torch", "cpu")
    assert report["notes"].count(WHY_TORCH) == 1
    assert WHY_TORCH not in backtest(bars, "tfa", artifact=Artifact.load(folder, backend="torch"))["notes"]


def test_a_model_with_its_graph_runs_natively_unless_asked_otherwise(root: Path) -> None:
    native = (*RUN, "--version", "native")
    for options, backend in (((), "native"), (("--backend", "native"), "native"), (("--backend", "torch"), "torch")):
        report = report_of(*native, *options, cwd=root)
        assert (report["strategy"]["backend"], report["strategy"]["device"]) == (backend, "cpu")
        assert not any("LibTorch" in note for note in report["notes"])
    inspected = run_cli("inspect", "artifacts/TFA/native", cwd=root).stdout
    assert "backend       native on cpu\n" in inspected
    folder = root / "artifacts" / "TFA" / "native"
    x = np.random.default_rng(1).normal(size=(64, SPEC.width)).astype(np.float32)
    # float32 sums in two orders, over two layers of 16.
    np.testing.assert_allclose(
        Artifact.load(folder).logits(x), Artifact.load(folder, backend="torch").logits(x), rtol=0, atol=1e-5
    )


def test_the_native_backend_needs_the_graph(root: Path, folder: Path) -> None:
    what = "model.json: the file is missing, which the native backend runs; backend torch runs model.pt"
    with pytest.raises(ArtifactError, match=f"^{re.escape(f'{folder}/{what}')}$"):
        Artifact.load(folder, backend="native")
    for verb in (RUN, ("tpa_test", *RUN[1:]), ("inspect", "artifacts/TFA/v1")):
        message = f"sentio_cli: artifacts/TFA/v1/{what}"
        assert refusal_of(*verb, "--backend", "native", cwd=root) == (4, message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "natve"}, "unknown backend 'natve'; did you mean 'native'?"),
        ({"device": "gpu"}, "unknown device 'gpu'; known: cpu, cuda, cuda:0, cuda:1, ..."),
        ({"device": "cuda:x"}, "unknown device 'cuda:x'; known: cpu, cuda, cuda:0, cuda:1, ..."),
        ({"device": "cuda:128"}, "unknown device 'cuda:128'; known: cpu, cuda, cuda:0, cuda:1, ..."),
        (
            {"backend": "native", "device": "cuda"},
            "the native backend runs on the cpu; device 'cuda' needs backend torch",
        ),
        ({"threads": 0}, "threads must be a whole number in [1, 1024], found 0"),
        ({"threads": 5000}, "threads must be a whole number in [1, 1024], found 5000"),
    ],
)
def test_wrong_options_are_refused_by_name(root: Path, folder: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Artifact.load(folder, **options)  # type: ignore[arg-type]
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    for verb in (RUN, ("inspect", "artifacts/TFA/v1")):
        assert refusal_of(*verb, *arguments, cwd=root) == (2, f"sentio_cli: {message}")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_device_that_is_not_there_is_refused_and_nothing_else_runs(root: Path, folder: Path) -> None:
    for device in ("cuda", "cuda:1"):
        message = (
            f"device '{device}' is not there, LibTorch finds no CUDA device; it needs a torch package with CUDA, and a "
            "driver that fits; device cpu is always there"
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            Artifact.load(folder, device=device)
        for version in ("v1", "native"):  # the evaluator does not stand in for a device
            run = (*RUN, "--version", version, "--device", device)
            assert refusal_of(*run, cwd=root) == (2, f"sentio_cli: {message}")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here")
def test_a_model_runs_on_cuda(folder: Path) -> None:
    x = np.random.default_rng(1).normal(size=(64, SPEC.width)).astype(np.float32)
    on_cuda = Artifact.load(folder, device="cuda")
    assert (on_cuda.backend, on_cuda.device) == ("torch", "cuda")
    # Sums of eight products in another order.
    np.testing.assert_allclose(on_cuda.logits(x), Artifact.load(folder).logits(x), rtol=0, atol=1e-5)


PROC = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs the /proc of Linux")


@PROC
def test_a_model_has_the_threads_asked_for_and_torch_keeps_its_own(tmp_path: Path) -> None:
    # Wide enough for LibTorch to share out the rows of one forward pass.
    network = nn.Sequential(nn.Linear(SPEC.width, 256), nn.ReLU(), nn.Linear(256, 1))
    folder = write_artifact(tmp_path / "wide", network)
    done = python(f"""
from pathlib import Path
import numpy as np, torch
from sentio_inference import Artifact

def running():
    return len(list(Path("/proc/self/task").iterdir()))

torch.set_num_threads(4)
x = np.zeros((2048, {SPEC.width}), dtype=np.float32)
for threads in (1, 3):
    before = running()
    artifact = Artifact.load({str(folder)!r}, threads=threads)
    artifact.logits(x)
    print(running() - before, torch.get_num_threads())
""")
    assert (done.returncode, done.stdout) == (0, "0 4\n2 4\n"), done.stderr


LOADED = """
import re, sys
from pathlib import Path

def libtorch():
    maps = Path("/proc/self/maps").read_text()
    return sorted(set(re.findall("/[^ ]*/lib(?:torch_cpu|c10)[.]so", maps)))
"""


@PROC
@pytest.mark.parametrize("order", ["torch first", "artifact first"])
def test_one_copy_of_libtorch_is_loaded_whatever_comes_first(folder: Path, order: str) -> None:
    torch_first = "import torch\n" if order == "torch first" else ""
    script = f"""{LOADED}{torch_first}
import numpy as np
from sentio_inference import Artifact
artifact = Artifact.load({str(folder)!r}, backend="torch")
x = np.ones((2, {SPEC.width}), dtype=np.float32)
artifact.logits(x)
import torch
module = torch.jit.load({str(folder / "model.pt")!r})
with torch.inference_mode():
    np.testing.assert_allclose(artifact.logits(x), module(torch.from_numpy(x))[:, 0], rtol=0, atol=1e-6)
print([Path(path).name for path in libtorch()])
"""
    done = python(script)
    assert (done.returncode, done.stdout) == (0, "['libc10.so', 'libtorch_cpu.so']\n"), done.stderr


@PROC
def test_python_loads_libtorch_only_for_a_model_that_needs_it(root: Path) -> None:
    done = python(f"""{LOADED}
from sentio_features import read_csv
from sentio_inference import backtest
from sentio_inference import Artifact
bars = read_csv({str(root / "QQQ.csv")!r})
backtest(bars, "buy_and_hold")
backtest(bars, "tfa", artifact=Artifact.load({str(root / "artifacts" / "TFA" / "native")!r}))
print(libtorch(), "torch" in sys.modules)
""")
    assert (done.returncode, done.stdout) == (0, "[] False\n"), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs the LD_DEBUG of Linux to see which libraries are loaded")
def test_the_program_loads_libtorch_only_for_a_model_that_needs_it(root: Path) -> None:
    def loaded(*arguments: str) -> bool:
        done = subprocess.run(
            [str(SENTIO_CLI), *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "LD_DEBUG": "files"},
        )
        return "libtorch" in done.stderr

    assert not loaded("--version")
    assert not loaded("backtest", "QQQ", "--bars", "QQQ.csv", "--strategy", "buy_and_hold")
    assert not loaded("inspect", "artifacts/TFA/native")
    assert not loaded(*RUN, "--version", "native")
    assert loaded("inspect", "artifacts/TFA/v1")


def test_a_program_without_the_library_says_what_it_needs(root: Path, tmp_path: Path) -> None:
    alone = tmp_path / "sentio_cli"
    shutil.copy(SENTIO_CLI, alone)
    assert alone.stat().st_size < 5_000_000
    environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    done = subprocess.run([str(alone), *RUN], cwd=root, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 4
    assert done.stderr.startswith("sentio_cli: artifacts/TFA/v1/model.pt: needs LibTorch, and libsentio_torch.so: ")
    assert "it is built with SENTIO_TORCH=ON, lies beside this program" in done.stderr
    assert done.stderr.count("\n") == 1
    native = subprocess.run(
        [str(alone), *RUN, "--version", "native", "--json", "-"], cwd=root, capture_output=True, check=True
    )
    assert json.loads(native.stdout)["strategy"]["backend"] == "native"


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler is here to build another library of that name")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "static int api = 99; void* sentio_torch_api(void) { return &api; }",
            "libsentio_torch.so must have version 1, found 99: build it together with this program",
        ),
        ("int another;", "undefined symbol: sentio_torch_api; it is built with SENTIO_TORCH=ON"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="needs the LD_LIBRARY_PATH of Linux to find it")
def test_another_library_of_that_name_is_refused(root: Path, tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "library.c").write_text(source)
    library = tmp_path / "libsentio_torch.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "library.c"], check=True)
    done = subprocess.run(
        [str(SENTIO_CLI), "inspect", "artifacts/TFA/v1"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
    )
    assert done.returncode == 4
    assert done.stderr.startswith("sentio_cli: artifacts/TFA/v1/model.pt: needs LibTorch, and ")
    assert message in done.stderr

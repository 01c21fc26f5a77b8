"""What works here. Each finding is the result of trying the thing: a version is that of what was imported or run.

Torch, the C++ modules and all that is examined are imported inside the probes: each may be what is broken.
"""

import ctypes
import importlib
import importlib.metadata
import inspect
import json
import math
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentio_trainer.machine import cpu_name

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "sentio"

_GIB = 1 << 30
_MINUTE_S = 60
_SAMPLE_BARS = 300  # past the warm-up of every op at its defaults
_PATIENCE_S = 120.0  # of a program that is asked for its version; a first start reads LibTorch from the disk


class ProbeError(Exception):
    """What was tried does not work; the text says what was found instead."""

    def __init__(self, found: str, *, remedy: str | None = None) -> None:
        super().__init__(found)
        self.remedy = remedy


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One thing to try."""

    topic: str
    name: str
    attempt: Callable[[], str]  # what was found, in a few words; raises where it does not work
    needed: bool = False  # to train a model and to backtest it
    remedy: str | None = None  # the line that installs it, unless a ProbeError brings a better one


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What became of a probe."""

    topic: str
    name: str
    works: bool
    needed: bool
    found: str
    remedy: str | None  # None where it works, or where no line is known to help


def examine() -> Iterator[Finding]:
    """Tries everything, one finding after the other; whatever a probe raises becomes its finding."""
    for probe in _probes():
        works, remedy = True, None
        try:
            found = probe.attempt()
        except Exception as error:  # noqa: BLE001  what is broken raises what it likes
            works, found = False, _one_line(error)
            remedy = (error.remedy if isinstance(error, ProbeError) else None) or probe.remedy
        yield Finding(topic=probe.topic, name=probe.name, works=works, needed=probe.needed, found=found, remedy=remedy)


def _probes() -> Iterator[Probe]:
    yield Probe(topic="machine", name="CPU", attempt=_cpu)
    yield Probe(topic="machine", name="AVX2", attempt=_avx2)
    yield Probe(topic="machine", name="threads", attempt=_threads)
    yield Probe(topic="machine", name="CUDA", attempt=_cuda)
    yield Probe(topic="machine", name="MPS", attempt=_mps)
    yield Probe(topic="machine", name="memory", attempt=_memory)
    yield Probe(topic="machine", name="disk", attempt=_disk)

    yield Probe(topic="engine", name="sentio_features", attempt=_features_module, needed=True, remedy=_rebuild())
    yield Probe(topic="engine", name="sentio_inference", attempt=_inference_module, needed=True, remedy=_rebuild())
    yield Probe(topic="engine", name="LibTorch backend", attempt=_torch_backend, needed=True, remedy=_rebuild())
    yield Probe(topic="engine", name="sentio_cli", attempt=_command_line, needed=True, remedy=_rebuild())

    yield Probe(topic="packages", name="Python", attempt=platform.python_version, needed=True)
    try:
        yield from _package_probes(importlib.metadata.distribution(DISTRIBUTION))
    except Exception as error:  # noqa: BLE001  not installed, or by metadata that cannot be read
        failing = _failing(_one_line(error))
        yield Probe(topic="packages", name=DISTRIBUTION, attempt=failing, needed=True, remedy=_rebuild())

    yield Probe(topic="training", name="several processes", attempt=_processes)
    yield Probe(topic="training", name="torchrun", attempt=_torchrun)
    yield Probe(topic="training", name="torch.compile", attempt=_torch_compile)

    yield Probe(topic="build", name="C++20 compiler", attempt=_compiler, remedy=_system_line("g++"))
    yield Probe(topic="build", name="zlib", attempt=_zlib, remedy=_system_line("zlib1g-dev"))
    yield Probe(topic="build", name="CMake", attempt=_cmake, remedy=_pip("cmake"))


# The machine


def _cpu() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cpu_name()}, {cores} cores for this process"


def _avx2() -> str:
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    if not capability.startswith("AVX"):
        raise ProbeError(f"torch sees none, but {capability}; features are the same without, and slower")
    return f"yes; torch uses {capability}"


def _threads() -> str:
    import torch

    return f"torch works with {torch.get_num_threads()}"


def _cuda() -> str:
    import torch

    if not torch.cuda.is_available():
        built_for = torch.version.cuda
        why = f"built for CUDA {built_for}, sees no device" if built_for else "built without CUDA"
        raise ProbeError(f"torch {torch.__version__} is {why}")
    devices = []
    for index in range(torch.cuda.device_count()):
        torch.ones(1, device=f"cuda:{index}").sum().item()
        free, total = torch.cuda.mem_get_info(index)
        devices.append(f"{torch.cuda.get_device_name(index)}, {_gib(free)} of {_gib(total)} free")
    return "; ".join(devices)


def _mps() -> str:
    import torch

    if not torch.backends.mps.is_available():
        why = "sees no device" if torch.backends.mps.is_built() else "is built without MPS"
        raise ProbeError(f"torch {torch.__version__} {why}")
    torch.ones(1, device="mps").sum().item()
    return f"{cpu_name()}, {_gib(torch.mps.recommended_max_memory())} for torch"


def _memory() -> str:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return _gib(total)
    kilobytes = dict(line.split(":") for line in meminfo.read_text(encoding="utf-8").splitlines())["MemAvailable"]
    return f"{_gib(int(kilobytes.split()[0]) * 1024)} of {_gib(total)} free on this machine"


def _disk() -> str:
    disk = shutil.disk_usage(Path.cwd())
    return f"{_gib(disk.free)} of {_gib(disk.total)} free in this folder"


# The engine


def _features_module() -> str:
    from sentio_features import ENGINE_VERSION, FeatureBuilder, FeatureSpec, read_csv

    with tempfile.TemporaryDirectory() as folder:
        bars = read_csv(_write_sample(Path(folder)))
    spec = FeatureSpec.from_json(_spec_of_all_ops())
    FeatureBuilder(spec).build(bars)
    return f"engine {ENGINE_VERSION}, {spec.width} ops tried"


def _inference_module() -> str:
    import sentio_inference  # noqa: F401  that it loads is what is asked

    return "loads, without Torch"


def _torch_backend() -> str:
    """What runs models that have no graph: its LibTorch must be the one that it was built with."""
    import sentio_inference
    import torch

    ctypes.CDLL(str(Path(sentio_inference.__file__).with_name("libsentio_torch.so")))
    return f"loads with torch {torch.__version__}"


def _command_line() -> str:
    """The program on PATH is of this version, and its engine gives the bits of the module's."""
    path = shutil.which("sentio_cli")
    if path is None:
        beside = Path(sys.executable).with_name("sentio_cli")
        raise ProbeError("not on PATH", remedy=_path_line(beside.parent) if beside.exists() else None)
    found = _output_of(path, "--version")
    expected = f"sentio_cli {importlib.metadata.version(DISTRIBUTION)}"
    if found != expected:
        raise ProbeError(f"{path} is '{found}', expected '{expected}'")

    import numpy as np
    from sentio_features import ENGINE_VERSION, FeatureBuilder, FeatureSpec, read_csv

    with tempfile.TemporaryDirectory() as folder:
        sample, spec, matrix = _write_sample(Path(folder)), Path(folder) / "spec.json", Path(folder) / "X.npy"
        spec.write_text(_spec_of_all_ops(), encoding="utf-8")
        _output_of(path, "features", "--bars", str(sample), "--spec", str(spec), "--out", str(matrix))
        theirs = np.load(matrix, allow_pickle=False)
        ours = FeatureBuilder(FeatureSpec.load(spec)).build(read_csv(sample))
    if theirs.shape != ours.shape or theirs.tobytes() != ours.tobytes():
        raise ProbeError(f"{path} computes other features than the module's engine {ENGINE_VERSION}")
    return f"{found.removeprefix('sentio_cli ')}, the bits of engine {ENGINE_VERSION}; {path}"


def _write_sample(folder: Path) -> Path:
    """Minute bars on a wave, as CSV."""
    lines, close = ["ts,open,high,low,close,volume"], 100.0
    for i in range(_SAMPLE_BARS):
        open_, close = close, 100.0 + 5.0 * math.sin(0.05 * i) + 0.5 * math.sin(1.7 * i)
        high, low = max(open_, close) + 0.05, min(open_, close) - 0.05
        lines.append(f"{1_704_724_200 + i * _MINUTE_S},{open_!r},{high!r},{low!r},{close!r},{1000 + i % 7}")
    path = folder / "bars.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _spec_of_all_ops() -> str:
    """Every op of the registry at its defaults."""
    from sentio_features import ops

    features: list[dict[str, Any]] = []
    for op in ops():
        sources = {0: {}, 1: {"source": "close"}}.get(op["sources"], {"sources": ["close", "open"]})
        features.append({"name": op["name"].lower(), "op": op["name"], **sources})
    return json.dumps({"schema_version": "1.0", "features": features})


# Packages


def _package_probes(distribution: importlib.metadata.Distribution) -> Iterator[Probe]:
    """The packages that the installed distribution asks for, by itself and in its extras."""
    from packaging.requirements import Requirement

    requirements = [Requirement(text) for text in distribution.requires or ()]
    if not requirements:
        failing = _failing("its metadata names no packages")
        yield Probe(topic="packages", name=DISTRIBUTION, attempt=failing, remedy=_rebuild())

    def asked_for(extra: str) -> list[Requirement]:
        return [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": extra})]

    always = asked_for("")
    for requirement in always:
        name, attempt = requirement.name, partial(_package, requirement)
        remedy = _pip(shlex.quote(f"{name}{requirement.specifier}"))
        yield Probe(topic="packages", name=name, attempt=attempt, needed=True, remedy=remedy)
    for extra in distribution.metadata.get_all("Provides-Extra") or ():
        remedy = _pip(shlex.quote(f"{DISTRIBUTION}[{extra}]"))
        for requirement in asked_for(extra):
            if requirement not in always:
                attempt = partial(_package, requirement)
                yield Probe(topic=f"extra {extra}", name=requirement.name, attempt=attempt, remedy=remedy)


def _package(requirement: "Requirement") -> str:
    """The version of a package that can be imported and is one of those asked for."""
    try:
        distribution = importlib.metadata.distribution(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        raise ProbeError("missing") from None
    if not requirement.specifier.contains(distribution.version, prereleases=True):
        raise ProbeError(f"{distribution.version}, must be {requirement.specifier}")
    try:
        for module in _modules(distribution):
            importlib.import_module(module)
    except Exception as error:
        again = shlex.quote(f"{requirement.name}=={distribution.version}")  # pip holds it for installed
        raise ProbeError(_one_line(error), remedy=_pip(f"--force-reinstall --no-deps {again}")) from error
    return distribution.version


def _modules(distribution: importlib.metadata.Distribution) -> list[str]:
    """What to import of a package: the module of its name, else all its modules; none of one that brings only types."""
    modules = set()
    for file in distribution.files or ():
        if len(file.parts) == 1 or (len(file.parts) == 2 and file.name.startswith("__init__.")):
            module = inspect.getmodulename(file.name) if len(file.parts) == 1 else file.parts[0]
            if module and module.isidentifier() and not module.startswith("_"):
                modules.add(module)
    own = distribution.metadata["Name"].lower().replace("-", "_")
    return [own] if own in modules else sorted(modules)


# Training in several processes, and compiled


def _processes() -> str:
    """Processes of one training meet over gloo on CPU and over nccl on CUDA."""
    import torch
    from torch import distributed

    if not distributed.is_available():
        raise ProbeError(f"torch {torch.__version__} is built without torch.distributed")
    if torch.cuda.is_available():
        backend = "nccl"
        if not distributed.is_nccl_available():
            raise ProbeError(f"torch {torch.__version__} is built for CUDA without nccl")
    else:
        backend = "gloo"
    with tempfile.TemporaryDirectory() as folder:
        meeting = (Path(folder) / "meeting").as_uri()
        distributed.init_process_group(backend, init_method=meeting, rank=0, world_size=1)
        try:
            distributed.all_reduce(torch.ones(1, device="cuda" if backend == "nccl" else "cpu"))
        finally:
            distributed.destroy_process_group()
    return f"{backend} works"


def _torchrun() -> str:
    path = shutil.which("torchrun")
    if path is None:
        beside = Path(sys.executable).with_name("torchrun")
        raise ProbeError("not on PATH", remedy=_path_line(beside.parent) if beside.exists() else None)
    return path


def _torch_compile() -> str:
    """What it needs: to compile something for real takes it twenty seconds."""
    import torch

    if torch.cuda.is_available():
        triton = importlib.import_module("triton")
        needs = f"triton {triton.__version__}, "
    else:
        needs = ""
    include = sysconfig.get_path("include")
    try:
        _compiled("#include <Python.h>\nint main() {}\n", f"-I{include}")
    except ProbeError as error:
        if "Python.h" in str(error):
            remedy = _system_line(f"libpython{sys.version_info.major}.{sys.version_info.minor}-dev")
            raise ProbeError(f"no Python.h in {include}", remedy=remedy) from error
        raise
    return f"has what it needs: {needs}a C++ compiler and Python.h"


# The tools that build the C++ side


def _compiler() -> str:
    return _compiled("#include <span>\n#include <cstdio>\nint main() { std::puts(__VERSION__); }\n")


def _zlib() -> str:
    return _compiled("#include <cstdio>\n#include <zlib.h>\nint main() { std::puts(zlibVersion()); }\n", "-lz")


def _compiled(source: str, *libraries: str) -> str:
    """Compiles a program as C++20, runs it, and gives what it prints."""
    compiler = shlex.split(os.environ.get("CXX") or "c++")
    if shutil.which(compiler[0]) is None:
        raise ProbeError(f"{compiler[0]}: not on PATH", remedy=_system_line("g++"))
    with tempfile.TemporaryDirectory() as folder:
        code, program = Path(folder) / "probe.cpp", Path(folder) / "probe"
        code.write_text(source, encoding="utf-8")
        _output_of(*compiler, "-std=c++20", str(code), "-o", str(program), *libraries)
        return _output_of(str(program))


def _cmake() -> str:
    return _output_of("cmake", "--version").splitlines()[0].removeprefix("cmake version ")


# Helpers


def _output_of(*command: str) -> str:
    """Standard output of a program that must succeed."""
    if shutil.which(command[0]) is None:
        raise ProbeError(f"{command[0]}: not on PATH")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    if done.returncode != 0:
        told = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise ProbeError(told[0] if told else f"{command[0]} ended with code {done.returncode}")
    return done.stdout.strip()


def _failing(text: str) -> Callable[[], str]:
    def attempt() -> str:
        raise ProbeError(text)

    return attempt


def _one_line(error: BaseException) -> str:
    if isinstance(error, ProbeError):
        return str(error)
    while error.__cause__ is not None:  # a C++ module says only that it failed, and the cause why
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _rebuild() -> str:
    return f"{_pip('--force-reinstall --no-deps .')}  # in the folder of Sentio's source"


def _pip(what: str) -> str:
    return f"{shlex.quote(sys.executable)} -m pip install {what}"


def _path_line(folder: Path) -> str:
    return f'export PATH="{folder}:$PATH"'


def _system_line(debian_package: str) -> str | None:
    if sys.platform == "darwin":
        return "xcode-select --install"  # compiler and zlib
    if shutil.which("apt-get") is None:
        return None
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install -y {debian_package}"


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"

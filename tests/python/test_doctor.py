"""`sentio doctor` on this machine, and on one that lacks things: by PATH and by what Python finds, as it happens.

Most run in this process, as a child would import torch each time; modules that are broken are imported anew.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sentio_features
from cli_support import SENTIO_CLI
from training_support import ONE_THREAD, command, run_sentio

from sentio_trainer.cli import app, run

BIN = Path(sys.executable).parent
WHOLE_PATH = f"{BIN}{os.pathsep}{os.environ['PATH']}"
VERSION = importlib.metadata.version("sentio")

Findings = dict[tuple[str, str], dict[str, Any]]


def install(folder: Path, *requirements: str, extras: tuple[str, ...] = ()) -> str:
    """Lays metadata of a Sentio with these requirements into a folder; gives the folder as text."""
    lines = [f"Name: sentio\nVersion: {VERSION}", *(f"Requires-Dist: {text}" for text in requirements)]
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    (folder / f"sentio-{VERSION}.dist-info").mkdir()
    (folder / f"sentio-{VERSION}.dist-info/METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
    return str(folder)


def program(path: Path, code: str) -> None:
    path.write_text(f"#!{sys.executable}\n{code}")
    path.chmod(0o755)


class Patient:
    """A machine to look at: its PATH, and folders in which Python looks first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capsys = monkeypatch, capsys
        self.path(BIN)

    def path(self, *folders: Path) -> None:
        self._patch.setenv("PATH", os.pathsep.join(map(str, folders)))

    def python_finds_first(self, folder: str | Path) -> None:
        self._patch.syspath_prepend(str(folder))

    def python_forgets(self, module: str) -> None:
        self._patch.delitem(sys.modules, module)

    def lines(self, *arguments: str) -> tuple[int, str, str]:
        """The exit code, standard output and standard error."""
        code = run(app, ["doctor", *arguments], program="sentio")
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def examine(self) -> tuple[int, str, Findings]:
        """The exit code, standard error, and the findings by topic and name."""
        code, out, errors = self.lines("--json")
        document = json.loads(out)
        assert document["works"] == (code == 0)
        return code, errors, {(f["topic"], f["name"]): f for f in document["findings"]}


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Patient:
    """This machine, of whose programs only those beside this Python are on PATH."""
    return Patient(monkeypatch, capsys)


@pytest.fixture
def lean(patient: Patient, tmp_path: Path) -> Patient:
    """The same with an installation that asks for one package, so that little is imported."""
    patient.python_finds_first(install(tmp_path, "numpy>=1.26"))
    return patient


def test_all_that_training_needs_works_here(tmp_path: Path) -> None:
    done = run_sentio("doctor", "--json", cwd=tmp_path, PATH=WHOLE_PATH)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["works"]
    found = {(f["topic"], f["name"]): f for f in document["findings"]}
    assert all(finding["works"] for finding in found.values() if finding["needed"])
    assert all(finding["remedy"] is None for finding in found.values() if finding["works"])
    topics = {topic for topic, _ in found}
    extras = importlib.metadata.metadata("sentio").get_all("Provides-Extra") or []
    assert topics == {"machine", "engine", "packages", "training", "build", *(f"extra {extra}" for extra in extras)}
    engine = sentio_features.ENGINE_VERSION
    assert found["engine", "sentio_features"]["found"].startswith(f"engine {engine}, ")
    assert found["engine", "sentio_cli"]["found"] == f"{VERSION}, the bits of engine {engine}; {SENTIO_CLI}"
    assert found["training", "several processes"]["works"]
    if found["build", "C++20 compiler"]["works"]:
        assert found["training", "torch.compile"]["found"].startswith(("has what it needs: ", "no Python.h in "))


def test_the_table_fits_80_columns_and_names_each_finding(lean: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, errors = lean.lines()
    assert (code, errors) == (0, "")
    table = out.split("What installs the missing:")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "\x1b" not in out
    for _, name in lean.examine()[2]:
        assert f" {name} " in table


def test_a_program_off_path_is_named_with_the_line_that_brings_it_there(
    tmp_path: Path, lean: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    lean.path(tmp_path / "bin")
    monkeypatch.setenv("CXX", "")
    monkeypatch.setenv("COLUMNS", "40")
    code, out, errors = lean.lines()
    assert code == 1
    assert errors == "sentio: training and backtests need what does not work here: sentio_cli: not on PATH\n"
    line = f'export PATH="{BIN}:$PATH"'
    for each in (line, f"{sys.executable} -m pip install cmake"):  # not broken in two by the narrow screen
        assert f"  {each}\n" in out
    found = lean.examine()[2]
    for topic, name, text in (
        ("build", "C++20 compiler", "c++: not on PATH"),
        ("build", "zlib", "c++: not on PATH"),
        ("build", "CMake", "cmake: not on PATH"),
        ("training", "torchrun", "not on PATH"),
        ("training", "torch.compile", "c++: not on PATH"),
    ):
        assert (found[topic, name]["works"], found[topic, name]["found"]) == (False, text)
    assert found["engine", "sentio_cli"]["remedy"] == line
    healed = subprocess.run(
        ["/bin/sh", "-c", f'{line}\nexec "$@"', "sh", *command("doctor")],
        env={**os.environ, "PYTHONPATH": str(tmp_path), **ONE_THREAD},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (healed.returncode, healed.stderr) == (0, b"")


def test_a_program_of_another_version_is_refused(tmp_path: Path, lean: Patient) -> None:
    program(tmp_path / "sentio_cli", "print('sentio_cli 0.0.9')")
    lean.path(tmp_path, BIN)
    code, errors, found = lean.examine()
    assert code == 1
    text = f"{tmp_path}/sentio_cli is 'sentio_cli 0.0.9', expected 'sentio_cli {VERSION}'"
    assert text in errors
    assert found["engine", "sentio_cli"]["found"] == text
    assert "pip install" in found["engine", "sentio_cli"]["remedy"]


def test_a_program_whose_features_differ_in_one_bit_is_refused(tmp_path: Path, lean: Patient) -> None:
    changed = f"""import subprocess, sys
code = subprocess.run([{str(SENTIO_CLI)!r}, *sys.argv[1:]]).returncode
if sys.argv[1] == "features":
    with open(sys.argv[-1], "r+b") as file:
        file.seek(-4, 2)
        low = file.read(1)[0]
        file.seek(-4, 2)
        file.write(bytes([low ^ 1]))
sys.exit(code)
"""
    program(tmp_path / "sentio_cli", changed)
    lean.path(tmp_path, BIN)
    code, _, found = lean.examine()
    assert code == 1
    assert found["engine", "sentio_cli"]["found"] == (
        f"{tmp_path}/sentio_cli computes other features than the module's engine {sentio_features.ENGINE_VERSION}"
    )


def test_a_torch_that_cannot_be_loaded_is_told_where_it_is_needed(tmp_path: Path, lean: Patient) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libc10.so: cannot open shared object file')\n")
    lean.python_forgets("torch")
    code, _, found = lean.examine()
    assert code == 1
    text = "ImportError: libc10.so: cannot open shared object file"
    failed = {name for (_, name), finding in found.items() if finding["found"] == text}
    assert failed == {
        "AVX2",
        "threads",
        "CUDA",
        "MPS",
        "LibTorch backend",
        "several processes",
        "torch.compile",
    }


@pytest.mark.parametrize("module", ["sentio_features", "sentio_inference"])
def test_a_module_that_cannot_be_loaded_is_a_finding_among_others(tmp_path: Path, lean: Patient, module: str) -> None:
    (tmp_path / f"{module}.py").write_text("raise ImportError('libtorch.so: undefined symbol: at')\n")
    if module in sys.modules:
        lean.python_forgets(module)
    code, errors, found = lean.examine()
    assert code == 1
    text = "ImportError: libtorch.so: undefined symbol: at"
    assert found["engine", module]["found"] == text
    assert "pip install --force-reinstall" in found["engine", module]["remedy"]
    assert errors.startswith(f"sentio: training and backtests need what does not work here: {module}: {text}")
    assert errors.count("\n") == 1
    assert found["machine", "threads"]["works"]


def test_extras_are_those_of_the_installed_metadata_and_their_lack_is_no_failure(
    tmp_path: Path, patient: Patient
) -> None:
    path = install(
        tmp_path,
        "numpy>=1.26",
        'no-such-package>=1; extra == "moon"',
        'numpy>=99; extra == "late"',
        'mpmath>=1; extra == "broken"',
        'other-system>=1; extra == "moon" and python_version < "3"',
        extras=("moon", "late", "broken"),
    )
    (tmp_path / "mpmath.py").write_text("raise AttributeError('_ARRAY_API not found')\n")
    patient.python_finds_first(path)
    if "mpmath" in sys.modules:
        patient.python_forgets("mpmath")
    code, errors, found = patient.examine()
    assert (code, errors) == (0, "")
    numpy = importlib.metadata.version("numpy")
    assert {key: finding["found"] for key, finding in found.items() if key[0].startswith("extra")} == {
        ("extra moon", "no-such-package"): "missing",
        ("extra late", "numpy"): f"{numpy}, must be >=99",
        ("extra broken", "mpmath"): "AttributeError: _ARRAY_API not found",
    }
    assert found["packages", "numpy"]["found"] == numpy
    again = f"--force-reinstall --no-deps mpmath=={importlib.metadata.version('mpmath')}"
    assert found["extra broken", "mpmath"]["remedy"] == f"{sys.executable} -m pip install {again}"
    assert found["extra moon", "no-such-package"]["remedy"] == f"{sys.executable} -m pip install 'sentio[moon]'"


def test_a_needed_package_that_is_too_old_is_a_failure(tmp_path: Path, patient: Patient) -> None:
    patient.python_finds_first(install(tmp_path, "numpy>=99"))
    code, errors, found = patient.examine()
    assert code == 1
    version = importlib.metadata.version("numpy")
    assert errors == (f"sentio: training and backtests need what does not work here: numpy: {version}, must be >=99\n")
    assert found["packages", "numpy"]["remedy"] == f"{sys.executable} -m pip install 'numpy>=99'"


def test_nothing_else_waits_for_the_doctor(tmp_path: Path) -> None:
    code = "import sys, sentio_trainer.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    slow = {"torch", "numpy", "packaging", "sentio_features", "sentio_trainer.doctor", "sentio_trainer.findings"}
    assert slow.isdisjoint(done.stdout.split())

"""`sentio doctor` on this machine, and on one that lacks things: by PATH and PYTHONPATH, as it happens to people."""

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
from training_support import command, run_sentio

BIN = Path(sys.executable).parent
WHOLE_PATH = f"{BIN}{os.pathsep}{os.environ['PATH']}"
VERSION = importlib.metadata.version("sentio")

Findings = dict[tuple[str, str], dict[str, Any]]


def install(folder: Path, *requirements: str, extras: tuple[str, ...] = ()) -> str:
    """Lays metadata of a Sentio with these requirements before the installed one; gives the PYTHONPATH."""
    lines = [f"Name: sentio\nVersion: {VERSION}", *(f"Requires-Dist: {text}" for text in requirements)]
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    (folder / f"sentio-{VERSION}.dist-info").mkdir()
    (folder / f"sentio-{VERSION}.dist-info/METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
    return str(folder)


def program(path: Path, code: str) -> None:
    path.write_text(f"#!{sys.executable}\n{code}")
    path.chmod(0o755)


def doctor(cwd: Path, **environment: str) -> tuple[int, str, Findings]:
    """The exit code, standard error, and the findings by topic and name."""
    done = run_sentio("doctor", "--json", cwd=cwd, **{"PATH": WHOLE_PATH, **environment})
    document = json.loads(done.stdout)
    assert document["works"] == (done.returncode == 0)
    return done.returncode, done.stderr, {(f["topic"], f["name"]): f for f in document["findings"]}


@pytest.fixture
def lean(tmp_path: Path) -> str:
    """The PYTHONPATH of an installation that asks for one package, so that little is imported."""
    return install(tmp_path, "numpy>=1.26")


def test_all_that_training_needs_works_here(tmp_path: Path) -> None:
    code, errors, found = doctor(tmp_path)
    assert (code, errors) == (0, "")
    assert all(finding["works"] for finding in found.values() if finding["needed"])
    assert all(finding["remedy"] is None for finding in found.values() if finding["works"])
    topics = {topic for topic, _ in found}
    extras = importlib.metadata.metadata("sentio").get_all("Provides-Extra") or []
    assert topics == {"machine", "engine", "packages", "build", *(f"extra {extra}" for extra in extras)}
    engine = sentio_features.ENGINE_VERSION
    assert found["engine", "sentio_features"]["found"].startswith(f"engine {engine}, ")
    assert found["engine", "sentio_cli"]["found"] == f"{VERSION}, the bits of engine {engine}; {SENTIO_CLI}"


def test_the_table_fits_80_columns_and_names_each_finding(tmp_path: Path, lean: str) -> None:
    done = run_sentio("doctor", cwd=tmp_path, PATH=WHOLE_PATH, PYTHONPATH=lean, COLUMNS="200")
    assert (done.returncode, done.stderr) == (0, "")
    table = done.stdout.split("What installs the missing:")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "\x1b" not in done.stdout
    for _, name in doctor(tmp_path, PYTHONPATH=lean)[2]:
        assert f" {name} " in table


def test_a_program_off_path_is_named_with_the_line_that_brings_it_there(tmp_path: Path, lean: str) -> None:
    (tmp_path / "bin").mkdir()
    code, errors, found = doctor(tmp_path, PATH=str(tmp_path / "bin"), PYTHONPATH=lean, CXX="")
    assert code == 1
    assert errors == "sentio: training and backtests need what does not work here: sentio_cli: not on PATH\n"
    for name, text in (
        ("C++20 compiler", "c++: not on PATH"),
        ("zlib", "c++: not on PATH"),
        ("CMake", "cmake: not on PATH"),
    ):
        assert (found["build", name]["works"], found["build", name]["found"]) == (False, text)
    line = found["engine", "sentio_cli"]["remedy"]
    healed = subprocess.run(
        ["/bin/sh", "-c", f'{line}\nexec "$@"', "sh", *command("doctor")],
        env={**os.environ, "PATH": str(tmp_path / "bin"), "PYTHONPATH": lean},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (healed.returncode, healed.stderr) == (0, b"")


def test_the_lines_that_install_are_not_broken_in_two(tmp_path: Path, lean: str) -> None:
    (tmp_path / "bin").mkdir()
    done = run_sentio("doctor", cwd=tmp_path, PATH=str(tmp_path / "bin"), PYTHONPATH=lean, COLUMNS="40")
    assert f"  {sys.executable} -m pip install cmake\n" in done.stdout
    assert f'  export PATH="{BIN}:$PATH"\n' in done.stdout


def test_a_program_of_another_version_is_refused(tmp_path: Path, lean: str) -> None:
    program(tmp_path / "sentio_cli", "print('sentio_cli 0.0.9')")
    code, errors, found = doctor(tmp_path, PATH=f"{tmp_path}{os.pathsep}{WHOLE_PATH}", PYTHONPATH=lean)
    assert code == 1
    text = f"{tmp_path}/sentio_cli is 'sentio_cli 0.0.9', expected 'sentio_cli {VERSION}'"
    assert text in errors
    assert found["engine", "sentio_cli"]["found"] == text
    assert "pip install" in found["engine", "sentio_cli"]["remedy"]


def test_a_program_whose_features_differ_in_one_bit_is_refused(tmp_path: Path, lean: str) -> None:
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
    code, _, found = doctor(tmp_path, PATH=f"{tmp_path}{os.pathsep}{WHOLE_PATH}", PYTHONPATH=lean)
    assert code == 1
    assert found["engine", "sentio_cli"]["found"] == (
        f"{tmp_path}/sentio_cli computes other features than the module's engine {sentio_features.ENGINE_VERSION}"
    )


def test_a_torch_that_cannot_be_loaded_is_told_where_it_is_needed(tmp_path: Path, lean: str) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libc10.so: cannot open shared object file')\n")
    code, _, found = doctor(tmp_path, PYTHONPATH=lean)
    assert code == 1
    failed = {name for (topic, name), finding in found.items() if topic != "build" and not finding["works"]}
    assert failed == {"AVX2", "threads", "CUDA", "MPS", "sentio_inference"}
    assert {found[key]["found"] for key in found if key[1] in failed} == {
        "ImportError: libc10.so: cannot open shared object file"
    }


@pytest.mark.parametrize("module", ["sentio_features", "sentio_inference"])
def test_a_module_that_cannot_be_loaded_is_a_finding_among_others(tmp_path: Path, lean: str, module: str) -> None:
    (tmp_path / f"{module}.py").write_text("raise ImportError('libtorch.so: undefined symbol: at')\n")
    code, errors, found = doctor(tmp_path, PYTHONPATH=lean)
    assert code == 1
    text = "ImportError: libtorch.so: undefined symbol: at"
    assert found["engine", module]["found"] == text
    assert "pip install --force-reinstall" in found["engine", module]["remedy"]
    assert errors.startswith(f"sentio: training and backtests need what does not work here: {module}: {text}")
    assert errors.count("\n") == 1
    assert found["machine", "threads"]["works"]


def test_extras_are_those_of_the_installed_metadata_and_their_lack_is_no_failure(tmp_path: Path) -> None:
    path = install(
        tmp_path,
        "numpy>=1.26",
        'no-such-package>=1; extra == "moon"',
        'numpy>=99; extra == "late"',
        'pytest>=1; extra == "broken"',
        'other-system>=1; extra == "moon" and python_version < "3"',
        extras=("moon", "late", "broken"),
    )
    (tmp_path / "pytest.py").write_text("raise AttributeError('_ARRAY_API not found')\n")
    code, errors, found = doctor(tmp_path, PYTHONPATH=path)
    assert (code, errors) == (0, "")
    numpy = importlib.metadata.version("numpy")
    assert {key: finding["found"] for key, finding in found.items() if key[0].startswith("extra")} == {
        ("extra moon", "no-such-package"): "missing",
        ("extra late", "numpy"): f"{numpy}, must be >=99",
        ("extra broken", "pytest"): "AttributeError: _ARRAY_API not found",
    }
    assert found["packages", "numpy"]["found"] == numpy
    pytest_line = f"--force-reinstall --no-deps pytest=={importlib.metadata.version('pytest')}"
    assert found["extra broken", "pytest"]["remedy"] == f"{sys.executable} -m pip install {pytest_line}"
    assert found["extra moon", "no-such-package"]["remedy"] == f"{sys.executable} -m pip install 'sentio[moon]'"


def test_a_needed_package_that_is_too_old_is_a_failure(tmp_path: Path) -> None:
    code, errors, found = doctor(tmp_path, PYTHONPATH=install(tmp_path, "numpy>=99"))
    assert code == 1
    version = importlib.metadata.version("numpy")
    assert errors == (f"sentio: training and backtests need what does not work here: numpy: {version}, must be >=99\n")
    assert found["packages", "numpy"]["remedy"] == f"{sys.executable} -m pip install 'numpy>=99'"


def test_nothing_else_waits_for_the_doctor(tmp_path: Path) -> None:
    code = "import sys, sentio_trainer.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    slow = {"torch", "numpy", "packaging", "sentio_features", "sentio_trainer.doctor", "sentio_trainer.findings"}
    assert slow.isdisjoint(done.stdout.split())

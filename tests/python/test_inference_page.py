"""Every command that docs/inference.md shows runs, from top to bottom, and the program that it embeds Sentio in decides
as sentio_cli does."""

import importlib.metadata
import json
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from page_support import PROJECT, blocks, commands, copy_project, run_line, wrong_links
from training_support import ONE_THREAD

from sentio_trainer.cli import app, run
from sentio_trainer.market import MarketSpec, write_market

PAGE = PROJECT / "docs" / "inference.md"
README = PROJECT / "README.md"
# Builds the rooms, or finds them built by `make ctest`: in the project itself, because its copy has no C++.
BUILD = "cmake --preset core"
# The extra that a command of the page needs.
NEEDS = {"sentio export": "onnx"}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with bars and a model of them, and the build folder of the rooms without Torch."""
    root = tmp_path_factory.mktemp("inference") / "sentio"
    copy_project(root)
    (root / "build-core").symlink_to(PROJECT / "build-core")
    write_market(MarketSpec(days=6, seed=2), root / "bars" / "spy.csv", overwrite=False)
    assert run_line("gzip bars/spy.csv", root).returncode == 0
    training = "train --config configs/tfa.yaml --set data.symbol=SPY --set data.bars_csv=bars/spy.csv.gz"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("SENTIO_TRAINING__EPOCHS", "2")
        patch.setenv("SENTIO_TRACKING__PLOT", "false")
        assert run(app, shlex.split(training), program="sentio") == 0
    return root


@pytest.fixture(scope="module")
def page(copy: Path) -> Path:
    """The project after every command of the page."""
    found = [command for command, _ in commands(PAGE.read_text())]
    assert sum(command.startswith(BUILD) for command in found) == 1
    for command in found:
        missing = [module for text, module in NEEDS.items() if text in command and not find_spec(module)]
        if missing:
            continue
        # A program's own flags, those that loosen its arithmetic among them, change no bit of the library's.
        done = run_line(command, PROJECT if command.startswith(BUILD) else copy, **ONE_THREAD, CXXFLAGS="-ffast-math")
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return copy


def test_the_embedded_library_decides_as_sentio_cli_does(page: Path) -> None:
    """Bar by bar in a program of its own, and in blocks in the one that is installed: the same bits, which are the same
    digits, because a number is written as the shortest that reads back."""
    embedded = (page / "build-embed" / "decisions.csv").read_text().splitlines()
    header, *tested = (page / "build-embed" / "report" / "decisions.csv").read_text().splitlines()
    assert header == "ts,exposure,probability,reason"
    assert len(tested) > 1000
    assert embedded[-len(tested) :] == tested
    assert all(re.search(",0,-?nan,not known yet$", line) for line in embedded[: -len(tested)])


def test_the_stream_decides_as_the_embedded_library_does(page: Path) -> None:
    answers = [json.loads(line) for line in (page / "live" / "spy.jsonl").read_text().splitlines()]
    live = [answer for answer in answers if answer["type"] == "decision"]
    embedded = [line.split(",") for line in (page / "build-embed" / "decisions.csv").read_text().splitlines()]
    assert len(live) == len(embedded) - 1500  # what comes after the history
    for answer, (time, exposure, probability, reason) in zip(live, embedded[1500:], strict=True):
        assert (answer["time"], answer["reason"]) == (time, reason)
        assert (answer["exposure"], answer["probability"]) == (float(exposure), float(probability))


def test_the_example_refuses_what_is_no_artifact(page: Path) -> None:
    done = run_line("build-embed/embed configs bars/spy.csv.gz", page)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch("embed: configs: has neither metadata.json .*\n", done.stderr)


def test_the_python_of_the_page_runs(copy: Path) -> None:
    code = "\n".join(blocks(PAGE.read_text(), "python"))
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d+ bars, \d+% above one half\n[+-]\d\.\d\d, [a-z ]+\n", done.stdout)


def test_the_cpp_of_readme_compiles(page: Path) -> None:
    (code,) = blocks(README.read_text(), "cpp")
    includes = ["#include <memory>", '#include "inference/tfa_strategy.hpp"']
    function = ["sentio::Decision decide(const sentio::Bar& bar) {", code, "return decision;", "}"]
    (page / "readme.cpp").write_text("\n".join([*includes, *function, ""]))
    (compiler,) = re.findall(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", (page / "build-embed/CMakeCache.txt").read_text(), re.M)
    done = run_line(f"{compiler} -std=c++20 -fsyntax-only -I build-prefix/include/sentio readme.cpp", page)
    assert done.returncode == 0, done.stderr


def test_the_cmake_of_the_page_is_that_of_the_example() -> None:
    (shown,) = blocks(PAGE.read_text(), "cmake")
    lines = (PROJECT / "examples" / "embed" / "CMakeLists.txt").read_text().splitlines()
    assert set(shown.splitlines()) <= set(lines)


def test_the_links_of_the_page_lead_somewhere() -> None:
    assert wrong_links(PAGE) == []


def test_a_wheel_holds_the_modules_and_none_of_the_cpp_library() -> None:
    files = importlib.metadata.files("sentio")
    if files is None:
        pytest.skip("Sentio was not installed by pip")
    names = [str(file) for file in files]
    assert any("sentio_inference" in name for name in names)
    assert not [name for name in names if name.endswith((".a", ".hpp", ".cmake"))]

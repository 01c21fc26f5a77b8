"""Builds sentio_bits with several compilers, flags and processors and compares what each prints with tests/golden.

Run by `make bits`; needs the standard library only. The table is Markdown, so that docs/platforms.md can hold it.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

PROJECT = Path(__file__).resolve().parents[2]
GOLDEN = PROJECT / "tests" / "golden" / "bits.txt"
SPECS = [
    PROJECT / "configs" / "features" / "sentio_55.json",
    PROJECT / "configs" / "features" / "sentio_55_levels.json",
    PROJECT / "tests" / "bits" / "other_ops.json",  # what the 55 do not use, session ops among it
]
SHOWN = [*(path.stem for path in SPECS), "evaluator", "networks"]
"""The sums that the table has a column for; the verdict is over all."""
BUILDS = PROJECT / "build-bits"
HERE = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
"""This machine's processor; macOS has another name for it."""
AARCH64 = ["--toolchain", "cmake/toolchains/aarch64-linux-gnu.cmake"]


class Skipped(Exception):  # noqa: N818 - no error
    """What this machine lacks."""


class Failed(Exception):  # noqa: N818 - a finding about one build, not of this program
    """What does not build or run, and what it printed."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """One row: a compiler, its flags, and what runs the program."""

    cc: str
    cxx: str
    flags: str
    machine: str = HERE
    runner: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return BUILDS / re.sub(r"[^A-Za-z0-9_]+", "-", f"{self.machine} {self.cxx} {self.flags}")

    @property
    def runs_on(self) -> str:
        return " ".join(self.runner) or f"this {self.machine}"

    @property
    def crossing(self) -> bool:
        return self.machine != HERE


def builds() -> list[Build]:
    """Every compiler at both ends of optimisation, for any processor and for this one; then other processors."""
    plain = {"x86_64": "-march=x86-64", "aarch64": "-march=armv8-a"}.get(HERE, "")
    rows = [
        Build(cc=cc, cxx=cxx, flags=f"{optimisation} {processor}".strip())
        for cc, cxx in (("gcc", "g++"), ("clang", "clang++"))
        for optimisation in ("-O0", "-O3")
        for processor in (plain, "-march=native")
    ]
    if HERE == "x86_64":
        # The program of the row above, on a processor of 2008: no AVX, whatever the engine finds out as it runs.
        rows.append(Build(cc="gcc", cxx="g++", flags=f"-O3 {plain}", runner=("qemu-x86_64", "-cpu", "Nehalem")))
    if HERE != "aarch64":
        emulated = {"machine": "aarch64", "runner": ("qemu-aarch64",)}
        rows += [
            Build(cc="aarch64-linux-gnu-gcc", cxx="aarch64-linux-gnu-g++", flags="-O0", **emulated),
            Build(cc="aarch64-linux-gnu-gcc", cxx="aarch64-linux-gnu-g++", flags="-O3", **emulated),
            Build(cc="clang", cxx="clang++", flags="-O3", **emulated),
        ]
    return rows


def done(command: list[str], text: str = "") -> str:
    """What a command that reads `text` prints.

    Raises:
        Failed: it ends with another code than 0.
    """
    ran = subprocess.run(command, cwd=PROJECT, input=text, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise Failed(f"{' '.join(command)}: ended with {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def require_tools(build: Build) -> None:
    """Raises Skipped where this machine lacks the compiler, a flag of it, the emulator or the libraries."""
    for program in (build.cc, build.cxx, *build.runner[:1]):
        if shutil.which(program) is None:
            raise Skipped(f"{program} is not installed")
    for library in ("libz.so", "libstdc++.so.6") if build.crossing else ():
        if not Path("/usr/lib/aarch64-linux-gnu", library).exists():
            raise Skipped(f"no arm64 {library}: cmake/bits_packages.sh installs it on Debian")
    target = ["--target=aarch64-linux-gnu"] if build.crossing and build.cxx == "clang++" else []
    command = [build.cxx, *target, *build.flags.split()]
    with TemporaryDirectory() as folder:
        try:
            done([*command, "-x", "c++", "-o", f"{folder}/trial", "-"], "#include <vector>\nint main() { return 0; }\n")
        except Failed as failure:
            why = next((line for line in str(failure).splitlines() if "error" in line), "it does not say why")
            raise Skipped(f"{' '.join(command)} does not compile: {why}") from None


def printed_by(build: Build) -> str:
    """Configures, builds and runs the program.

    Raises:
        Failed: one of these steps.
    """
    # The optimisation is the row's: a build type that is none of CMake's adds nothing of its own.
    configure = ["cmake", "-S", ".", "-B", str(build.folder), "-G", "Ninja", "--log-level=WARNING"]
    configure += [*AARCH64 * build.crossing, f"-DCMAKE_C_COMPILER={build.cc}", f"-DCMAKE_CXX_COMPILER={build.cxx}"]
    configure += ["-DCMAKE_BUILD_TYPE=Bits", f"-DCMAKE_CXX_FLAGS={build.flags} -DNDEBUG", "-DSENTIO_TORCH=OFF"]
    done(configure)
    done(["cmake", "--build", str(build.folder), "--target", "sentio_bits"])
    return done([*build.runner, str(build.folder / "tests" / "bits" / "sentio_bits"), *map(str, SPECS)])


def compiler_of(version_text: str) -> tuple[str, str]:
    """Name and version, from what a compiler prints for --version: `g++` may be clang, as on macOS.

    What stands in brackets is the packager's.
    """
    first = re.sub(r"\([^)]*\)", "", version_text.partition("\n")[0])
    version = re.search(r"\d+(\.\d+)+", first)
    return "clang" if "clang" in first else "gcc", version[0] if version else "?"


def hashes(text: str) -> dict[str, str]:
    """The lines "hash  name", by name."""
    return {name: digest for digest, name in (line.split("  ", 1) for line in text.splitlines())}


def differences(found: dict[str, str], expected: dict[str, str]) -> str:
    names = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
    return f"DIFFERENT: {', '.join(names)}" if names else "same"


def say(*cells: str) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def renewed() -> int:
    """Writes the golden hashes."""
    first = next(b for b in builds() if b.cxx == "g++" and b.flags.startswith("-O3"))
    try:
        require_tools(first)
        GOLDEN.write_text(printed_by(first))
    except (Skipped, Failed) as reason:
        sys.exit(str(reason))
    return 0


def compared(required: list[str]) -> int:
    """Prints the table; the exit code."""
    expected = hashes(GOLDEN.read_text())
    say("machine", "compiler", "flags", "run by", *SHOWN, "all hashes")
    say(*["---"] * (5 + len(SHOWN)))
    ran, faults, compilers = 0, [], set()
    for build in builds():
        try:
            require_tools(build)
        except Skipped as reason:
            say(build.machine, build.cxx, build.flags, build.runs_on, *("" for _ in SHOWN), f"skipped: {reason}")
            continue
        name, version = compiler_of(done([build.cxx, "--version"]))
        cells = build.machine, f"{name} {version}", build.flags, build.runs_on
        try:
            found = hashes(printed_by(build))
        except Failed as failure:
            say(*cells, *("" for _ in SHOWN), "FAILED")
            faults.append(str(failure))
            continue
        ran += 1
        compilers.add(name)
        verdict = differences(found, expected)
        if verdict != "same":
            faults.append(f"{' '.join(cells)}: differs from tests/golden/bits.txt")
        say(*cells, *(found.get(name, "")[:12] for name in SHOWN), verdict)
    if ran < 2:
        faults.append(f"two builds are needed for a comparison, found {ran}: see cmake/bits_packages.sh")
    faults += [f"{name} must be among the compilers, and did not run" for name in required if name not in compilers]
    if len(compilers) == 1:
        sys.stderr.write(f"note: only {compilers.pop()} ran, so no two compilers were compared\n")
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return int(len(faults) > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renew", action="store_true", help="write the golden hashes anew, by gcc -O3")
    parser.add_argument("--require", default="", metavar="NAME,NAME", help="fail unless these ran: gcc,clang")
    arguments = parser.parse_args()
    required = [name for name in arguments.require.split(",") if name]
    if unknown := [name for name in required if name not in ("gcc", "clang")]:
        parser.error(f"--require takes gcc and clang, found {', '.join(unknown)}")
    os.chdir(PROJECT)
    return renewed() if arguments.renew else compared(required)


if __name__ == "__main__":
    sys.exit(main())

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

PROJECT = Path(__file__).resolve().parents[2]
GOLDEN = PROJECT / "tests" / "golden" / "bits.txt"
SPECS = [PROJECT / "configs" / "features" / f"{name}.json" for name in ("sentio_55", "sentio_55_levels")]
BUILDS = PROJECT / "build-bits"
AARCH64 = ["--toolchain", "cmake/toolchains/aarch64-linux-gnu.cmake"]


class Skipped(Exception):  # noqa: N818 - no error
    """What this machine lacks."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """One row: a compiler, its flags, and what runs the program."""

    cc: str
    cxx: str
    flags: str
    machine: str = platform.machine()
    runner: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return BUILDS / re.sub(r"[^A-Za-z0-9_]+", "-", f"{self.machine} {self.cxx} {self.flags}")

    @property
    def runs_on(self) -> str:
        return " ".join(self.runner) or f"this {platform.machine()}"


def builds() -> list[Build]:
    """Every compiler at both ends of optimisation, for any processor and for this one; then other processors."""
    here = platform.machine()
    plain = {"x86_64": "-march=x86-64", "aarch64": "-march=armv8-a"}.get(here, "")
    rows = [
        Build(cc=cc, cxx=cxx, flags=f"{optimisation} {processor}".strip())
        for cc, cxx in (("gcc", "g++"), ("clang", "clang++"))
        for optimisation in ("-O0", "-O3")
        for processor in (plain, "-march=native")
    ]
    if here == "x86_64":
        # The program of the row above, on a processor of 2008: no AVX, whatever the engine finds out as it runs.
        rows.append(Build(cc="gcc", cxx="g++", flags=f"-O3 {plain}", runner=("qemu-x86_64", "-cpu", "Nehalem")))
    if here != "aarch64":
        emulated = {"machine": "aarch64", "runner": ("qemu-aarch64",)}
        rows += [
            Build(cc="aarch64-linux-gnu-gcc", cxx="aarch64-linux-gnu-g++", flags="-O0", **emulated),
            Build(cc="aarch64-linux-gnu-gcc", cxx="aarch64-linux-gnu-g++", flags="-O3", **emulated),
            Build(cc="clang", cxx="clang++", flags="-O3", **emulated),
        ]
    return rows


def done(command: list[str]) -> str:
    """What a command prints; its own words are shown where it fails."""
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(f"{' '.join(command)}: ended with {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def require_arm64_libraries() -> None:
    missing = [name for name in ("libz.so", "libdate-tz.so") if not Path("/usr/lib/aarch64-linux-gnu", name).exists()]
    if missing:
        raise Skipped(f"no arm64 {', '.join(missing)}: cmake/bits_packages.sh installs them on Debian")


def printed_by(build: Build) -> str:
    """Configures, builds and runs the program.

    Raises:
        Skipped: this machine lacks the compiler, the emulator or the libraries.
    """
    for program in (build.cc, build.cxx, *build.runner[:1]):
        if shutil.which(program) is None:
            raise Skipped(f"{program} is not installed")
    crossing = build.machine != platform.machine()
    if crossing:
        require_arm64_libraries()
    # The optimisation is the row's: a build type that is none of CMake's adds nothing of its own.
    configure = ["cmake", "-S", ".", "-B", str(build.folder), "-G", "Ninja", "--log-level=WARNING", *AARCH64 * crossing]
    configure += [f"-DCMAKE_C_COMPILER={build.cc}", f"-DCMAKE_CXX_COMPILER={build.cxx}", "-DCMAKE_BUILD_TYPE=Bits"]
    done([*configure, f"-DCMAKE_CXX_FLAGS={build.flags} -DNDEBUG", "-DSENTIO_TORCH=OFF"])
    done(["cmake", "--build", str(build.folder), "--target", "sentio_bits"])
    return done([*build.runner, str(build.folder / "tests" / "bits" / "sentio_bits"), *map(str, SPECS)])


def version_of(build: Build) -> str:
    name = "clang" if "clang" in build.cxx else "gcc"
    return f"{name} {done([build.cxx, '-dumpfullversion' if name == 'gcc' else '-dumpversion']).strip()}"


def hashes(text: str) -> dict[str, str]:
    """The lines "hash  name", by name."""
    return {name: digest for digest, name in (line.split("  ", 1) for line in text.splitlines())}


def differences(found: dict[str, str], expected: dict[str, str]) -> str:
    names = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
    return f"DIFFERENT: {', '.join(names)}" if names else "same"


def say(*cells: str) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renew", action="store_true", help="write the golden hashes anew, by gcc -O3")
    renew = parser.parse_args().renew
    os.chdir(PROJECT)
    if renew:
        first = next(b for b in builds() if b.cxx == "g++" and b.flags.startswith("-O3"))
        GOLDEN.write_text(printed_by(first))
        return 0

    expected = hashes(GOLDEN.read_text())
    say("machine", "compiler", "flags", "run by", *(path.stem for path in SPECS), "all hashes")
    say(*["---"] * (5 + len(SPECS)))
    ran = wrong = 0
    for build in builds():
        try:
            found = hashes(printed_by(build))
        except Skipped as reason:
            say(build.machine, build.cxx, build.flags, build.runs_on, *("" for _ in SPECS), f"skipped: {reason}")
            continue
        verdict = differences(found, expected)
        ran, wrong = ran + 1, wrong + (verdict != "same")
        digests = (found.get(path.stem, "")[:12] for path in SPECS)
        say(build.machine, version_of(build), build.flags, build.runs_on, *digests, verdict)
    if wrong:
        sys.stderr.write(f"{wrong} of {ran} builds differ from tests/golden/bits.txt\n")
    if ran < 2:
        sys.stderr.write(f"two builds are needed for a comparison, found {ran}: see cmake/bits_packages.sh\n")
    return int(wrong > 0 or ran < 2)


if __name__ == "__main__":
    sys.exit(main())

"""Memory that is freed stays with the process, where the C library can be told so."""

import platform
import subprocess
import sys

import pytest

HELD_AFTER_A_BLOCK = """
import ctypes, sys
from pathlib import Path
from sentio_trainer.allocator import keep_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
if sys.argv[1] == "keep":
    assert keep_freed_memory()
before = resident()
for _ in range(3):
    block = libc.malloc(100_000_000)
    ctypes.memset(block, 1, 100_000_000)
    libc.free(block)
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_a_large_block_is_kept_for_the_next_one() -> None:
    def held(way: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", HELD_AFTER_A_BLOCK, way], check=True, stdout=subprocess.PIPE, text=True
        )
        return int(done.stdout)

    assert held("give back") < 10_000_000
    assert 90_000_000 < held("keep") < 130_000_000

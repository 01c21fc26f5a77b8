"""What the C library does with memory that a training step frees."""

import ctypes
import platform

# mallopt's names and numbers, of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEEP = 1 << 30


def keep_freed_memory() -> bool:
    """Has blocks of up to 1 GiB kept for the next step instead of given back to the system; whether it could.

    glibc returns what a step's activations took as soon as they are freed, and the next step takes it again, page by
    page, each zeroed by the system. The process then holds what its largest step needed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return all(libc.mallopt(option, _KEEP) == 1 for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD))

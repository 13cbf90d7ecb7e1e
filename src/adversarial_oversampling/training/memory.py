"""What glibc's malloc does with freed memory; other systems are left as they are."""

import ctypes
import os
from typing import Any

import pyarrow

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def release_freed_memory() -> None:
    """Return freed memory to the system, such as that of reading a table."""
    pyarrow.default_memory_pool().release_unused()
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)


def keep_freed_memory() -> None:
    """Keep freed memory, up to 64 MiB, instead of returning it to the system.

    Every training step frees the same tensors and allocates them again, and the system clears every page of
    memory that it hands out: up to a tenth of the time of a step.
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_TRIM_THRESHOLD, 2**26)
        _libc.mallopt(_M_MMAP_THRESHOLD, 2**25)


_libc: Any = ctypes.CDLL(None) if os.name == "posix" else None

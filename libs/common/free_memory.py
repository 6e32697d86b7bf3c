"""Memory that is free goes back to the system when a process has nothing to do.

A password hash needs 19 MiB for some milliseconds. glibc keeps such blocks for the next time, in an arena
for each thread, and cannot give them back from there. So processes use one arena, keep its memory while
there is work, because fresh pages would cost a tenth of each hash, and release it afterwards.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
LARGEST_KEPT: Final = 32 * 1024 * 1024
"""Bytes of the largest block that comes from the arena."""
MOST_KEPT: Final = 128 * 1024 * 1024
"""Free bytes at the end of the arena that stay until they are released."""


def use_one_arena() -> None:
    """Lets all threads of this process take memory from one arena (mallopt(3)). Call it before there are
    threads. Does nothing without glibc."""
    if mallopt := _function("mallopt"):
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(M_TRIM_THRESHOLD, MOST_KEPT)


def release_free_memory() -> None:
    """Returns free memory to the system (malloc_trim(3)). This may take some milliseconds; other Python
    threads run meanwhile. Does nothing without glibc."""
    if malloc_trim := _function("malloc_trim"):
        malloc_trim(0)


@cache
def _function(name: str) -> Callable[..., int] | None:
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return function

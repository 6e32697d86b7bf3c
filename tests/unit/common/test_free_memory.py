"""Memory of password hashes goes back to the system when nobody signs in."""

from __future__ import annotations

import asyncio
import platform
import subprocess
import sys

import pytest

from common import hash_pool
from common.hash_pool import FairPool

BLOCK = 19
"""MiB of one hash."""
HASHES = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from argon2.low_level import Type, hash_secret_raw
from common.free_memory import release_free_memory, use_one_arena

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 2**20

if "one arena" in sys.argv:
    use_one_arena()
with ThreadPoolExecutor(3) as pool:
    def hash(number):
        return hash_secret_raw(b"p" * 12, b"s" * 16, 1, 19456, 1, 32, Type.ID)
    before = resident()
    list(pool.map(hash, range(12)))
    used = resident()
    pool.submit(release_free_memory).result()
    print(used - before, resident() - before)
"""


def used_and_kept(*arguments: str) -> tuple[int, int]:
    """Returns how many MiB a process has more after hashes in three threads, and after the release."""
    command = [sys.executable, "-c", HASHES, *arguments]
    used, kept = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(used), int(kept)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_the_blocks_of_hashes_are_released() -> None:
    """Not one block stays, and while there is work they are kept. Without one arena they stay for good."""
    used, kept = used_and_kept("one arena")
    assert used >= BLOCK
    assert kept < BLOCK / 2
    assert used_and_kept()[1] >= BLOCK


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Gets an entry for each release."""
    calls: list[bool] = []
    monkeypatch.setattr(hash_pool, "release_free_memory", lambda: calls.append(True))
    monkeypatch.setattr(hash_pool, "IDLE", 0.05)
    return calls


async def test_a_pool_releases_memory_once_it_is_idle(released: list[bool]) -> None:
    """Once for each pause, and never while there is work."""
    pool = FairPool(threads=2)
    working = asyncio.Event()
    loop = asyncio.get_running_loop()
    ending = asyncio.run_coroutine_threadsafe(working.wait(), loop)
    running = asyncio.create_task(pool.run("app", lambda: ending.result(10)))
    for _ in range(3):
        await pool.run("other", lambda: None)
    await asyncio.sleep(0.2)
    assert released == []

    working.set()
    await running
    async with asyncio.timeout(10):
        while not released:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert released == [True]
    pool.close()


async def test_a_closed_pool_releases_nothing(released: list[bool]) -> None:
    pool = FairPool(threads=2)
    await pool.run("app", lambda: None)
    pool.close()
    await asyncio.sleep(0.2)

    assert released == []

"""A disk that loses all that was not synced, as a machine does that loses its power.

A file system lives in a file, mounted over a loop device. What programs write stays in the memory of the kernel
until it is synced, and reaches the file only then. A copy of the file is therefore what a disk has after a power
cut, with a journal that is replayed at the next mount. It needs root, loop devices and e2fsprogs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

SIZE: Final = "256M"


@dataclass
class LosingDisk:
    """A mounted file system. `folder` is where."""

    image: Path
    folder: Path

    def lose_power(self) -> None:
        """Throws away what was not synced, and mounts what is left. No program may have files open: end them by
        SIGKILL first, which writes nothing."""
        left = self.image.with_suffix(".left")
        shutil.copyfile(self.image, left)
        _run("umount", self.folder)
        left.replace(self.image)
        self.mount()

    def sync(self) -> None:
        """Syncs all that was written until now."""
        _run("sync", "--file-system", self.folder)

    def mount(self) -> None:
        _run("mount", "-o", "loop,noatime", self.image, self.folder)


@contextmanager
def losing_disk(place: Path) -> Iterator[LosingDisk]:
    """Makes the file system in a folder, and removes it at the end. Skips the test where this cannot be done."""
    image, folder = place / "disk.img", place / "disk"
    folder.mkdir(parents=True)
    if (
        os.geteuid() != 0
        or shutil.which("mkfs.ext4", path=f"{os.environ['PATH']}:/usr/sbin") is None
    ):
        pytest.skip("only root may mount, with mkfs.ext4 of e2fsprogs")
    _run("truncate", "-s", SIZE, image)
    _run("mkfs.ext4", "-q", image)
    disk = LosingDisk(image, folder)
    try:
        disk.mount()
    except subprocess.CalledProcessError:
        pytest.skip("no loop device can be mounted here")
    try:
        yield disk
    finally:
        _run("umount", folder)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Mounts memory of this size over a folder, which keeps its content, owner and mode. At the end, the folder
    has what was there before. Skips the test where nothing can be mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    about, kept = folder.stat(), folder.with_name(f"{folder.name}.kept")
    _run("cp", "-a", folder, kept)
    options = (
        f"size={megabytes}m,mode={about.st_mode & 0o7777:o},uid={about.st_uid},gid={about.st_gid}"
    )
    try:
        _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder)
    except subprocess.CalledProcessError:
        pytest.skip("no file system can be mounted here")
    try:
        _run("cp", "-a", f"{kept}/.", folder)
        yield
    finally:
        _run("umount", "--lazy", folder)
        shutil.rmtree(kept)


def fill(folder: Path) -> Path:
    """Writes a file that takes all space of the file system of a folder. Returns the file."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 1 << 20
        while size >= 512:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
    return filler


def _run(*command: str | Path) -> None:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PATH": path})

"""The metrics of all processes on one machine, each sample with its service and replica."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Final

LONGEST_WAIT: Final = 2.0
"""Seconds that one process may take, so that one that hangs does not hide the others."""


async def siblings(
    folder: str, *, own: Iterable[tuple[str, str]] = ()
) -> dict[tuple[str, str], str]:
    """Returns what each process with a socket in `folder` exports, by service and replica, without
    its `own`. A process that does not answer is left out."""
    found = sorted(Path(folder).glob("*.metrics"))  # noqa: ASYNC240 - a local folder
    paths = {_process_of(path): path for path in found}
    for process in own:
        paths.pop(process, None)
    texts = await asyncio.gather(*(_fetch(path) for path in paths.values()))
    return {process: text for process, text in zip(paths, texts, strict=True) if text is not None}


def _process_of(path: Path) -> tuple[str, str]:
    service, _, replica = path.stem.partition(".")
    return service, replica


async def _fetch(path: Path) -> str | None:
    try:
        async with asyncio.timeout(LONGEST_WAIT):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(b"GET /metrics HTTP/1.1\r\nhost: metrics\r\n\r\n")
                answer = await reader.read(-1)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    return body.decode() if b" 200 " in head.partition(b"\r\n")[0] else None


def joined(exports: dict[tuple[str, str], str]) -> str:
    """Returns one export of all: each family once, as the format requires, with the samples of every
    process. `# HELP` begins a family."""
    families: dict[str, list[str]] = {}
    for (service, replica), text in exports.items():
        labels = f'service="{service}",replica="{replica}"'
        lines: list[str] = []
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                if name in families:
                    lines = families[name]
                else:
                    lines = families[name] = [line]
            elif line.startswith("#"):
                if line not in lines:
                    lines.append(line)
            elif line:
                lines.append(_labelled(line, labels))
    return "".join(f"{line}\n" for lines in families.values() for line in lines)


def _labelled(sample: str, labels: str) -> str:
    """Returns the sample with more labels. A metric's name has neither a brace nor a space."""
    name, space, value = sample.partition(" ")
    if "{" not in name:
        return f"{name}{{{labels}}}{space}{value}"
    name, _, rest = sample.partition("{")
    return f"{name}{{{labels},{rest}"

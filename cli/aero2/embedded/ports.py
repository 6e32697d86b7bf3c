"""Loopback ports: the same ones at every start while they are free."""

from __future__ import annotations

import socket
from typing import Final

from aero2.embedded.folder import Folder

FILE: Final = "ports.json"
WANTED: Final = {"postgres": 0, "nats": 0, "gateway": 0, "smtp": 1025, "mail": 8025}
"""Names and the port tried first; 0 is any."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    try:
        listener(host, port).close()
    except OSError:
        return False
    return True


def listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(1)
    except OSError:
        made.close()
        raise
    return made


def choose(folder: Folder, *, taken: int) -> dict[str, int]:
    """A port for each server: last time's, the usual one, or any that is free. Never `taken`,
    the gateway's own."""
    last = folder.read(FILE)
    chosen: dict[str, int] = {}
    for name, usual in WANTED.items():
        used = {taken, *chosen.values()}
        candidates = (int(last.get(name, 0)), usual)
        chosen[name] = next(
            (port for port in candidates if port and port not in used and is_free(port)), 0
        ) or _any(used)
    if chosen != last:
        folder.write(FILE, dict(chosen))
    return chosen


def _any(used: set[int]) -> int:
    while True:
        with listener("127.0.0.1", 0) as found:
            port: int = found.getsockname()[1]
        if port not in used:
            return port

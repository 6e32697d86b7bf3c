"""Loopback ports: the same at every start, while they are free."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aero2.embedded.folder import Folder
from aero2.failures import CommandError

FILE: Final = "ports.json"
WANTED: Final = {
    "postgres": 0,
    "nats": 0,
    "gateway": 0,
    "smtp": 1025,
    "mail": 8025,
    "metrics": 9464,
}
"""Names and the port tried first; 0 is any."""
HELD: Final = ("gateway", "smtp", "mail", "metrics")
"""Opened here and handed to the process that serves them: two instances that start at the same
moment never take the same one, and a restart of the process never loses it."""
RESERVED: Final = ("postgres", "nats")
"""Opened by the servers themselves, at every start. A socket of ours that is bound and does not
listen keeps the port for them: the system gives it to nobody who wants any port, and lets a server
bind it that sets SO_REUSEADDR, as both do."""

Take = Callable[[str, int], socket.socket]


def listener(host: str, port: int) -> socket.socket:
    sock = bound(host, port)
    try:
        sock.listen(100)
    except OSError:
        sock.close()
        raise
    return sock


def bound(host: str, port: int) -> socket.socket:
    """A socket that has the port and does not listen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


@dataclass(frozen=True)
class Ports:
    """A port for each server by name; `sockets` are the listening sockets of those in HELD, and the
    bound ones of those in RESERVED."""

    number: dict[str, int]
    sockets: dict[str, socket.socket] = field(default_factory=dict)

    def release(self) -> None:
        for each in self.sockets.values():
            each.close()


def remembered_ports(folder: Folder) -> dict[str, int]:
    """Returns the ports of the last start. The file only remembers them: a damaged entry is left
    out, and the next start writes it again."""
    try:
        stored = folder.read(FILE)
    except CommandError:
        return {}
    return {
        name: port
        for name, port in stored.items()
        if name in WANTED and type(port) is int and 0 < port < 65536
    }


def port_of(folder: Folder, name: str) -> int:
    """Returns the port of a server of the running platform. Raises CommandError if the file has
    none."""
    port = remembered_ports(folder).get(name)
    if port is None:
        raise CommandError(
            f"{folder.root / FILE} has no port of {name}. Stop `aero2 up`, delete the file (it only "
            "remembers ports) and start again."
        )
    return port


def choose(folder: Folder, *, public_port: int, metrics: bool = True) -> Ports:
    """For each server last time's port, the usual one, or any that is free. Never `public_port`, the
    gateway's own. `metrics` false: where metrics are served is decided elsewhere, and their port is
    not held."""
    last = remembered_ports(folder)
    chosen = Ports({})
    for name, usual in WANTED.items():
        used = {public_port, *chosen.number.values()}
        preferred = [port for port in (last.get(name, 0), usual) if port not in used]
        sock = _first(preferred, used, bound if name in RESERVED else listener)
        chosen.number[name] = sock.getsockname()[1]
        if name in RESERVED or (name in HELD and (metrics or name != "metrics")):
            chosen.sockets[name] = sock
        else:
            sock.close()
    if chosen.number != last:
        folder.write(FILE, dict(chosen.number))
    return chosen


def _first(preferred: list[int], used: set[int], take: Take) -> socket.socket:
    """A socket on the first that is free; after those wanted, on whatever the system gives."""
    for port in preferred:
        if port:
            with contextlib.suppress(OSError):
                listener("127.0.0.1", port).close()  # a bound port could be somebody's, too
                return take("127.0.0.1", port)
    while True:
        found = take("127.0.0.1", 0)
        if found.getsockname()[1] not in used:
            return found
        found.close()

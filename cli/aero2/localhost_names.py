"""Names below `localhost`, which browsers and curl know and many resolvers do not."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

HELP: Final = (
    "This machine's resolver does not know {names}; browsers and curl do. For Python, Node.js and "
    "others:"
)
Resolver = Callable[[str, None], Any]


def unresolved_names(hosts: list[str], resolve: Resolver = socket.getaddrinfo) -> list[str]:
    """Returns the hosts below `localhost` that the resolver does not know, without ports."""
    names = [host.partition(":")[0] for host in hosts]
    return [name for name in names if name.endswith(".localhost") and not _known(name, resolve)]


def hosts_file_command(names: list[str]) -> str:
    """Returns the shell command that makes the names known."""
    return f"echo '127.0.0.1 {' '.join(names)}' | sudo tee -a /etc/hosts"


def _known(name: str, resolve: Resolver) -> bool:
    try:
        resolve(name, None)
    except OSError:
        return False
    return True

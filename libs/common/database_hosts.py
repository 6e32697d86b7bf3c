"""The servers of a DSN, and in which order to try them (docs/adr/0022).

asyncpg spends its one time limit on the first server of the list. If that one drops packets, as a machine
without power does, the others are never tried.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

PORT: Final = 5432


class Host(NamedTuple):
    """The address of a server: a name, an IP address or the folder of a socket."""

    name: str
    port: int


class DatabaseHosts:
    """Remembers which server was the good one, and puts it first."""

    def __init__(self, dsn: str) -> None:
        """Reads the servers from a DSN (PostgreSQL documentation, section 32.1.1.2). Raises ValueError
        for a port that is no number."""
        parts = urlsplit(dsn)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        listed = unquote(parts.netloc.partition("@")[2] or _without_user(parts.netloc))
        self._order = _listed(listed or query.get("host", ""), query.get("port", ""))
        self.names_target = "target_session_attrs" in query
        """Whether the DSN says which kind of server is wanted."""

    def in_order(self) -> list[Host]:
        """Returns the servers, the last good one first. The list has one entry or none if there is
        nothing to choose."""
        return list(self._order)

    def prefer(self, host: Host) -> None:
        """Puts a server first, because it has accepted a connection."""
        if self._order[0] != host:
            self._order.remove(host)
            self._order.insert(0, host)


def _without_user(netloc: str) -> str:
    return "" if "@" in netloc else netloc


def _listed(hosts: str, ports: str) -> list[Host]:
    """Returns the servers of a list such as `a:5432,b`. A port beside the host counts more than one of
    `ports`, which has one for all or one for each."""
    if not hosts:
        return []
    entries, numbers = hosts.split(","), ports.split(",")
    if len(numbers) != len(entries):
        numbers = numbers[:1] * len(entries)
    return list(dict.fromkeys(map(_host, entries, numbers)))


def _host(entry: str, number: str) -> Host:
    if entry.startswith("["):  # an IPv6 address
        name, _, rest = entry[1:].partition("]")
        port = rest.removeprefix(":")
    elif entry.startswith("/"):
        name, port = entry, ""
    else:
        name, _, port = entry.partition(":")
    return Host(name, int(port or number or PORT))

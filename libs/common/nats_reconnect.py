"""The order and the times in which a client that lost its NATS server tries the servers of its list."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from nats.aio.client import Server

FIRST_WAIT: Final = 0.1
"""Seconds over which the first attempts of all clients are spread: a server takes their place of another one,
and their subscriptions, while it serves its own."""
SECOND_ROUND: Final = 0.25
"""Seconds before a server is tried again. Doubled with each round, and spread."""
LONGEST_WAIT: Final = 0.5
"""The same, at most. Longer waits would help a server little, and delay every call."""


@dataclass
class ReconnectPlan:
    """Tries the other servers first, each once in a round, with waits that differ from client to client. nats-py
    itself waits equally long in all clients, so that all come at once."""

    random: Callable[[], float] = random.random
    """Returns a number from 0 to 1."""
    _attempts: int = 0
    _order: list[str] = field(default_factory=list)

    def begin(self, lost_server: str | None) -> None:
        """Begins a new order, because the connection to a server (`host:port`) was lost."""
        self._attempts = 0
        self._order = [lost_server] if lost_server else []

    def next(self, servers: list[Server], _: dict[str, Any]) -> tuple[Server, float]:
        """Returns the next server, and the seconds to wait before. nats-py calls it before each attempt."""
        addresses = {server.uri.netloc: server for server in servers}
        known = [address for address in self._order if address in addresses]
        fresh = sorted(addresses.keys() - set(known), key=lambda _: self.random())
        self._order = [*fresh, *known]
        chosen = self._order.pop(0)
        self._order.append(chosen)
        rounds, self._attempts = self._attempts // len(addresses), self._attempts + 1
        if rounds == 0:
            return addresses[chosen], FIRST_WAIT * self.random()
        longest = min(SECOND_ROUND * 2 ** min(rounds - 1, 8), LONGEST_WAIT)
        return addresses[chosen], longest * (0.5 + self.random())

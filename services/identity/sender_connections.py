"""Connections to mail servers, kept open for a moment between two mails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

import aiosmtplib

from identity.smtp import FAULTS

IDLE: Final = 15.0
"""Seconds that a connection is kept without a mail."""
MOST_IDLE: Final = 4
"""Idle connections of one sender."""
MOST_IN_ALL: Final = 100
"""Idle connections of all senders."""
MOST_MAILS: Final = 50
"""Mails over one connection: servers end a connection that brings too many."""
ALIVE_WITHIN: Final = 2.0
"""Seconds in which an idle connection must answer before it takes another mail."""

Key = tuple[str, str]
"""The application, and the version of its sender: changed settings get new connections. Both are
empty for the platform's server."""


@dataclass
class SenderConnections:
    """The idle connections of each sender. No sender gets a connection of another one."""

    _idle: dict[Key, list[aiosmtplib.SMTP]] = field(default_factory=dict)
    _mails: WeakKeyDictionary[aiosmtplib.SMTP, int] = field(default_factory=WeakKeyDictionary)
    """How many mails a connection has taken."""

    async def take(self, key: Key) -> aiosmtplib.SMTP | None:
        """Returns a connection that still answers, or None."""
        while clients := self._idle.get(key):
            client = clients.pop()
            if not clients:
                del self._idle[key]
            try:
                await client.noop(timeout=ALIVE_WITHIN)
            except FAULTS:
                client.close()
            else:
                return client
        return None

    def give(self, key: Key, client: aiosmtplib.SMTP) -> None:
        """Keeps a connection for the next mail, or closes it if there are enough."""
        self._mails[client] = self._mails.get(client, 0) + 1
        in_all = sum(map(len, self._idle.values()))
        is_enough = len(self._idle.get(key, [])) >= MOST_IDLE or in_all >= MOST_IN_ALL
        if is_enough or self._mails[client] >= MOST_MAILS or not client.is_connected:
            client.close()
            return
        self._idle.setdefault(key, []).append(client)
        asyncio.get_running_loop().call_later(IDLE, self._close, key, client)

    def _close(self, key: Key, client: aiosmtplib.SMTP) -> None:
        """Closes a connection that is idle still. One that is in use again has a new timer later."""
        clients = self._idle.get(key, [])
        if client in clients:
            clients.remove(client)
            if not clients:
                del self._idle[key]
            client.close()

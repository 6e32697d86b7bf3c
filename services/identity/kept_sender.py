"""One mail over a connection that an earlier mail left open, or else over a new one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from common import tracing
from common.contracts.mail_sender import SenderStep
from identity.outgoing_mail import OutgoingMail
from identity.sender_connections import Key, SenderConnections
from identity.smtp import SenderFailed, Smtp, Undeliverable, hand_over

CONVERSATION: Final = 30.0
"""Seconds for one mail, from connecting to the last answer. A mailer has the mail for a minute."""


@dataclass
class KeptSender:
    """Sends mails through one server, and keeps the connection for the next one."""

    server: Smtp
    connections: SenderConnections
    key: Key
    reached: bool = False
    """Whether the server took or refused a message: then it works."""

    async def send(self, message: OutgoingMail) -> None:
        """Raises Undeliverable, TryLater, SenderFailed."""
        with tracing.client_span("SMTP", {"server.address": self.server.host}):
            await self._send(message)

    async def _send(self, message: OutgoingMail) -> None:
        client = None
        passed: list[SenderStep] = []
        is_answered = False
        try:
            async with asyncio.timeout(CONVERSATION):
                client = await self.connections.take(self.key) or await self.server.open(passed)
                self.reached = True
                await hand_over(client, message)
                is_answered = True
        except TimeoutError:
            step = "message" if client else self.server.following(passed)
            raise SenderFailed(step, "too slow") from None
        except Undeliverable:
            is_answered = True
            raise
        finally:
            # A reply that comes late would be read as the reply to a command of the next mail.
            if client is not None and is_answered:
                self.connections.give(self.key, client)
            elif client is not None:
                client.close()

"""The queues in the database, of audit events and mails that wait to be sent."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from common.contracts.base import SYSTEM, Contract, Request

MOST_COUNTED: Final = 10_000
"""Rows counted in one queue: a longer queue shows this number."""


class Queue(Contract):
    """The length of a queue and the age of its oldest row."""

    waiting: int = Field(default=0, description=f"Rows, {MOST_COUNTED} at most.")
    age: float = Field(default=0.0, description="Seconds since the oldest row was written.")


class Queues(Contract):
    """The audit outbox of each service, and the mail outbox without mails that were given up."""

    relay: dict[str, Queue]
    mail: Queue
    clusters: dict[str, str] = Field(
        default={}, description="State of each further database cluster: `ok` or `unreachable`."
    )


class GetQueues(Request[Queues], subject="identity.queue.get", needs=SYSTEM, safe=True):
    """Returns the length and age of all queues. It has numbers only, no data of applications."""

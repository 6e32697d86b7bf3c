"""An answer about an earlier request is as durable as that request's own answer (docs/adr/0022).

A synchronous standby may not have yet what a caller sees: a commit without an acknowledgement is visible
after a crash of the primary. A failover then loses what the answer tells of.
"""

from __future__ import annotations

from typing import Any, LiteralString, Protocol


class Executor(Protocol):
    """A connection."""

    async def execute(self, sql: LiteralString, /) -> Any:
        """Executes a statement."""
        ...


async def wait_for_earlier_commits(db: Executor) -> None:
    """Makes the commit of this transaction wait until the synchronous standby has all that is visible
    now. Call it before an answer that tells a caller that their request was done before.

    A transaction that only reads waits for nothing, so this writes an empty message into the log.
    """
    await db.execute(
        """
        -- any-tenant: writes no row
        SELECT pg_logical_emit_message(true, 'aero2', '')
        """
    )

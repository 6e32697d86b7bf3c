"""Mails, events and rows that the source still has of an application that was moved away."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.moves.records import Move
from common.homes import MAIN

PATIENCE: Final = 60.0
"""Seconds that the command waits for mails and events that are under way."""
WAITING: Final = """
    SELECT (SELECT count(*) FROM mail_outbox WHERE app_id = $1 AND failed_at IS NULL)::int AS mails,
           (SELECT count(*) FROM audit_outbox WHERE app_id = $1)::int AS events
"""


async def wait_until_sent(source: Connection, move: Move, patience: float = PATIENCE) -> None:
    """Waits until the source has sent the mails and events that were written there. Raises CommandError if
    some still wait: then the same command finishes later."""
    since = time.monotonic()
    while row := await source.fetchrow(WAITING, move.app_id):
        if not row["mails"] and not row["events"]:
            return
        if time.monotonic() - since > patience:
            raise CommandError(
                f"{move.slug} lives in {move.target} now, and answers. {move.source} still has to send "
                f"{row['mails']} mails and {row['events']} events, so keep its settings. Run the same command "
                "again later: it deletes what is left there."
            )
        await asyncio.sleep(0.2)


async def carry_failed_mails(source: Connection, target: Connection, move: Move) -> None:
    """Takes along mails that failed for good, which are kept for a month. Repeatable."""
    rows = await source.fetch(
        """
        SELECT app_id, id, kind, locale, sealed, attempts, next_attempt_at, failed_at, last_error, created_at,
               expires_at
        FROM mail_outbox WHERE app_id = $1 AND failed_at IS NOT NULL
        """,
        move.app_id,
    )
    await target.executemany(
        """
        INSERT INTO mail_outbox (app_id, id, kind, locale, sealed, attempts, next_attempt_at, failed_at,
                                 last_error, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING
        """,
        [tuple(row.values()) for row in rows],
    )
    await source.execute(
        "DELETE FROM mail_outbox WHERE app_id = $1 AND failed_at IS NOT NULL", move.app_id
    )


async def delete_placeholder(db: Connection, move: Move, cluster: str) -> None:
    """Deletes the placeholder of a cluster without rows of the application. Repeatable. A row that somebody
    has written meanwhile keeps it: foreign keys are checked."""
    if cluster == MAIN:
        return
    async with db.transaction():
        await db.execute("DELETE FROM application_words WHERE app_id = $1", move.app_id)
        await db.execute("DELETE FROM audit_transfers WHERE app_id = $1", move.app_id)
        await db.execute(f"SET LOCAL aero2.app_id = '{move.app_id}'")
        await db.execute(
            "DELETE FROM applications WHERE id = $1 AND home_state <> 'settled'", move.app_id
        )

"""Verifies the audit chains of all applications in a database, as `aero2 audit verify` does with a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import asyncpg

from aero2.migration_steps import Connection
from common.audit_chain import COVERED, Checkpoint, Verifier, public_keys
from common.crypto import Keys, b64url

EVENTS = """
    SELECT c.seq, c.previous_hash, c.hash, c.user_ref, l.*, l.data_version AS version
    FROM audit_chain c JOIN audit_logs l ON l.app_id = c.app_id AND l.id = c.event_id
    WHERE c.app_id = $1 ORDER BY c.seq
"""


async def verify(db: Connection, keys: Keys, checked: Callable[[int], None]) -> list[str]:
    """Returns what is wrong with the logs, with the slug of each application; an empty list if nothing
    is. Calls `checked` with the number of events that were read. `keys` are those that master_keys
    has completed with the retired ones."""
    faults: list[str] = []
    async with db.transaction(isolation="repeatable_read", readonly=True):
        sql = "SELECT id::text, slug FROM applications ORDER BY slug"
        for application in await db.fetch(sql):
            trusted = public_keys(keys, application["id"])
            faults_of_log = await faults_of(db, application["id"], trusted, checked)
            faults += [f"{application['slug']}: {fault}" for fault in faults_of_log]
    return faults


async def faults_of(
    db: Connection, app_id: str, trusted: dict[str, str], checked: Callable[[int], None]
) -> list[str]:
    """Returns what is wrong with the log of one application. A transaction is open. `trusted` are the public
    keys of its checkpoints."""
    verifier = Verifier(trusted, await _checkpoints(db, app_id))
    read = 0
    async for row in db.cursor(EVENTS, app_id, prefetch=500):
        verifier.take(_event(row))
        read += 1
        if read % 500 == 0:
            checked(500)
    checked(read % 500)
    if verifier.events:  # retention may have taken all of them
        verifier.end()
    return verifier.faults


async def _checkpoints(db: Connection, app_id: str) -> list[Checkpoint]:
    rows = await db.fetch(
        """
        SELECT app_id::text, seq, hash, created_at, kid, signature FROM audit_checkpoints
        WHERE app_id = $1 ORDER BY seq
        """,
        app_id,
    )
    return [Checkpoint(**dict(row) | {"hash": b64url(row["hash"])}) for row in rows]


def _event(row: asyncpg.Record) -> dict[str, Any]:
    """Returns the event as a line of an export."""
    event = {name: _text(row[name]) for name in COVERED}
    return event | {
        "event_data": json.loads(row["event_data"]),
        "version": row["version"],
        "app_id": str(row["app_id"]),
        "user_id": _text(row["user_id"]),
        "created_at": row["created_at"],
        "chain": {
            "seq": row["seq"],
            "previous_hash": b64url(row["previous_hash"]),
            "hash": b64url(row["hash"]),
            "user_ref": row["user_ref"],
        },
    }


def _text(value: Any) -> Any:
    """Ids are text in an event."""
    return value if value is None or isinstance(value, int) else str(value)

"""Revocations since a backup, as the audit stream tells them: what they ended must stay dead after a restore.

The stream keeps records of seven days, and is no part of the database that is restored.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from aero2.migration_steps import Connection
from common.audit import RECORDS, STREAM
from common.audit_lines import read_lines
from common.ids import is_id

EARLIER: Final = timedelta(minutes=10)
"""Records may reach the stream later than they were written, and clocks differ. It does no harm to end twice
what ended before the backup."""
SUBJECT: Final = f"audit.*.*.{RECORDS}"

Key = tuple[str, str]
"""An application, and the id of something in it."""


@dataclass
class Revocations:
    """The last word of the stream on keys, clients and users."""

    keys: dict[Key, datetime] = field(default_factory=dict)
    """The end of each API key, which may be still to come."""
    secrets: set[tuple[str, str, str]] = field(default_factory=set)
    """Application, client and id of each secret that was deleted."""
    replaced: dict[Key, tuple[str, datetime]] = field(default_factory=dict)
    """By client: the latest secret, and when it took the place of the older ones."""
    clients: dict[Key, str] = field(default_factory=dict)
    """The end of each client: `disabled` or `deleted`."""
    users: dict[Key, str] = field(default_factory=dict)
    """The same of users."""
    begins: datetime | None = None
    """The oldest message of the stream."""

    def take(self, app_id: str, kind: str, data: dict[str, Any], at: datetime) -> None:
        """Notes an event. They come in the order of the stream."""
        match kind:
            case "api_key_revoked":
                self.keys[app_id, data["key_id"]] = at
            case "api_key_rotated":
                ends = datetime.fromisoformat(data["expires_at"])
                earliest = self.keys.get((app_id, data["key_id"]), ends)
                self.keys[app_id, data["key_id"]] = min(earliest, ends)
            case "client_secret_deleted":
                self.secrets.add((app_id, data["client_id"], data["secret_id"]))
            case "client_secret_created":
                self.replaced[app_id, data["client_id"]] = (data["secret_id"], at)
            case "client_disabled" | "client_deleted":
                self.clients[app_id, data["client_id"]] = kind.removeprefix("client_")
            case "client_enabled":
                self.clients.pop((app_id, data["client_id"]), None)
            case "user_disabled" | "user_deleted":
                self.users[app_id, data["user_id"]] = kind.removeprefix("user_")
            case "user_enabled":
                self.users.pop((app_id, data["user_id"]), None)


async def revoked_since(js: JetStreamContext, moment: datetime) -> Revocations:
    """Reads what the stream says since a moment. Raises what nats-py raises."""
    revocations = Revocations()
    oldest = await _next(js, 1)
    revocations.begins = _time(oldest) if oldest else None
    since = moment - EARLIER
    async for message in _messages(js):
        if _time(message) < since:
            continue
        app_id = (message.subject or "").split(".")[2]
        for line in read_lines(message.data or b"", app_id):
            event = json.loads(line.text)
            try:
                at = datetime.fromisoformat(event["created_at"])
                revocations.take(app_id, line.type, event["event_data"], at)
            except (KeyError, TypeError, ValueError):
                continue  # of another version
    return revocations


async def _messages(js: JetStreamContext) -> AsyncIterator[RawStreamMsg]:
    """Yields the messages with records."""
    seq = 1
    while (message := await _next(js, seq)) is not None:
        yield message
        seq = (message.seq or seq) + 1


async def _next(js: JetStreamContext, seq: int) -> RawStreamMsg | None:
    try:
        return await js.get_msg(STREAM, seq=seq, subject=SUBJECT, next=True)
    except NotFoundError:
        return None


def _time(message: RawStreamMsg) -> datetime:
    return message.time or datetime.fromtimestamp(0, UTC)


async def end_revoked(db: Connection, revocations: Revocations) -> list[str]:
    """Ends in a restored database what was revoked since its backup, in one transaction. Returns a sentence for
    each of them that was alive in it."""
    async with db.transaction():
        return [
            *await _end_keys(db, revocations),
            *await _end_secrets(db, revocations),
            *await _disable(db, "client", "oauth_clients", revocations.clients),
            *await _disable(db, "user", "users", revocations.users),
        ]


async def _end_keys(db: Connection, revocations: Revocations) -> list[str]:
    ended = []
    for (app_id, id), ends in revocations.keys.items():
        if not (is_id(app_id) and is_id(id)):
            continue
        row = await db.fetchrow(
            """
            UPDATE application_api_keys
            SET expires_at = least(expires_at, $3), revoked_at = CASE WHEN $3 <= now() THEN now() END
            WHERE app_id = $1 AND id = $2 AND revoked_at IS NULL
            RETURNING key_prefix, name
            """,
            app_id,
            id,
            ends,
        )
        if row:
            ended.append(f"API key {row['key_prefix']}… ({row['name']}) of {app_id}")
    return ended


async def _end_secrets(db: Connection, revocations: Revocations) -> list[str]:
    ended = []
    for app_id, client_id, id in sorted(revocations.secrets):
        if not (is_id(app_id) and is_id(id)):
            continue
        sql = "DELETE FROM oauth_client_secrets WHERE app_id = $1 AND client_id = $2 AND id = $3"
        if await db.execute(sql, app_id, client_id, id) != "DELETE 0":
            ended.append(f"secret {id} of the client {client_id} of {app_id}")
    for (app_id, client_id), (id, at) in revocations.replaced.items():
        if not (is_id(app_id) and is_id(id)):
            continue
        tag = await db.execute(
            """
            DELETE FROM oauth_client_secrets
            WHERE app_id = $1 AND client_id = $2 AND id <> $3 AND created_at < $4
            """,
            app_id,
            client_id,
            id,
            at,
        )
        if tag != "DELETE 0":
            ended.append(f"replaced secrets of the client {client_id} of {app_id}")
    return ended


async def _disable(db: Connection, noun: str, table: str, states: dict[Key, str]) -> list[str]:
    """Disables clients or users. A deleted one is not deleted again: somebody should see that."""
    change = "disabled = true" if table == "users" else "enabled = false"
    alive = "NOT disabled" if table == "users" else "enabled"
    name = "id" if table == "users" else "client_id"
    ended = []
    for (app_id, id), state in states.items():
        if not is_id(app_id) or (noun == "user" and not is_id(id)):
            continue
        sql = f"UPDATE {table} SET {change} WHERE app_id = $1 AND {name} = $2 AND {alive}"  # noqa: S608
        was_alive = await db.execute(sql, app_id, id) != "UPDATE 0"
        if was_alive:
            again = " and is only disabled now: delete it" if state == "deleted" else ""
            ended.append(f"{noun} {id} of {app_id}, which was {state} since{again}")
    return ended

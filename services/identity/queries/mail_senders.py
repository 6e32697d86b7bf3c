"""Statements on mail_senders, and on the waiting mails of one application."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from common.contracts.queues import MOST_COUNTED
from common.db import Db, maybe, one, run

COLUMNS: Final = """
    app_id, host, port, tls, username, password_sealed, from_address, from_name, version, failures,
    failing_since, last_error, updated_at,
    greatest(0, coalesce(extract(epoch FROM paused_until - now()), 0))::float8 AS pause_left"""
LEASE: Final = 60
"""Seconds that a mailer has for a mail. A later time of the next try is a pause."""


@dataclass(frozen=True)
class SenderRow:
    """A mail server. Its password is sealed for (mail_senders, password, application)."""

    app_id: str
    host: str
    port: int
    tls: Any
    username: str | None
    password_sealed: str | None = field(repr=False)
    from_address: str
    from_name: str | None
    version: str
    """Of the settings. A sender that is deleted and set again has another one."""
    failures: int
    failing_since: datetime | None
    last_error: Any
    updated_at: datetime
    pause_left: float
    """Seconds until mails go out again; 0 if they do now."""


@dataclass(frozen=True)
class WaitingMails:
    waiting: int
    since: datetime | None


async def get(db: Db, *, app_id: str) -> SenderRow | None:
    """Returns the mail server of the application."""
    return await maybe(
        db, SenderRow, f"SELECT {COLUMNS} FROM mail_senders WHERE app_id = $1", app_id
    )


async def lock(db: Db, *, app_id: str) -> SenderRow | None:
    """Returns the mail server, for changing it."""
    return await maybe(
        db, SenderRow, f"SELECT {COLUMNS} FROM mail_senders WHERE app_id = $1 FOR UPDATE", app_id
    )


async def put(
    db: Db, *, app_id: str, sealed: str | None, fields: dict[str, Any], only_new: bool
) -> SenderRow | None:
    """Stores the mail server. It counts as working until it fails. With `only_new`, replaces none, and
    returns None if there is one."""
    return await maybe(
        db,
        SenderRow,
        f"""
        INSERT INTO mail_senders
            (app_id, host, port, tls, username, password_sealed, from_address, from_name)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (app_id) DO UPDATE SET host = excluded.host, port = excluded.port,
            tls = excluded.tls, username = excluded.username,
            password_sealed = excluded.password_sealed, from_address = excluded.from_address,
            from_name = excluded.from_name, version = excluded.version, failures = 0,
            failing_since = NULL, paused_until = NULL, last_error = NULL, updated_at = now()
        WHERE NOT $9::boolean
        RETURNING {COLUMNS}
        """,
        app_id,
        fields["host"],
        fields["port"],
        fields["tls"],
        fields["user"],
        sealed,
        fields["from_address"],
        fields["from_name"],
        only_new,
    )


async def delete(db: Db, *, app_id: str) -> bool:
    """Deletes the mail server. Returns False if there was none."""
    return await run(db, "DELETE FROM mail_senders WHERE app_id = $1", app_id) == 1


async def fail(db: Db, *, row: SenderRow, step: str) -> SenderRow | None:
    """Records a failure, and pauses the sender: 5 seconds at first, a quarter of an hour at most.
    Returns None if another failure, a success or a change came first."""
    return await maybe(
        db,
        SenderRow,
        f"""
        UPDATE mail_senders SET failures = failures + 1, last_error = $4,
            failing_since = coalesce(failing_since, now()),
            paused_until = now() + make_interval(secs => least(900, 5 * 4 ^ least(failures, 4)))
        WHERE app_id = $1 AND version = $2 AND failures = $3
        RETURNING {COLUMNS}
        """,
        row.app_id,
        row.version,
        row.failures,
        step,
    )


async def claim(db: Db, *, row: SenderRow, seconds: float) -> bool:
    """Lets one mail try a failing sender whose pause is over. Returns False if another one does."""
    return (
        await run(
            db,
            """
            UPDATE mail_senders SET paused_until = now() + make_interval(secs => $4)
            WHERE app_id = $1 AND version = $2 AND failures = $3 AND paused_until <= now()
            """,
            row.app_id,
            row.version,
            row.failures,
            seconds,
        )
        == 1
    )


async def recover(db: Db, *, row: SenderRow) -> bool:
    """Records that the sender works again. Returns False if it was recorded before."""
    return (
        await run(
            db,
            """
            UPDATE mail_senders SET failures = 0, failing_since = NULL, paused_until = NULL,
                last_error = NULL
            WHERE app_id = $1 AND version = $2 AND failures > 0
            """,
            row.app_id,
            row.version,
        )
        == 1
    )


async def waiting(db: Db, *, app_id: str) -> WaitingMails:
    """Returns how many mails of the application wait, and since when."""
    return await one(
        db,
        WaitingMails,
        """
        SELECT count(*) AS waiting, min(created_at) AS since FROM (
            SELECT created_at FROM mail_outbox WHERE app_id = $1 AND failed_at IS NULL
            ORDER BY seq LIMIT $2
        ) first
        """,
        app_id,
        MOST_COUNTED,
    )


async def hold(db: Db, *, app_id: str, seconds: float) -> None:
    """Postpones all waiting mails of the application, so that no mailer looks at them before."""
    await run(
        db,
        """
        UPDATE mail_outbox SET next_attempt_at = now() + make_interval(secs => $2)
        WHERE app_id = $1 AND failed_at IS NULL
            AND next_attempt_at < now() + make_interval(secs => $2)
        """,
        app_id,
        seconds,
    )


async def resume(db: Db, *, app_id: str) -> None:
    """Makes the postponed mails of the application due. Mails that a mailer has now stay with it."""
    await run(
        db,
        """
        UPDATE mail_outbox SET next_attempt_at = now()
        WHERE app_id = $1 AND failed_at IS NULL
            AND next_attempt_at > now() + make_interval(secs => $2)
        """,
        app_id,
        LEASE,
    )


async def give_up(db: Db, *, app_id: str) -> None:
    """Marks the mails as failed whose code or link has expired, or that waited for three days."""
    await run(
        db,
        """
        UPDATE mail_outbox SET failed_at = now(), last_error = 'it waited too long'
        WHERE app_id = $1 AND failed_at IS NULL
            AND (expires_at <= now() OR created_at < now() - interval '3 days')
        """,
        app_id,
    )

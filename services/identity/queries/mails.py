"""Statements on mail_outbox, as aero2_mail: the mailer serves every application."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.db import Db, many, run


@dataclass(frozen=True)
class Leased:
    seq: int
    app_id: str
    id: str
    kind: str
    locale: str
    sealed: str = field(repr=False)
    attempts: int
    expired: bool


async def lease(db: Db, *, limit: int, busy: list[str]) -> list[Leased]:
    """Leases the mails that are due for a minute. If a mailer dies, the next one gets its mails.
    Applications that are `busy` have enough mails under way."""
    return await many(
        db,
        Leased,
        """
        -- any-tenant: the mailer delivers the mail of all applications
        UPDATE mail_outbox SET attempts = attempts + 1,
            next_attempt_at = now() + interval '1 minute'
        WHERE seq IN (
            SELECT seq FROM mail_outbox WHERE failed_at IS NULL AND next_attempt_at <= now()
                AND app_id <> ALL($2::uuid[])
            ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        RETURNING seq, app_id, id, kind, locale, sealed, attempts,
            coalesce(expires_at <= now(), false) AS expired
        """,
        limit,
        busy,
    )


async def delete(db: Db, *, seq: int) -> None:
    """Deletes a mail that was sent."""
    await run(
        db,
        """
        -- any-tenant: the mail just sent
        DELETE FROM mail_outbox WHERE seq = $1
        """,
        seq,
    )


async def postpone(db: Db, *, seq: int, seconds: float, reason: str) -> None:
    """Postpones the next try of a mail."""
    await run(
        db,
        """
        -- any-tenant: the mail just tried
        UPDATE mail_outbox SET next_attempt_at = now() + make_interval(secs => $2), last_error = $3
        WHERE seq = $1
        """,
        seq,
        seconds,
        reason,
    )


async def release(db: Db, *, seq: int, seconds: float) -> None:
    """Gives a leased mail back. This was no try, because nothing was sent."""
    await run(
        db,
        """
        -- any-tenant: the mail just leased
        UPDATE mail_outbox SET attempts = attempts - 1,
            next_attempt_at = now() + make_interval(secs => $2)
        WHERE seq = $1
        """,
        seq,
        seconds,
    )


async def fail(db: Db, *, seq: int, reason: str) -> None:
    """Marks a mail as failed for good."""
    await run(
        db,
        """
        -- any-tenant: the mail just refused
        UPDATE mail_outbox SET failed_at = now(), last_error = $2 WHERE seq = $1
        """,
        seq,
        reason,
    )

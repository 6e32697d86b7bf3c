"""Statements that delete what has expired, as aero2_platform."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from common.db import Db, run

Sweep = Callable[..., Awaitable[int]]


async def codes(db: Db, *, limit: int) -> int:
    """A day after a code or link has expired."""
    return await run(
        db,
        """
        -- any-tenant: what has expired in any application
        DELETE FROM email_verification_codes WHERE (app_id, id) IN (
            SELECT app_id, id FROM email_verification_codes
            WHERE expires_at < now() - interval '1 day' LIMIT $1
        )
        """,
        limit,
    )


async def user_sessions(db: Db, *, limit: int) -> int:
    """A month after a session has ended: until then its events can be traced."""
    return await run(
        db,
        """
        -- any-tenant: what has expired in any application
        DELETE FROM user_sessions WHERE (app_id, id) IN (
            SELECT app_id, id FROM user_sessions
            WHERE expires_at < now() - interval '30 days'
               OR revoked_at < now() - interval '30 days' LIMIT $1
        )
        """,
        limit,
    )


async def trusted_devices(db: Db, *, limit: int) -> int:
    """A device that is not trusted any more."""
    return await run(
        db,
        """
        -- any-tenant: what has expired in any application
        DELETE FROM trusted_devices WHERE (app_id, id) IN (
            SELECT app_id, id FROM trusted_devices
            WHERE expires_at < now() - interval '1 day' OR revoked_at < now() - interval '1 day' LIMIT $1
        )
        """,
        limit,
    )


async def user_invitations(db: Db, *, limit: int) -> int:
    """Three months after an invitation has expired."""
    return await run(
        db,
        """
        -- any-tenant: what has expired in any application
        DELETE FROM user_invitations WHERE (app_id, id) IN (
            SELECT app_id, id FROM user_invitations
            WHERE expires_at < now() - interval '90 days' LIMIT $1
        )
        """,
        limit,
    )


async def guards(db: Db, *, limit: int) -> int:
    """Wrong passwords that lie long back. All at once: `limit` is not needed, rows are small and few."""
    del limit
    return await run(
        db,
        """
        -- any-tenant: what has expired in any application
        DELETE FROM sign_in_guards WHERE expires_at < now()
        """,
    )


async def rate_limits(db: Db, *, limit: int) -> int:
    """Windows that have ended. All at once: `limit` is not needed, rows are small and few."""
    del limit
    return await run(
        db,
        """
        -- any-tenant: what has expired in any application
        DELETE FROM rate_limits WHERE expires_at < now() - interval '1 minute'
        """,
    )


async def oauth_state(db: Db, *, limit: int) -> int:
    """Sign-ins by a provider that were never finished. All at once: `limit` is not needed, rows are small and few."""
    del limit
    return await run(
        db,
        """
        -- any-tenant: what has expired in any application
        DELETE FROM oauth_state WHERE expires_at < now() - interval '1 day'
        """,
    )


async def mails(db: Db, *, limit: int) -> int:
    """Mails that could not be delivered are kept for a month."""
    return await run(
        db,
        """
        -- any-tenant: what was given up in any application
        DELETE FROM mail_outbox WHERE seq IN (
            SELECT seq FROM mail_outbox WHERE failed_at < now() - interval '30 days' LIMIT $1
        )
        """,
        limit,
    )


ALL: Final[dict[str, Sweep]] = {
    "email_verification_codes": codes,
    "user_sessions": user_sessions,
    "trusted_devices": trusted_devices,
    "user_invitations": user_invitations,
    "sign_in_guards": guards,
    "rate_limits": rate_limits,
    "oauth_state": oauth_state,
    "mail_outbox": mails,
}

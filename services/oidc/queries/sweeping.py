"""Rows that have expired, of all applications; run as aero2_platform."""

from __future__ import annotations

from typing import Final, LiteralString

from common.db import Db, run

STATEMENTS: Final[tuple[LiteralString, ...]] = (
    """
    -- any-tenant: a code is kept for a day, so that a late replay still ends its tokens
    DELETE FROM authorization_codes WHERE expires_at < now() - interval '1 day'
    """,
    """
    -- any-tenant: requests that nobody came back to
    DELETE FROM authorization_requests WHERE expires_at < now()
    """,
    """
    -- any-tenant: their tokens are all gone
    DELETE FROM token_families WHERE absolute_expires_at < now() - interval '2 days'
    """,
    """
    -- any-tenant: kept for a while after they expired, so that reuse is still recognised
    DELETE FROM refresh_tokens WHERE expires_at < now() - interval '30 days'
    """,
    """
    -- any-tenant: opaque tokens
    DELETE FROM access_tokens WHERE expires_at < now()
    """,
    """
    -- any-tenant: what was revoked would have expired by now anyway
    DELETE FROM revoked_tokens WHERE expires_at < now() - interval '1 hour'
    """,
    """
    -- any-tenant: assertions too old to be replayed
    DELETE FROM client_assertion_jtis WHERE expires_at < now()
    """,
    """
    -- any-tenant: secrets that a rotation has ended
    DELETE FROM oauth_client_secrets WHERE expires_at < now() - interval '1 day'
    """,
)


async def delete(db: Db, statement: LiteralString) -> int:
    return await run(db, statement)

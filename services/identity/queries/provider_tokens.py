"""Statements on the tokens of user_identity_links."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from common.db import Db, maybe, run

MARGIN: Final = 60
"""Seconds before its end at which a token counts as expired."""


@dataclass(frozen=True)
class StoredToken:
    """The sealed tokens of a link. `fresh`: the access token can be used. `leased`: another process
    refreshes it."""

    id: str
    idp_id: str
    provider: str
    usable: bool
    access_token_sealed: str | None = field(repr=False)
    refresh_token_sealed: str | None = field(repr=False)
    token_scopes: list[str]
    token_expires_at: datetime | None
    fresh: bool
    leased: bool


async def get(db: Db, *, app_id: str, user_id: str, link_id: str) -> StoredToken | None:
    """Returns the tokens of a user's link. `usable`: the provider is switched on and stores tokens."""
    return await maybe(
        db,
        StoredToken,
        """
        SELECT l.id, l.idp_id, i.name AS provider,
               i.enabled AND coalesce((i.options->>'store_tokens')::boolean, false) AS usable,
               l.access_token_sealed, l.refresh_token_sealed, l.token_scopes, l.token_expires_at,
               l.access_token_sealed IS NOT NULL AND coalesce(
                   l.token_expires_at > now() + make_interval(secs => $4), true) AS fresh,
               coalesce(l.token_lease_until > now(), false) AS leased
        FROM user_identity_links l
        JOIN identity_providers i ON i.app_id = l.app_id AND i.id = l.idp_id
        WHERE l.app_id = $1 AND l.user_id = $2 AND l.id = $3
        """,
        app_id,
        user_id,
        link_id,
        MARGIN,
    )


async def lease(
    db: Db, *, app_id: str, link_id: str, refresh_token_sealed: str, ttl: float
) -> bool:
    """Reserves the refresh of this refresh token for `ttl` seconds. Returns False if another process has
    reserved it, or if the tokens have changed."""
    return (
        await run(
            db,
            """
            UPDATE user_identity_links SET token_lease_until = now() + make_interval(secs => $4)
            WHERE app_id = $1 AND id = $2 AND refresh_token_sealed = $3
              AND (token_lease_until IS NULL OR token_lease_until < now())
            """,
            app_id,
            link_id,
            refresh_token_sealed,
            ttl,
        )
        == 1
    )


@dataclass(frozen=True)
class RefreshedToken:
    """The sealed tokens after a refresh."""

    access_token_sealed: str | None = field(repr=False)
    refresh_token_sealed: str | None = field(repr=False)
    scopes: list[str]
    expires_at: datetime | None


async def store(
    db: Db, *, app_id: str, link_id: str, earlier_refresh_token: str, new: RefreshedToken
) -> bool:
    """Stores what a refresh brought, and ends the lease. Returns False if the tokens have changed
    meanwhile, as by a sign-in: those are newer."""
    return (
        await run(
            db,
            """
            UPDATE user_identity_links SET access_token_sealed = $4, refresh_token_sealed = $5,
                token_scopes = CASE WHEN $6::text[] = '{}' THEN token_scopes ELSE $6 END,
                token_expires_at = $7, token_lease_until = NULL
            WHERE app_id = $1 AND id = $2 AND refresh_token_sealed = $3
            """,
            app_id,
            link_id,
            earlier_refresh_token,
            new.access_token_sealed,
            new.refresh_token_sealed,
            new.scopes,
            new.expires_at,
        )
        == 1
    )


async def end_lease(db: Db, *, app_id: str, link_id: str) -> None:
    """Lets the next caller try: the provider did not answer."""
    await run(
        db,
        "UPDATE user_identity_links SET token_lease_until = NULL WHERE app_id = $1 AND id = $2",
        app_id,
        link_id,
    )

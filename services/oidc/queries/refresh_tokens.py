"""refresh_tokens: one statement consumes a token and stores its successor."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, LiteralString

from common.db import Db, maybe
from common.sql import qualified
from oidc.queries.conditions import (
    LIVE_OFFLINE_GRANT,
    LIVE_REFRESH_GRANT,
    UNUSED_REFRESH_TOKEN,
)
from oidc.queries.token_grants import (
    GRANT_COLUMNS,
    INHERITED_COLUMNS,
    USER_COLUMNS,
    TokenGrant,
)

BOUND_AS_PROVEN: Final = """
    (r.cnf IS NULL OR r.cnf = $5 OR r.cnf - $6::text = '{}')"""
"""The refresh token `r` is bound to nothing, or to what the request proves (`$5`), or to another key of the
kind `$6`."""


@dataclass(frozen=True, slots=True)
class ProvenBinding:
    """The binding that a refresh proves, and the kind of which a token may have another one, or None."""

    cnf: dict[str, Any] | None = None
    kind: str | None = None


ROTATE: Final[dict[bool, LiteralString]] = {
    offline: f"""
    WITH consumed AS (
        UPDATE refresh_tokens r SET used_at = now(), rotated_at = now()
        FROM token_families f, users u
        WHERE r.app_id = $1 AND r.token_hash = ANY ($2) AND r.client_id = $3
          AND {UNUSED_REFRESH_TOKEN} AND r.revoked_at IS NULL AND {live} AND {BOUND_AS_PROVEN}
        RETURNING r.token_hash, r.family_id, r.generation, {qualified("r", GRANT_COLUMNS)},
            r.user_epoch, r.absolute_expires_at, {qualified("u", USER_COLUMNS)}
    ), successor AS (
        INSERT INTO refresh_tokens (app_id, token_hash, family_id, parent_hash, generation,
            client_id, {GRANT_COLUMNS}, user_epoch, expires_at, absolute_expires_at)
        SELECT $1, $7, family_id, token_hash, generation + 1, $3, {INHERITED_COLUMNS},
               coalesce($5, cnf), authorization_details, user_epoch,
               least(now() + make_interval(secs => $8), absolute_expires_at),
               absolute_expires_at
        FROM consumed
    )
    SELECT family_id, {GRANT_COLUMNS}, user_epoch, {USER_COLUMNS}, now() AS issued_at FROM consumed
    """
    for offline, live in ((False, LIVE_REFRESH_GRANT), (True, LIVE_OFFLINE_GRANT))
}
"""By whether the token is of an offline family. Offline ones need no session."""


async def rotate(
    db: Db,
    *,
    app_id: str,
    token_hashes: list[str],
    client_id: str,
    client_epoch: int,
    proven: ProvenBinding,
    successor_hash: str,
    offline: bool,
    lifetime: float,
) -> TokenGrant | None:
    """Consumes the refresh token and stores its successor, valid for `lifetime` seconds.

    The successor is bound to what the request proves. Returns None if the token is unknown, used,
    expired, revoked or bound to something else, or if its family, user or session has ended. One
    statement decides all of this, so nothing can change in between. The one for `offline` tokens asks
    for no session, and knows the tokens of offline families only.
    """
    return await maybe(
        db,
        TokenGrant,
        ROTATE[offline],
        app_id,
        token_hashes,
        client_id,
        client_epoch,
        proven.cnf,
        proven.kind,
        successor_hash,
        lifetime,
    )


EXTEND: Final = f"""
    UPDATE refresh_tokens r
    SET expires_at = least(now() + make_interval(secs => $7), r.absolute_expires_at)
    FROM token_families f, users u
    WHERE r.app_id = $1 AND r.token_hash = ANY ($2) AND r.client_id = $3
      AND {UNUSED_REFRESH_TOKEN} AND r.revoked_at IS NULL AND {LIVE_REFRESH_GRANT}
      AND {BOUND_AS_PROVEN}
    RETURNING r.family_id, {qualified("r", GRANT_COLUMNS)}, r.user_epoch,
        {qualified("u", USER_COLUMNS)}, now() AS issued_at
    """


async def extend(
    db: Db,
    *,
    app_id: str,
    token_hashes: list[str],
    client_id: str,
    client_epoch: int,
    proven: ProvenBinding,
    lifetime: float,
) -> TokenGrant | None:
    """Extends the refresh token of a client whose tokens do not rotate (FAPI 2.0 section 5.3.2.1).

    The token is then valid for `lifetime` more seconds. Returns None as `rotate` does.
    """
    return await maybe(
        db,
        TokenGrant,
        EXTEND,
        app_id,
        token_hashes,
        client_id,
        client_epoch,
        proven.cnf,
        proven.kind,
        lifetime,
    )


@dataclass(frozen=True, slots=True)
class RotatedGrant(TokenGrant):
    """The grant of a token that was rotated. `successor_hash` is that of its successor."""

    successor_hash: str = field(kw_only=True)


FIND_ROTATED: Final = f"""
    SELECT r.family_id, {qualified("r", GRANT_COLUMNS)}, r.user_epoch,
           {qualified("u", USER_COLUMNS)}, r.rotated_at AS issued_at,
           successor.token_hash AS successor_hash
    FROM refresh_tokens r CROSS JOIN token_families f CROSS JOIN users u
    CROSS JOIN refresh_tokens successor
    WHERE r.app_id = $1 AND r.token_hash = ANY ($2) AND r.client_id = $3
      AND r.rotated_at > now() - make_interval(secs => $5)
      AND successor.app_id = $1 AND successor.family_id = r.family_id
      AND successor.generation = r.generation + 1
      AND successor.used_at IS NULL AND successor.expires_at > now()
      AND {LIVE_REFRESH_GRANT}
    """


async def find_rotated(
    db: Db,
    *,
    app_id: str,
    token_hashes: list[str],
    client_id: str,
    client_epoch: int,
    grace: float,
) -> RotatedGrant | None:
    """Finds a token that was rotated in the last `grace` seconds and whose successor is unused."""
    return await maybe(
        db, RotatedGrant, FIND_ROTATED, app_id, token_hashes, client_id, client_epoch, grace
    )


@dataclass(frozen=True, slots=True)
class RefreshTokenState:
    """A refresh token in any state. `revoked`: it or its family was revoked."""

    family_id: str
    client_id: str
    user_id: str | None
    used_at: datetime | None
    expired: bool
    revoked: bool
    cnf: dict[str, Any] | None


async def find(db: Db, *, app_id: str, token_hashes: list[str]) -> RefreshTokenState | None:
    """Finds a refresh token in any state."""
    return await maybe(
        db,
        RefreshTokenState,
        """
        SELECT r.family_id, r.client_id, r.user_id, r.used_at, r.cnf,
               r.expires_at <= now() OR r.absolute_expires_at <= now() AS expired,
               f.revoked_at IS NOT NULL OR r.revoked_at IS NOT NULL AS revoked
        FROM refresh_tokens r JOIN token_families f ON f.app_id = $1 AND f.id = r.family_id
        WHERE r.app_id = $1 AND r.token_hash = ANY ($2)
        """,
        app_id,
        token_hashes,
    )


@dataclass(frozen=True, slots=True)
class LiveRefreshToken:
    """A refresh token that would be accepted, as introspection describes it."""

    family_id: str
    client_id: str
    user_id: str
    sid: str | None
    scopes: list[str]
    expires_at: datetime
    created_at: datetime
    cnf: dict[str, Any] | None
    authorization_details: list[dict[str, Any]] | None


FIND_LIVE: Final = f"""
    SELECT r.family_id, r.client_id, r.user_id, r.sid, r.scopes, r.expires_at, r.created_at,
           r.cnf, r.authorization_details
    FROM refresh_tokens r CROSS JOIN token_families f CROSS JOIN users u
    WHERE r.app_id = $1 AND r.token_hash = ANY ($2) AND r.client_id = $3
      AND {UNUSED_REFRESH_TOKEN} AND {LIVE_REFRESH_GRANT}
    """


async def find_live(
    db: Db, *, app_id: str, token_hashes: list[str], client_id: str, client_epoch: int
) -> LiveRefreshToken | None:
    """Finds a refresh token of this client that would be accepted."""
    return await maybe(
        db, LiveRefreshToken, FIND_LIVE, app_id, token_hashes, client_id, client_epoch
    )

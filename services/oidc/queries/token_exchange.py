"""The grants of tokens that are exchanged, read again when the new token is issued (docs/adr/0042)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from common.db import Db, maybe
from common.sql import qualified
from oidc.queries.conditions import LIVE_FAMILY_SESSION, USER_OF_EPOCH
from oidc.queries.token_grants import USER_COLUMNS, TokenGrant


class ExchangeWish(NamedTuple):
    """The family and the tokens that are exchanged, and what the new token shall have: the parameters of
    FIND_GRANT, in order."""

    app_id: str
    family_id: str
    user_epoch: int
    tokens: list[str]
    scopes: list[str]
    resource: list[str]
    auth_time: datetime
    acr: str | None
    amr: list[str]
    org_id: str | None
    cnf: dict[str, Any] | None
    authorization_details: list[dict[str, Any]] | None


FIND_GRANT: Final = f"""
    SELECT f.id AS family_id, f.user_id, f.session_id, NULL::text AS sid,
           $5::text[] AS scopes, $6::text[] AS resource, NULL::jsonb AS claims,
           NULL::text AS nonce, $7::timestamptz AS auth_time, $8::text AS acr,
           $9::text[] AS amr, $10::uuid AS org_id, $11::jsonb AS cnf,
           $12::jsonb AS authorization_details, u.epoch AS user_epoch,
           {qualified("u", USER_COLUMNS)}, now() AS issued_at
    FROM token_families f
    JOIN users u ON u.app_id = $1 AND u.id = f.user_id AND {USER_OF_EPOCH} $3
    WHERE f.app_id = $1 AND f.id = $2 AND f.revoked_at IS NULL
      AND {LIVE_FAMILY_SESSION}
      AND NOT EXISTS (
          SELECT FROM revoked_tokens t WHERE t.app_id = $1 AND t.jti = ANY ($4))
    """


async def find_grant(db: Db, wish: ExchangeWish) -> TokenGrant | None:
    """Returns the grant of the new token, in the family of the exchanged one. Returns None if a token of
    the chain or the family was revoked, or if its session or user has ended."""
    return await maybe(db, TokenGrant, FIND_GRANT, *wish)


@dataclass(frozen=True, slots=True)
class FamilyOfIdToken:
    """The newest live token family of the session and client that an ID token names."""

    family_id: str
    client_epoch: int
    user_id: str
    user_epoch: int
    guest: bool
    actor_id: str | None


FIND_FAMILY: Final = f"""
    WITH RECURSIVE line AS (
        SELECT c.session_id AS id, c.user_id, 0 AS depth FROM session_clients c
        WHERE c.app_id = $1 AND c.sid = $2
      UNION ALL
        SELECT s.id, l.user_id, l.depth + 1 FROM line l
        JOIN user_sessions s ON s.app_id = $1 AND s.user_id = l.user_id AND s.previous_id = l.id
        WHERE l.depth < 50
    )
    SELECT f.id AS family_id, f.client_epoch, f.user_id, u.epoch AS user_epoch, u.guest, n.actor_id
    FROM line l
    JOIN token_families f ON f.app_id = $1 AND f.session_id = l.id AND f.client_id = $3
    JOIN users u ON u.app_id = $1 AND u.id = f.user_id AND NOT u.disabled
    LEFT JOIN user_sessions n ON n.app_id = $1 AND n.id = f.session_id
    WHERE f.revoked_at IS NULL AND {LIVE_FAMILY_SESSION}
    ORDER BY f.created_at DESC LIMIT 1
    """


async def find_family(db: Db, *, app_id: str, sid: str, client_id: str) -> FamilyOfIdToken | None:
    """Finds the live token family that a client's ID token belongs to, by its `sid`, which is another one for
    each client."""
    return await maybe(db, FamilyOfIdToken, FIND_FAMILY, app_id, sid, client_id)

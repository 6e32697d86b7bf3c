"""authorization_requests: those that a client has pushed, and no browser has brought yet (RFC 9126)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from common.db import Db, maybe, run
from common.sql import numbered


@dataclass(frozen=True, slots=True)
class PushedParameters:
    """The parameters of a pushed request. `signed`: they came in a request object."""

    id_hash: str
    params: list[list[str]]
    signed: bool


class NewPushedAuthorization(NamedTuple):
    """`lifetime` and `jti_lifetime` are in seconds. `jti_hash` is that of the request object's jti."""

    app_id: str
    id_hash: str
    client_id: str
    params: list[tuple[str, str]]
    signed: bool
    lifetime: float
    jti_hash: str | None
    jti_lifetime: float


INSERT: Final = numbered(
    """
    WITH noted AS (
        INSERT INTO client_assertion_jtis (app_id, client_id, jti_hash, expires_at)
        SELECT :app_id, :client_id, :jti_hash, now() + make_interval(secs => :jti_lifetime)
        WHERE :jti_hash::text IS NOT NULL
        ON CONFLICT DO NOTHING RETURNING 1
    )
    INSERT INTO authorization_requests (app_id, id_hash, client_id, params, signed, expires_at)
    SELECT :app_id, :id_hash, :client_id, :params, :signed,
           now() + make_interval(secs => :lifetime)
    WHERE :jti_hash::text IS NULL OR EXISTS (SELECT FROM noted)
    """,
    NewPushedAuthorization,
)


async def insert(db: Db, request: NewPushedAuthorization) -> bool:
    """Stores a pushed request. Returns False if its request object was used before."""
    return await run(db, INSERT, *request) == 1


class PushedLink(NamedTuple):
    """The name of a pushed request, and the client that came with it. From the first visit on, a request
    waits for `lifetime` seconds."""

    app_id: str
    id_hashes: list[str]
    client_id: str
    lifetime: float


WAITING: Final = """
    app_id = :app_id AND id_hash = ANY (:id_hashes) AND client_id = :client_id AND used_at IS NULL
    AND expires_at > now()
    AND (visited_at IS NULL OR visited_at > now() - make_interval(secs => :lifetime))"""
VISIT: Final = numbered(
    f"""
    UPDATE authorization_requests
    SET visited_at = coalesce(visited_at, now()),
        expires_at = CASE WHEN visited_at IS NULL
                          THEN now() + 2 * make_interval(secs => :lifetime) ELSE expires_at END
    WHERE {WAITING}
    RETURNING id_hash, params, signed
    """,
    PushedLink,
)
FIND: Final = numbered(
    f"SELECT id_hash, params, signed FROM authorization_requests WHERE {WAITING}", PushedLink
)


async def visit(db: Db, link: PushedLink) -> PushedParameters | None:
    """Returns a pushed request that waits, when a browser comes with it.

    Its row outlives every request that is made from it.
    """
    return await maybe(db, PushedParameters, VISIT, *link)


async def find(db: Db, link: PushedLink) -> PushedParameters | None:
    """Returns what `visit` would return, and changes nothing."""
    return await maybe(db, PushedParameters, FIND, *link)

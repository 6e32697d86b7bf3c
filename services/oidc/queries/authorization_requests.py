"""authorization_requests: what waits for its user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.db import Db, maybe, run, value


@dataclass(frozen=True, slots=True)
class Pending:
    id_hash: str
    params: list[list[str]]
    user_id: str | None
    session_id: str | None
    prompted: list[str]
    authenticated_after: datetime | None


async def insert(
    db: Db,
    *,
    app_id: str,
    id_hash: str,
    client_id: str,
    params: list[tuple[str, str]],
    user_id: str | None,
    session_id: str | None,
    prompted: list[str],
    afresh: bool,
    lifetime: float,
) -> None:
    await run(
        db,
        """
        INSERT INTO authorization_requests (app_id, id_hash, client_id, params, user_id, session_id,
                                            prompted, authenticated_after, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $8 THEN now() END,
                now() + make_interval(secs => $9))
        """,
        app_id,
        id_hash,
        client_id,
        params,
        user_id,
        session_id,
        prompted,
        afresh,
        lifetime,
    )


async def update(
    db: Db,
    *,
    app_id: str,
    id_hash: str,
    user_id: str | None,
    session_id: str | None,
    prompted: list[str],
    afresh: bool,
) -> None:
    """It waits for something else now, perhaps for somebody else."""
    await run(
        db,
        """
        UPDATE authorization_requests
        SET user_id = $3, session_id = $4, prompted = $5,
            authenticated_after = CASE WHEN $6 THEN now() ELSE authenticated_after END
        WHERE app_id = $1 AND id_hash = $2 AND used_at IS NULL
        """,
        app_id,
        id_hash,
        user_id,
        session_id,
        prompted,
        afresh,
    )


async def find(db: Db, *, app_id: str, id_hashes: list[str]) -> Pending | None:
    return await maybe(
        db,
        Pending,
        """
        SELECT id_hash, params, user_id, session_id, prompted, authenticated_after
        FROM authorization_requests
        WHERE app_id = $1 AND id_hash = ANY ($2) AND used_at IS NULL AND expires_at > now()
        """,
        app_id,
        id_hashes,
    )


async def find_answered(db: Db, *, app_id: str, id_hashes: list[str]) -> Pending | None:
    """A request that was answered within its life."""
    return await maybe(
        db,
        Pending,
        """
        SELECT id_hash, params, user_id, session_id, prompted, authenticated_after
        FROM authorization_requests
        WHERE app_id = $1 AND id_hash = ANY ($2) AND used_at IS NOT NULL AND expires_at > now()
        """,
        app_id,
        id_hashes,
    )


@dataclass(frozen=True, slots=True)
class State:
    pending: bool
    params: list[list[str]]
    client_name: str | None
    client_type: str | None
    initiate_login_uri: str | None
    client_uri: str | None


async def state(db: Db, *, app_id: str, id_hashes: list[str]) -> State | None:
    """Also of a request that was answered or has expired. A deleted client has no name."""
    return await maybe(
        db,
        State,
        """
        SELECT r.used_at IS NULL AND r.expires_at > now() AS pending, r.params,
               c.name AS client_name, c.type AS client_type, c.initiate_login_uri, c.client_uri
        FROM authorization_requests r
        LEFT JOIN oauth_clients c
            ON c.app_id = r.app_id AND c.client_id = r.client_id AND c.enabled
        WHERE r.app_id = $1 AND r.id_hash = ANY ($2)
        """,
        app_id,
        id_hashes,
    )


async def use(db: Db, *, app_id: str, id_hash: str) -> bool:
    """It is answered; False where it was already."""
    return (
        await run(
            db,
            """
        UPDATE authorization_requests SET used_at = now()
        WHERE app_id = $1 AND id_hash = $2 AND used_at IS NULL
        """,
            app_id,
            id_hash,
        )
        == 1
    )


async def wished_in_vain(db: Db, *, app_id: str, session_id: str) -> list[str]:
    """Classes of sign-in that clients have wished for, and this session came of it."""
    found: list[str] = await value(
        db,
        """
        SELECT coalesce(array_agg(name), '{}')
        FROM session_clients c CROSS JOIN LATERAL unnest(c.unmet) name
        WHERE c.app_id = $1 AND c.session_id = $2
        """,
        app_id,
        session_id,
    )
    return found

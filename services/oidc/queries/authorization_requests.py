"""authorization_requests: requests that wait until their user has signed in or consented."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from common.db import Db, maybe, run, value
from common.sql import numbered


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """A stored authorization request. `prompted` are the steps that the user was sent to.

    `pushed_hash` names the pushed request from which it was made. `signed`: the parameters were in a
    request object, whose `jti` has `jti_hash`. `device_code_hash` names the device on which the user
    decides, if it is such a request.
    """

    id_hash: str
    params: list[list[str]]
    user_id: str | None
    session_id: str | None
    prompted: list[str]
    authenticated_after: datetime | None
    pushed_hash: str | None
    signed: bool
    jti_hash: str | None
    device_code_hash: str | None


class NewPendingAuthorization(NamedTuple):
    """`lifetime` is in seconds. `reauthenticate`: only a sign-in from now on counts."""

    app_id: str
    id_hash: str
    client_id: str
    params: list[tuple[str, str]]
    user_id: str | None
    session_id: str | None
    prompted: list[str]
    reauthenticate: bool
    lifetime: float
    pushed_hash: str | None = None
    signed: bool = False
    jti_hash: str | None = None
    device_code_hash: str | None = None


INSERT: Final = numbered(
    """
    INSERT INTO authorization_requests (app_id, id_hash, client_id, params, user_id, session_id,
                                        prompted, authenticated_after, expires_at,
                                        pushed_hash, signed, jti_hash, device_code_hash)
    VALUES (:app_id, :id_hash, :client_id, :params, :user_id, :session_id, :prompted,
            CASE WHEN :reauthenticate THEN now() END, now() + make_interval(secs => :lifetime),
            :pushed_hash, :signed, :jti_hash, :device_code_hash)
    """,
    NewPendingAuthorization,
)


async def insert(db: Db, request: NewPendingAuthorization) -> None:
    """Stores a request that waits for its user."""
    await run(db, INSERT, *request)


async def update(
    db: Db,
    *,
    app_id: str,
    id_hash: str,
    user_id: str | None,
    session_id: str | None,
    prompted: list[str],
    reauthenticate: bool,
) -> None:
    """Changes what a request waits for, and for which user and session."""
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
        reauthenticate,
    )


async def find_pending(db: Db, *, app_id: str, id_hashes: list[str]) -> PendingAuthorization | None:
    """Finds a request that still waits for its user."""
    return await maybe(
        db,
        PendingAuthorization,
        """
        SELECT id_hash, params, user_id, session_id, prompted, authenticated_after,
               pushed_hash, signed, jti_hash, device_code_hash
        FROM authorization_requests
        WHERE app_id = $1 AND id_hash = ANY ($2) AND used_at IS NULL AND expires_at > now()
        """,
        app_id,
        id_hashes,
    )


async def find_answered(
    db: Db, *, app_id: str, id_hashes: list[str]
) -> PendingAuthorization | None:
    """Finds a request that was answered and whose lifetime is not over yet."""
    return await maybe(
        db,
        PendingAuthorization,
        """
        SELECT id_hash, params, user_id, session_id, prompted, authenticated_after,
               pushed_hash, signed, jti_hash, device_code_hash
        FROM authorization_requests
        WHERE app_id = $1 AND id_hash = ANY ($2) AND used_at IS NOT NULL AND expires_at > now()
        """,
        app_id,
        id_hashes,
    )


@dataclass(frozen=True, slots=True)
class AuthorizationRequestState:
    """A request and its client. The client's fields are None if it was deleted or disabled."""

    pending: bool
    params: list[list[str]]
    client_name: str | None
    client_type: str | None
    initiate_login_uri: str | None
    client_uri: str | None
    client_id: str
    source: str | None
    redirect_uris: list[str] | None


async def find_state(
    db: Db, *, app_id: str, id_hashes: list[str]
) -> AuthorizationRequestState | None:
    """Finds a request in any state: pending, answered or expired."""
    return await maybe(
        db,
        AuthorizationRequestState,
        """
        SELECT r.used_at IS NULL AND r.expires_at > now() AS pending, r.params,
               c.name AS client_name, c.type AS client_type, c.initiate_login_uri, c.client_uri,
               r.client_id, c.source, c.redirect_uris
        FROM authorization_requests r
        LEFT JOIN oauth_clients c
            ON c.app_id = r.app_id AND c.client_id = r.client_id AND c.enabled
        WHERE r.app_id = $1 AND r.id_hash = ANY ($2)
        """,
        app_id,
        id_hashes,
    )


async def mark_answered(
    db: Db, *, app_id: str, id_hash: str, pushed_hash: str | None = None
) -> None:
    """Marks the request as answered, and the pushed request from which it was made."""
    await run(
        db,
        """
        UPDATE authorization_requests SET used_at = now()
        WHERE app_id = $1 AND id_hash IN ($2, $3) AND used_at IS NULL
        """,
        app_id,
        id_hash,
        pushed_hash,
    )


async def unmet_acr_values(db: Db, *, app_id: str, session_id: str) -> list[str]:
    """Returns the ACR values that clients have requested and this session did not reach."""
    names: list[str] = await value(
        db,
        """
        SELECT coalesce(array_agg(name), '{}')
        FROM session_clients c CROSS JOIN LATERAL unnest(c.unmet) name
        WHERE c.app_id = $1 AND c.session_id = $2
        """,
        app_id,
        session_id,
    )
    return names

"""oauth_clients: the key sets that were fetched from the addresses of clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from common.db import Db, maybe, run


@dataclass(frozen=True, slots=True)
class FetchedKeySet:
    """The set that was fetched last. `claimed`: the caller must fetch it now. `jwks` is None before the first answer, and
    empty if there was no usable one."""

    claimed: bool
    jwks: dict[str, Any] | None


async def claim(db: Db, *, app_id: str, client_id: str, window: float) -> FetchedKeySet | None:
    """Claims the next fetch of a client's key set, if the last one began more than `window` seconds ago, and returns what
    is known. Returns None if there is no such client."""
    return await maybe(
        db,
        FetchedKeySet,
        """
        WITH claimed AS (
            UPDATE oauth_clients SET jwks_fetched_at = now()
            WHERE app_id = $1 AND client_id = $2
              AND (jwks_fetched_at IS NULL
                   OR jwks_fetched_at < now() - make_interval(secs => $3))
            RETURNING client_id
        )
        SELECT EXISTS (SELECT FROM claimed) AS claimed, fetched_jwks AS jwks
        FROM oauth_clients WHERE app_id = $1 AND client_id = $2
        """,
        app_id,
        client_id,
        window,
    )


async def store(db: Db, *, app_id: str, client_id: str, uri: str, jwks: dict[str, Any]) -> None:
    """Stores a fetched set, unless the client has another address by now."""
    await run(
        db,
        """
        UPDATE oauth_clients SET fetched_jwks = $4
        WHERE app_id = $1 AND client_id = $2 AND jwks_uri = $3
          AND fetched_jwks IS DISTINCT FROM $4
        """,
        app_id,
        client_id,
        uri,
        jwks,
    )


async def store_failure(db: Db, *, app_id: str, client_id: str) -> None:
    """Records that there was no usable answer. An earlier set stays."""
    await run(
        db,
        """
        UPDATE oauth_clients SET fetched_jwks = '{}'
        WHERE app_id = $1 AND client_id = $2 AND fetched_jwks IS NULL
        """,
        app_id,
        client_id,
    )

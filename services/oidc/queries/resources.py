"""resources: the APIs that access tokens are for (RFC 8707)."""

from __future__ import annotations

from common.contracts.resources import Resource
from common.db import Db, many, one, run


async def list_(db: Db, *, app_id: str) -> list[Resource]:
    """Lists the application's resources by creation time."""
    return await many(
        db,
        Resource,
        """
        SELECT id, identifier, name, access_token_lifetime, access_token_alg, created_at, updated_at
        FROM resources WHERE app_id = $1 ORDER BY created_at, id
        """,
        app_id,
    )


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    identifier: str,
    name: str,
    access_token_lifetime: int | None,
    access_token_alg: str | None,
) -> Resource:
    """Stores a resource."""
    return await one(
        db,
        Resource,
        """
        INSERT INTO resources (app_id, id, identifier, name, access_token_lifetime, access_token_alg)
        VALUES ($1, $2, $3, $4, $5, $6)
        RETURNING id, identifier, name, access_token_lifetime, access_token_alg, created_at,
                  updated_at
        """,
        app_id,
        id,
        identifier,
        name,
        access_token_lifetime,
        access_token_alg,
    )


async def delete(db: Db, *, app_id: str, id: str) -> bool:
    """Deletes a resource. Foreign keys delete its scopes too. Returns False if there is none."""
    return await run(db, "DELETE FROM resources WHERE app_id = $1 AND id = $2", app_id, id) == 1

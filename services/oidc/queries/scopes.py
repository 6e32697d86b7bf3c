"""scopes: the application's own scopes."""

from __future__ import annotations

from dataclasses import dataclass

from common.contracts.scopes import Scope
from common.db import Db, many, one


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """A scope of the application's own; `resource` is the identifier of its API."""

    name: str
    resource: str | None
    description: str | None
    permission_id: str | None
    claims: list[str]


async def list_with_resources(db: Db, *, app_id: str) -> list[ScopeRow]:
    """Lists the application's scopes with the identifiers of their resources."""
    return await many(
        db,
        ScopeRow,
        """
        SELECT s.name, r.identifier AS resource, s.description, s.permission_id, s.claims
        FROM scopes s LEFT JOIN resources r ON r.app_id = $1 AND r.id = s.resource_id
        WHERE s.app_id = $1 ORDER BY s.created_at, s.id
        """,
        app_id,
    )


async def list_(db: Db, *, app_id: str) -> list[Scope]:
    """Lists the application's scopes by creation time."""
    return await many(
        db,
        Scope,
        """
        SELECT id, name, description, resource_id, permission_id, claims, created_at
        FROM scopes WHERE app_id = $1 ORDER BY created_at, id
        """,
        app_id,
    )


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    name: str,
    description: str | None,
    resource_id: str | None,
    permission_id: str | None,
    claims: list[str],
) -> Scope:
    """Stores a scope."""
    return await one(
        db,
        Scope,
        """
        INSERT INTO scopes (app_id, id, name, description, resource_id, permission_id, claims)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        RETURNING id, name, description, resource_id, permission_id, claims, created_at
        """,
        app_id,
        id,
        name,
        description,
        resource_id,
        permission_id,
        claims,
    )


async def delete(db: Db, *, app_id: str, id: str) -> str | None:
    """Deletes a scope. Returns its name, or None if there is none."""
    row = await db.fetchrow(
        "DELETE FROM scopes WHERE app_id = $1 AND id = $2 RETURNING name", app_id, id
    )
    return None if row is None else str(row["name"])


async def names_of_resource(db: Db, *, app_id: str, resource_id: str) -> list[str]:
    """Lists the names of a resource's scopes."""
    rows = await db.fetch(
        "SELECT name FROM scopes WHERE app_id = $1 AND resource_id = $2", app_id, resource_id
    )
    return [row["name"] for row in rows]


async def remove_from_clients(db: Db, *, app_id: str, names: list[str]) -> list[str]:
    """Removes those of the names that are no scope any more from all clients.

    Returns the client_id of each changed client.
    """
    rows = await db.fetch(
        """
        WITH deleted AS (
            SELECT n.name FROM unnest($2::text[]) n (name)
            WHERE NOT EXISTS (SELECT FROM scopes s WHERE s.app_id = $1 AND s.name = n.name)
        )
        UPDATE oauth_clients c SET updated_at = now(), scopes = ARRAY(
            SELECT listed.name FROM unnest(c.scopes) WITH ORDINALITY listed (name, place)
            WHERE listed.name NOT IN (SELECT name FROM deleted) ORDER BY listed.place)
        WHERE c.app_id = $1 AND c.scopes && ARRAY(SELECT name FROM deleted)
        RETURNING c.client_id
        """,
        app_id,
        names,
    )
    return [row["client_id"] for row in rows]

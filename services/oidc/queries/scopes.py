"""resources and scopes."""

from __future__ import annotations

from dataclasses import dataclass

from common.contracts.resources import Resource
from common.contracts.scopes import Scope
from common.db import Db, many, one, run


@dataclass(frozen=True, slots=True)
class ScopeRow:
    name: str
    resource: str | None
    description: str | None
    permission_id: str | None
    claims: list[str]


async def catalogue(db: Db, *, app_id: str) -> list[ScopeRow]:
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


async def resources(db: Db, *, app_id: str) -> list[Resource]:
    return await many(
        db,
        Resource,
        """
        SELECT id, identifier, name, access_token_lifetime, access_token_alg, created_at, updated_at
        FROM resources WHERE app_id = $1 ORDER BY created_at, id
        """,
        app_id,
    )


async def insert_resource(
    db: Db,
    *,
    app_id: str,
    id: str,
    identifier: str,
    name: str,
    access_token_lifetime: int | None,
    access_token_alg: str | None,
) -> Resource:
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


async def delete_resource(db: Db, *, app_id: str, id: str) -> bool:
    return await run(db, "DELETE FROM resources WHERE app_id = $1 AND id = $2", app_id, id) == 1


async def scopes(db: Db, *, app_id: str) -> list[Scope]:
    return await many(
        db,
        Scope,
        """
        SELECT id, name, description, resource_id, permission_id, claims, created_at
        FROM scopes WHERE app_id = $1 ORDER BY created_at, id
        """,
        app_id,
    )


async def insert_scope(
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


async def delete_scope(db: Db, *, app_id: str, id: str) -> str | None:
    """Returns the name of the deleted scope, or None if there is none."""
    row = await db.fetchrow(
        "DELETE FROM scopes WHERE app_id = $1 AND id = $2 RETURNING name", app_id, id
    )
    return None if row is None else str(row["name"])


async def of_resource(db: Db, *, app_id: str, resource_id: str) -> list[str]:
    rows = await db.fetch(
        "SELECT name FROM scopes WHERE app_id = $1 AND resource_id = $2", app_id, resource_id
    )
    return [row["name"] for row in rows]


async def take_from_clients(db: Db, *, app_id: str, names: list[str]) -> list[str]:
    """Takes scopes that no longer exist from all clients. Returns the changed clients."""
    rows = await db.fetch(
        """
        WITH gone AS (
            SELECT n.name FROM unnest($2::text[]) n (name)
            WHERE NOT EXISTS (SELECT FROM scopes s WHERE s.app_id = $1 AND s.name = n.name)
        )
        UPDATE oauth_clients c SET updated_at = now(), scopes = ARRAY(
            SELECT held.name FROM unnest(c.scopes) WITH ORDINALITY held (name, place)
            WHERE held.name NOT IN (SELECT name FROM gone) ORDER BY held.place)
        WHERE c.app_id = $1 AND c.scopes && ARRAY(SELECT name FROM gone)
        RETURNING c.client_id
        """,
        app_id,
        names,
    )
    return [row["client_id"] for row in rows]

"""What a template puts into an application; rows that are there already stay."""

from __future__ import annotations

from common.db import Db, run


async def permissions(db: Db, *, app_id: str, described: dict[str, str]) -> None:
    await run(
        db,
        """
        INSERT INTO permissions (app_id, id, name, resource, action, description, is_system)
        SELECT $1, made.id, made.id, split_part(made.id, ':', 1),
               substr(made.id, strpos(made.id, ':') + 1), made.description, true
        FROM unnest($2::text[], $3::text[]) AS made (id, description)
        ON CONFLICT DO NOTHING
        """,
        app_id,
        list(described),
        list(described.values()),
    )


async def roles(db: Db, *, app_id: str, described: dict[str, str]) -> None:
    await run(
        db,
        """
        INSERT INTO roles (app_id, id, name, description, is_system)
        SELECT $1, made.id, made.id, made.description, true
        FROM unnest($2::text[], $3::text[]) AS made (id, description)
        ON CONFLICT DO NOTHING
        """,
        app_id,
        list(described),
        list(described.values()),
    )


async def organization_roles(db: Db, *, app_id: str, described: dict[str, str]) -> None:
    await run(
        db,
        """
        INSERT INTO organization_roles (app_id, id, name, description, is_system)
        SELECT $1, made.id, made.id, made.description, true
        FROM unnest($2::text[], $3::text[]) AS made (id, description)
        ON CONFLICT DO NOTHING
        """,
        app_id,
        list(described),
        list(described.values()),
    )


async def mappings(db: Db, *, app_id: str, role_id: str, permissions: list[str]) -> None:
    await run(
        db,
        """
        INSERT INTO role_permissions (app_id, role_id, permission_id)
        SELECT $1, $2, held FROM unnest($3::text[]) AS held
        ON CONFLICT DO NOTHING
        """,
        app_id,
        role_id,
        permissions,
    )

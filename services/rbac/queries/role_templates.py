"""Inserts the roles and permissions of a template. Rows that exist stay as they are."""

from __future__ import annotations

from common.db import Db, run


async def insert_permissions(db: Db, *, app_id: str, descriptions: dict[str, str]) -> None:
    """Inserts built-in permissions: their ids and descriptions."""
    await run(
        db,
        """
        INSERT INTO permissions (app_id, id, name, resource, action, description, is_system)
        SELECT $1, new.id, new.id, split_part(new.id, ':', 1),
               substr(new.id, strpos(new.id, ':') + 1), new.description, true
        FROM unnest($2::text[], $3::text[]) AS new (id, description)
        ON CONFLICT DO NOTHING
        """,
        app_id,
        list(descriptions),
        list(descriptions.values()),
    )


async def insert_roles(db: Db, *, app_id: str, descriptions: dict[str, str]) -> None:
    """Inserts built-in roles of the application: their ids and descriptions."""
    await run(
        db,
        """
        INSERT INTO roles (app_id, id, name, description, is_system)
        SELECT $1, new.id, new.id, new.description, true
        FROM unnest($2::text[], $3::text[]) AS new (id, description)
        ON CONFLICT DO NOTHING
        """,
        app_id,
        list(descriptions),
        list(descriptions.values()),
    )


async def insert_organization_roles(db: Db, *, app_id: str, descriptions: dict[str, str]) -> None:
    """Inserts built-in organization roles: their ids and descriptions."""
    await run(
        db,
        """
        INSERT INTO organization_roles (app_id, id, name, description, is_system)
        SELECT $1, new.id, new.id, new.description, true
        FROM unnest($2::text[], $3::text[]) AS new (id, description)
        ON CONFLICT DO NOTHING
        """,
        app_id,
        list(descriptions),
        list(descriptions.values()),
    )

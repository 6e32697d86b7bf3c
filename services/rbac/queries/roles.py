"""Reads and writes roles: those of the application, and those of members of its organizations.

Both kinds have the same statements, on tables of their own: `STATEMENTS` says them once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, LiteralString

from common import keyset
from common.contracts.nats_subjects import NatsSubjects
from common.contracts.roles import Holder, Kind, Role
from common.db import Db, many, maybe, run


@dataclass(frozen=True, kw_only=True)
class Statements:
    """The statements of one kind of role."""

    by_id: LiteralString
    page: LiteralString
    lock: LiteralString
    insert: LiteralString
    update: LiteralString
    delete: LiteralString
    add_permissions: LiteralString
    remove_permissions: LiteralString


TABLES: Final[tuple[tuple[Kind, LiteralString, LiteralString], ...]] = (
    ("application", "roles", "role_permissions"),
    ("organization", "organization_roles", "organization_role_permissions"),
)
"""Each kind, the table of its roles, and the table of the permissions in them."""

STATEMENTS: Final = {
    kind: Statements(
        by_id=f"""
        SELECT r.id, r.name, r.description, r.is_system, r.created_at, r.updated_at, r.nats,
            ARRAY(
                SELECT p.name
                FROM {role_permissions} rp
                JOIN permissions p ON p.app_id = $1 AND p.id = rp.permission_id
                WHERE rp.app_id = $1 AND rp.role_id = r.id ORDER BY p.name
            ) AS permissions
        FROM {roles} r WHERE r.app_id = $1 AND r.id = $2
        """,
        page=f"""
        SELECT r.id, r.name, r.description, r.is_system, r.created_at, r.updated_at, r.nats,
            ARRAY(
                SELECT p.name
                FROM {role_permissions} rp
                JOIN permissions p ON p.app_id = $1 AND p.id = rp.permission_id
                WHERE rp.app_id = $1 AND rp.role_id = r.id ORDER BY p.name
            ) AS permissions
        FROM {roles} r WHERE r.app_id = $1 AND ($2::text IS NULL OR r.id > $2)
        ORDER BY r.id LIMIT $3
        """,
        lock=f"SELECT FROM {roles} WHERE app_id = $1 AND id = $2 FOR UPDATE",
        insert=f"""
        INSERT INTO {roles} (app_id, id, name, description, nats) VALUES ($1, $2, $3, $4, $5)
        """,
        update=f"""
        UPDATE {roles} SET name = $3, description = $4, nats = $5, updated_at = now()
        WHERE app_id = $1 AND id = $2
        """,
        delete=f"DELETE FROM {roles} WHERE app_id = $1 AND id = $2",
        add_permissions=f"""
        INSERT INTO {role_permissions} (app_id, role_id, permission_id)
        SELECT $1, $2, permission_id FROM unnest($3::text[]) AS permission_id
        ON CONFLICT DO NOTHING
        """,
        remove_permissions=f"""
        DELETE FROM {role_permissions}
        WHERE app_id = $1 AND role_id = $2 AND permission_id = ANY($3::text[])
        """,
    )
    for kind, roles, role_permissions in TABLES
}


async def by_id(db: Db, kind: Kind, *, app_id: str, id: str) -> Role | None:
    """Returns the role with its permissions, or None."""
    return await maybe(db, Role, STATEMENTS[kind].by_id, app_id, id)


async def page(db: Db, kind: Kind, *, app_id: str, after: str | None, limit: int) -> list[Role]:
    """Returns the roles after that id, by id."""
    return await many(db, Role, STATEMENTS[kind].page, app_id, after, limit)


async def lock(db: Db, kind: Kind, *, app_id: str, id: str) -> bool:
    """Locks the role, and so the list of its holders, until the transaction ends.

    Returns False if the role is missing.
    """
    return await run(db, STATEMENTS[kind].lock, app_id, id) == 1


async def insert(
    db: Db,
    kind: Kind,
    *,
    app_id: str,
    id: str,
    name: str,
    description: str | None,
    nats: NatsSubjects | None,
) -> None:
    """Adds a role without permissions. Raises UniqueViolationError if the id is in use."""
    await run(db, STATEMENTS[kind].insert, app_id, id, name, description, _json(nats))


async def update(
    db: Db,
    kind: Kind,
    *,
    app_id: str,
    id: str,
    name: str,
    description: str | None,
    nats: NatsSubjects | None,
) -> None:
    """Sets the name, the description, and what the role allows on NATS."""
    await run(db, STATEMENTS[kind].update, app_id, id, name, description, _json(nats))


def _json(nats: NatsSubjects | None) -> dict[str, Any] | None:
    return None if nats is None else nats.model_dump()


async def delete(db: Db, kind: Kind, *, app_id: str, id: str) -> None:
    """Deletes the role. Raises ForeignKeyViolationError while somebody has it."""
    await run(db, STATEMENTS[kind].delete, app_id, id)


async def add_permissions(
    db: Db, kind: Kind, *, app_id: str, id: str, permissions: list[str]
) -> None:
    """Adds permissions to the role; those it has already stay.

    Raises ForeignKeyViolationError for an unknown permission.
    """
    await run(db, STATEMENTS[kind].add_permissions, app_id, id, permissions)


async def remove_permissions(
    db: Db, kind: Kind, *, app_id: str, id: str, permissions: list[str]
) -> None:
    """Removes permissions from the role; unknown ones are ignored."""
    await run(db, STATEMENTS[kind].remove_permissions, app_id, id, permissions)


async def holders(
    db: Db, *, app_id: str, id: str, before: tuple[str | None, ...], limit: int
) -> list[Holder]:
    """Returns the users who have a role of the application, the latest grant first.

    `before` is granted_at, user_id and org_id of a row. The org_id is LOWEST_ID for a role that
    counts in the whole application.
    """
    granted_at, user_id, org_id = before
    return await many(
        db,
        Holder,
        """
        SELECT user_id, org_id, granted_by, granted_at FROM user_roles
        WHERE app_id = $1 AND role_id = $2
          AND (granted_at, user_id) <= ($3::timestamptz, $4::uuid)
          AND ((granted_at, user_id) < ($3, $4)
               OR coalesce(org_id, '00000000-0000-0000-0000-000000000000') < $5::uuid)
        ORDER BY granted_at DESC, user_id DESC,
            coalesce(org_id, '00000000-0000-0000-0000-000000000000') DESC
        LIMIT $6
        """,
        app_id,
        id,
        *keyset.backward(granted_at, user_id),
        org_id or keyset.HIGHEST_ID,
        limit,
    )

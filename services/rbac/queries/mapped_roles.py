"""Reads and writes the roles in user_roles that an identity provider gave."""

from __future__ import annotations

from dataclasses import dataclass

from common.db import Db, many, value


@dataclass(frozen=True)
class MappedRole:
    """A role that was given or taken."""

    role_id: str


async def insert(
    db: Db, *, app_id: str, user_id: str, granted_by: str, role_ids: list[str]
) -> list[MappedRole]:
    """Gives the user those of the roles that exist and that they do not have. Returns them. Raises
    ForeignKeyViolationError for an unknown user."""
    return await many(
        db,
        MappedRole,
        """
        INSERT INTO user_roles (app_id, user_id, role_id, granted_by)
        SELECT $1, $2, r.id, $3 FROM roles r WHERE r.app_id = $1 AND r.id = ANY($4::text[])
        ON CONFLICT DO NOTHING
        RETURNING role_id
        """,
        app_id,
        user_id,
        granted_by,
        role_ids,
    )


async def delete_others(
    db: Db, *, app_id: str, user_id: str, granted_by: str, role_ids: list[str]
) -> list[MappedRole]:
    """Takes from the user what the provider gave, except these roles. Returns what was taken."""
    return await many(
        db,
        MappedRole,
        """
        DELETE FROM user_roles
        WHERE app_id = $1 AND user_id = $2 AND granted_by = $3 AND org_id IS NULL
          AND role_id <> ALL($4::text[])
        RETURNING role_id
        """,
        app_id,
        user_id,
        granted_by,
        role_ids,
    )


async def has_other_holder(db: Db, *, app_id: str, role_id: str, user_id: str) -> bool:
    """Returns whether another enabled user has the role in the whole application."""
    return bool(
        await value(
            db,
            """
            SELECT EXISTS (
                SELECT FROM user_roles r JOIN users u ON u.app_id = $1 AND u.id = r.user_id
                WHERE r.app_id = $1 AND r.role_id = $2 AND r.org_id IS NULL AND r.user_id <> $3
                  AND NOT u.disabled
            )
            """,
            app_id,
            role_id,
            user_id,
        )
    )

"""Reads and writes the members of one organization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common import keyset
from common.address_keys import address_key
from common.contracts.members import Member
from common.db import Db, many, maybe, run, value

MEMBERS: Final = """
    m.user_id, u.email, u.name, u.picture, m.role_id AS role, m.created_at
    FROM organization_members m
    JOIN users u ON u.app_id = $1 AND u.id = m.user_id
    WHERE m.app_id = $1 AND m.org_id = $2"""
BY_ID: Final = f"SELECT {MEMBERS} AND m.user_id = $3"
PAGE: Final = f"""
    SELECT {MEMBERS}
      AND (m.created_at, m.user_id) > ($3::timestamptz, $4::uuid)
    ORDER BY m.created_at, m.user_id LIMIT $5
    """


async def by_id(db: Db, *, app_id: str, org_id: str, user_id: str) -> Member | None:
    """Returns the member, or None."""
    return await maybe(db, Member, BY_ID, app_id, org_id, user_id)


async def page(
    db: Db, *, app_id: str, org_id: str, after: tuple[str | None, str | None], limit: int
) -> list[Member]:
    """Returns the members after (created_at, user_id), those who joined first come first."""
    return await many(db, Member, PAGE, app_id, org_id, *keyset.forward(*after), limit)


async def insert(db: Db, *, app_id: str, org_id: str, user_id: str, role: str) -> bool:
    """Adds a member. Returns False if the user is a member already, with any role.

    Raises ForeignKeyViolationError for an unknown user or role.
    """
    return (
        await run(
            db,
            """
            INSERT INTO organization_members (app_id, org_id, user_id, role_id)
            VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
            """,
            app_id,
            org_id,
            user_id,
            role,
        )
        == 1
    )


async def update(db: Db, *, app_id: str, org_id: str, user_id: str, role: str) -> None:
    """Sets the member's role. Raises ForeignKeyViolationError for an unknown role."""
    await run(
        db,
        """
        UPDATE organization_members SET role_id = $4, updated_at = now()
        WHERE app_id = $1 AND org_id = $2 AND user_id = $3
        """,
        app_id,
        org_id,
        user_id,
        role,
    )


async def delete(db: Db, *, app_id: str, org_id: str, user_id: str) -> None:
    """Removes the member."""
    await run(
        db,
        "DELETE FROM organization_members WHERE app_id = $1 AND org_id = $2 AND user_id = $3",
        app_id,
        org_id,
        user_id,
    )


async def has_address(db: Db, *, app_id: str, org_id: str, email: str) -> bool:
    """Returns whether a member has this address."""
    return bool(
        await value(
            db,
            """
            SELECT EXISTS (
                SELECT FROM users u
                JOIN organization_members m
                    ON m.app_id = $1 AND m.org_id = $2 AND m.user_id = u.id
                WHERE u.app_id = $1 AND u.email_normalized = $3
            )
            """,
            app_id,
            org_id,
            address_key(email),
        )
    )


async def has_another_admin(db: Db, *, app_id: str, org_id: str, user_id: str) -> bool:
    """Returns whether an enabled user other than this one is an admin.

    While the organization's row is locked, the answer stays true.
    """
    return bool(
        await value(
            db,
            """
            SELECT EXISTS (
                SELECT FROM organization_members m
                JOIN users u ON u.app_id = $1 AND u.id = m.user_id AND NOT u.disabled
                WHERE m.app_id = $1 AND m.org_id = $2 AND m.role_id = 'admin' AND m.user_id <> $3
            )
            """,
            app_id,
            org_id,
            user_id,
        )
    )


@dataclass(frozen=True)
class NamedUser:
    """The address and name of a user, for mails and for the name of a team."""

    email: str | None
    name: str | None


async def named_user(db: Db, *, app_id: str, user_id: str) -> NamedUser | None:
    """Returns the user's address and name, or None."""
    return await maybe(
        db,
        NamedUser,
        "SELECT email, name FROM users WHERE app_id = $1 AND id = $2",
        app_id,
        user_id,
    )

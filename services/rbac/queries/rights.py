"""Reads effective rights.

Ids of roles and permissions are unique only inside an application, so every join compares the
`app_id` of each table.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.db import Db, one


@dataclass(frozen=True)
class EffectiveRights:
    """The roles and permissions that a user has now.

    `permissions` count in the whole application, `org_permissions` in the one organization.
    """

    roles: list[str]
    permissions: list[str]
    org_role: str | None
    org_permissions: list[str]
    teams: list[str]


async def effective(
    db: Db, *, app_id: str, user_id: str, org_id: str | None = None, teams: bool = False
) -> EffectiveRights:
    """Returns the user's rights in the application, and in `org_id` if it is given.

    In an organization, the member's role and the roles granted for that organization count. Its
    admin has the permissions of every organization role. Built-in permissions act on the whole
    application, so none comes from an organization. `teams` adds the ids of the user's
    organizations.
    """
    return await one(
        db,
        EffectiveRights,
        """
        SELECT
            ARRAY(
                SELECT ur.role_id FROM user_roles ur
                WHERE ur.app_id = $1 AND ur.user_id = $2 AND ur.org_id IS NULL
                ORDER BY ur.role_id
            ) AS roles,
            ARRAY(
                SELECT DISTINCT p.name
                FROM user_roles ur
                JOIN roles r ON r.app_id = $1 AND r.id = ur.role_id
                JOIN role_permissions rp ON rp.app_id = $1 AND rp.role_id = r.id
                JOIN permissions p ON p.app_id = $1 AND p.id = rp.permission_id
                WHERE ur.app_id = $1 AND ur.user_id = $2 AND ur.org_id IS NULL
                ORDER BY p.name
            ) AS permissions,
            (
                SELECT m.role_id FROM organization_members m
                WHERE m.app_id = $1 AND m.org_id = $3 AND m.user_id = $2
            ) AS org_role,
            ARRAY(
                SELECT p.name
                FROM organization_members m
                JOIN organization_role_permissions rp
                    ON rp.app_id = $1 AND (rp.role_id = m.role_id OR m.role_id = 'admin')
                JOIN permissions p ON p.app_id = $1 AND p.id = rp.permission_id
                WHERE m.app_id = $1 AND m.org_id = $3 AND m.user_id = $2 AND NOT p.is_system
                UNION
                SELECT p.name
                FROM user_roles ur
                JOIN roles r ON r.app_id = $1 AND r.id = ur.role_id
                JOIN role_permissions rp ON rp.app_id = $1 AND rp.role_id = r.id
                JOIN permissions p ON p.app_id = $1 AND p.id = rp.permission_id
                WHERE ur.app_id = $1 AND ur.user_id = $2 AND ur.org_id = $3 AND NOT p.is_system
                ORDER BY 1
            ) AS org_permissions,
            ARRAY(
                SELECT m.org_id FROM organization_members m
                WHERE m.app_id = $1 AND m.user_id = $2 AND $4::boolean
                ORDER BY m.org_id
            ) AS teams
        """,
        app_id,
        user_id,
        org_id,
        teams,
    )

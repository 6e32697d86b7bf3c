"""Reads what access checks need, for many questions in one statement.

Every join compares the `app_id` of each table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.contracts.access_check import Question
from common.db import Db, many


@dataclass(frozen=True)
class QuestionFacts:
    """The existing part of the n-th question: permission, user, membership."""

    n: int
    permission: bool
    user: bool
    disabled: bool
    member: bool


@dataclass(frozen=True)
class RoleGrant:
    """A role that gives the user the permission of the n-th question."""

    n: int
    role_id: str
    role: str
    via: Literal["application", "organization_role", "role_in_organization"]
    org_id: str | None


async def facts(
    db: Db, *, app_id: str, questions: list[Question], users: list[str]
) -> list[QuestionFacts]:
    """Returns the facts of each question, in order. `users` has the user of each question."""
    return await many(
        db,
        QuestionFacts,
        """
        SELECT q.n,
            EXISTS (
                SELECT FROM permissions p WHERE p.app_id = $1 AND p.id = q.permission
            ) AS permission,
            u.id IS NOT NULL AS user,
            coalesce(u.disabled, false) AS disabled,
            EXISTS (
                SELECT FROM organization_members m
                WHERE m.app_id = $1 AND m.org_id = q.org_id AND m.user_id = q.user_id
            ) AS member
        FROM unnest($2::uuid[], $3::text[], $4::uuid[]) WITH ORDINALITY
            AS q (user_id, permission, org_id, n)
        LEFT JOIN users u ON u.app_id = $1 AND u.id = q.user_id
        ORDER BY q.n
        """,
        app_id,
        users,
        [question.permission for question in questions],
        [question.org_id for question in questions],
    )


async def grants(
    db: Db, *, app_id: str, questions: list[Question], users: list[str]
) -> list[RoleGrant]:
    """Returns the roles that answer each question with yes.

    The rules are those of effective rights (queries/rights.py).
    """
    return await many(
        db,
        RoleGrant,
        """
        SELECT q.n, r.id AS role_id, r.name AS role,
            CASE WHEN ur.org_id IS NULL THEN 'application' ELSE 'role_in_organization' END AS via,
            ur.org_id
        FROM unnest($2::uuid[], $3::text[], $4::uuid[]) WITH ORDINALITY
            AS q (user_id, permission, org_id, n)
        JOIN permissions p ON p.app_id = $1 AND p.id = q.permission
        JOIN user_roles ur ON ur.app_id = $1 AND ur.user_id = q.user_id
            AND (ur.org_id IS NULL OR (ur.org_id = q.org_id AND NOT p.is_system))
        JOIN role_permissions rp
            ON rp.app_id = $1 AND rp.role_id = ur.role_id AND rp.permission_id = p.id
        JOIN roles r ON r.app_id = $1 AND r.id = ur.role_id
        UNION
        SELECT q.n, r.id, r.name, 'organization_role', m.org_id
        FROM unnest($2::uuid[], $3::text[], $4::uuid[]) WITH ORDINALITY
            AS q (user_id, permission, org_id, n)
        JOIN permissions p ON p.app_id = $1 AND p.id = q.permission AND NOT p.is_system
        JOIN organization_members m
            ON m.app_id = $1 AND m.org_id = q.org_id AND m.user_id = q.user_id
        JOIN organization_role_permissions rp ON rp.app_id = $1 AND rp.permission_id = p.id
            AND (rp.role_id = m.role_id OR m.role_id = 'admin')
        JOIN organization_roles r ON r.app_id = $1 AND r.id = m.role_id
        ORDER BY 1, 4, 2
        """,
        app_id,
        users,
        [question.permission for question in questions],
        [question.org_id for question in questions],
    )

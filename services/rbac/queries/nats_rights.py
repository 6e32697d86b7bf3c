"""Reads what the roles of a user, or those that name a client, allow on NATS."""

from __future__ import annotations

from common.contracts.base import Contract
from common.contracts.nats_subjects import NatsSubjects
from common.db import Db, many, value


class NatsSubjectsOfRole(Contract):
    """The subjects of one role."""

    nats: NatsSubjects


async def is_member(db: Db, *, app_id: str, user_id: str, org_id: str) -> bool:
    """Returns whether the user belongs to the organization now."""
    return bool(
        await value(
            db,
            """
        SELECT EXISTS (
            SELECT FROM organization_members
            WHERE app_id = $1 AND org_id = $2 AND user_id = $3
        )
        """,
            app_id,
            org_id,
            user_id,
        )
    )


async def of_user(db: Db, *, app_id: str, user_id: str, org_id: str | None) -> list[NatsSubjects]:
    """Returns what each role of the user allows, with those in the organization. The rules are those of
    effective rights (queries/rights.py)."""
    rows = await many(
        db,
        NatsSubjectsOfRole,
        """
        SELECT r.nats
        FROM user_roles ur
        JOIN roles r ON r.app_id = $1 AND r.id = ur.role_id AND r.nats IS NOT NULL
        WHERE ur.app_id = $1 AND ur.user_id = $2 AND ur.org_id IS NULL
        UNION ALL
        SELECT r.nats
        FROM user_roles ur
        JOIN roles r ON r.app_id = $1 AND r.id = ur.role_id AND r.nats IS NOT NULL
        WHERE ur.app_id = $1 AND ur.user_id = $2 AND ur.org_id = $3
        UNION ALL
        SELECT r.nats
        FROM organization_members m
        JOIN organization_roles r ON r.app_id = $1 AND r.nats IS NOT NULL
            AND (r.id = m.role_id OR m.role_id = 'admin')
        WHERE m.app_id = $1 AND m.org_id = $3 AND m.user_id = $2
        """,
        app_id,
        user_id,
        org_id,
    )
    return [row.nats for row in rows]


async def of_client(db: Db, *, app_id: str, client_id: str) -> list[NatsSubjects]:
    """Returns what each role of the application allows that names the client."""
    rows = await many(
        db,
        NatsSubjectsOfRole,
        "SELECT nats FROM roles WHERE app_id = $1 AND nats -> 'clients' ? $2",
        app_id,
        client_id,
    )
    return [row.nats for row in rows]

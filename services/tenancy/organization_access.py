"""Decides what a caller may do with an organization.

Admins of an organization manage it, and its members see it. Callers with `organizations:read` or
`organizations:write` in the application see or manage all of them. For all others, the organization
does not exist.

The organizations of the Dashboard are the developer teams. They also need `teams:read` or
`teams:write`, which a read-only team member lacks.
"""

from __future__ import annotations

from typing import Literal

from common.context import Context
from common.contracts.organizations import Organization, OrganizationNotFound
from common.contracts.sign_in import SsoRequired
from common.db import Db
from common.ids import DASHBOARD
from common.problems import Forbidden
from tenancy.queries import organizations
from tenancy.queries.organizations import OrganizationRow

ADMIN = "admin"
DEVELOPER = "developer"
"""In a team: may change its applications, but not its members."""
MEMBER = "member"


def has_all(ctx: Context, access: Literal["read", "write"]) -> bool:
    """Returns whether the caller may do this with every organization of the application."""
    return ctx.caller.may(f"organizations:{access}")


def default_role(ctx: Context) -> str:
    """Returns the role of an invitation that names none."""
    return DEVELOPER if ctx.app_id == DASHBOARD else MEMBER


def check_teams(ctx: Context, access: Literal["read", "write"]) -> None:
    """Raises Forbidden in the Dashboard, if the caller lacks the right for teams."""
    needs = f"teams:{access}"
    if ctx.app_id == DASHBOARD and not ctx.caller.may(needs) and not has_all(ctx, access):
        raise Forbidden(f"requires {needs}", needs=needs)


async def visible(db: Db, ctx: Context, org_id: str) -> OrganizationRow:
    """Returns the organization. Raises Forbidden, and OrganizationNotFound if it is not visible.

    If the organization requires its own provider, its members act there only in a session in which
    it is active. Raises SsoRequired in every other session.
    """
    check_teams(ctx, "read")
    row = await organizations.by_id(db, app_id=ctx.app_id, id=org_id, user_id=ctx.caller.user_id)
    if row is None or (row.role is None and not has_all(ctx, "read")):
        raise OrganizationNotFound
    if row.sso_required and not has_all(ctx, "read") and ctx.caller.org_id != row.id:
        raise SsoRequired
    return row


async def visible_to_admin(db: Db, ctx: Context, org_id: str) -> OrganizationRow:
    """Returns the organization. Its members see less: invitations and domains are for admins.

    Raises OrganizationNotFound, and Forbidden if the caller is no admin.
    """
    row = await visible(db, ctx, org_id)
    if row.role != ADMIN and not has_all(ctx, "read"):
        raise Forbidden("only an admin of the organization may do this")
    return row


async def managed(tx: Db, ctx: Context, org_id: str) -> OrganizationRow:
    """Returns the organization, locked against other changes of its members' roles.

    Raises OrganizationNotFound, and Forbidden if the caller sees it but may not manage it.
    """
    check_teams(ctx, "write")
    await organizations.lock(tx, app_id=ctx.app_id, id=org_id)
    row = await visible(tx, ctx, org_id)
    if row.role != ADMIN and not has_all(ctx, "write"):
        raise Forbidden("only an admin of the organization may do this")
    return row


def to_organization(ctx: Context, row: OrganizationRow) -> Organization:
    """Returns the organization as the caller may see it."""
    return Organization(
        id=row.id,
        slug=row.slug,
        name=row.name,
        logo_url=row.logo_url,
        is_personal=row.is_personal,
        sso_required=row.sso_required,
        public_metadata=row.public_metadata,
        private_metadata=row.private_metadata if has_all(ctx, "read") else None,
        role=row.role,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )

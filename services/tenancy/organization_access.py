"""What a caller may do with an organization.

Its own admins manage it; its members see it; whoever holds `organizations:read` or
`organizations:write` in the application sees or manages all of them. For everybody else it is
not there. Developer teams, the organizations of the Dashboard, ask besides for `teams:read` or
`teams:write`, which a read-only team member lacks.
"""

from __future__ import annotations

from typing import Literal

from common.context import Context
from common.contracts.organizations import OrganizationNotFound
from common.db import Db
from common.ids import DASHBOARD
from common.problems import Forbidden
from tenancy.queries import organizations
from tenancy.queries.organizations import Row

ADMIN = "admin"
DEVELOPER = "developer"
"""In a team: changes its applications, not its members."""
MEMBER = "member"


def oversees(ctx: Context, access: Literal["read", "write"]) -> bool:
    return ctx.caller.may(f"organizations:{access}")


def invited_as(ctx: Context) -> str:
    """The role of whoever is invited without one."""
    return DEVELOPER if ctx.app_id == DASHBOARD else MEMBER


def kind_allowed(ctx: Context, access: Literal["read", "write"]) -> None:
    """Raises Forbidden."""
    needs = f"teams:{access}"
    if ctx.app_id == DASHBOARD and not ctx.caller.may(needs) and not oversees(ctx, access):
        raise Forbidden(f"requires {needs}", needs=needs)


async def seen(db: Db, ctx: Context, org_id: str) -> Row:
    """Raises OrganizationNotFound where it is not there for the caller."""
    kind_allowed(ctx, "read")
    row = await organizations.by_id(db, app_id=ctx.app_id, id=org_id, user_id=ctx.caller.user_id)
    if row is None or (row.role is None and not oversees(ctx, "read")):
        raise OrganizationNotFound
    return row


async def managed(tx: Db, ctx: Context, org_id: str) -> Row:
    """The organization, locked against other changes of its members' roles. Raises
    OrganizationNotFound; Forbidden where the caller sees it but is no admin."""
    kind_allowed(ctx, "write")
    await organizations.lock(tx, app_id=ctx.app_id, id=org_id)
    row = await seen(tx, ctx, org_id)
    if row.role != ADMIN and not oversees(ctx, "write"):
        raise Forbidden("only an admin of the organization may do this")
    return row

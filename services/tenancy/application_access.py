"""Which application a caller may manage: the second of the two layers of authorization.

The first, the kind of action, is the contract's `needs`. From the Dashboard it holds for the
applications of the caller's teams, and for any with `apps:read:all` or `apps:write:all`. Changes
ask for a role in the team besides: the lesser of Dashboard role and team role counts.
On an application's own behalf (its secret key, a developer already acting in it) only for itself.
Missing and forbidden look alike.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from common.context import Context
from common.contracts.applications import ApplicationNotFound
from common.db import Db
from common.ids import DASHBOARD
from common.problems import Forbidden
from tenancy import organization_access
from tenancy.queries import applications, members
from tenancy.queries.applications import Row

BYPASS: Final = {"read": "apps:read:all", "write": "apps:write:all"}
Access = Literal["read", "write"]
WRITERS: Final = frozenset({organization_access.ADMIN, organization_access.DEVELOPER})
"""Team roles that change applications. Every other role reads."""


async def find(db: Db, ctx: Context, slug: str, access: Access) -> Row:
    """The application, if it is the caller's. Raises ApplicationNotFound, Forbidden."""
    return await check(db, ctx, await applications.by_slug(db, slug=slug), access)


async def check(db: Db, ctx: Context, row: Row | None, access: Access) -> Row:
    """Raises ApplicationNotFound; Forbidden where the caller's role in the team reads only."""
    if row is None or not owns(ctx, row, access):
        raise ApplicationNotFound
    if access == "write" and not await writes(db, ctx, row):
        raise reads_only()
    return row


async def writes(db: Db, ctx: Context, row: Row) -> bool:
    """Whether the caller may change the application, as far as team and team role decide."""
    who = ctx.caller
    if not owns(ctx, row, "write"):
        return False
    if ctx.app_id != DASHBOARD or who.kind == "system" or who.may(BYPASS["write"]):
        return True
    return row.owner_org_id in await writable_teams(db, ctx)


async def writable_teams(db: Db, ctx: Context) -> frozenset[str]:
    """Teams whose applications the caller may change. A role counts as it is now."""
    who = ctx.caller
    if ctx.app_id != DASHBOARD or who.id is None or not who.teams:
        return frozenset()
    roles = await members.roles_of(db, app_id=ctx.app_id, user_id=who.id)
    return who.teams & {each.org_id for each in roles if each.role in WRITERS}


def reads_only() -> Forbidden:
    return Forbidden("requires the role admin or developer in the team")


def owns(ctx: Context, row: Row, access: Access) -> bool:
    who = ctx.caller
    if row.state == "deleting":
        return False
    if who.kind == "system":
        return True
    if ctx.app_id != DASHBOARD:
        return row.id == ctx.app_id and who.kind in ("secret_key", "developer")
    return row.owner_org_id in who.teams or who.may(BYPASS[access])


def bypasses(ctx: Context, row: Row) -> bool:
    """Whether the caller gets in as an operator and not as a member of the team."""
    return (
        ctx.app_id == DASHBOARD
        and ctx.caller.kind != "system"
        and row.owner_org_id not in ctx.caller.teams
    )


def inside(ctx: Context, app_id: str) -> Context:
    """The caller as he acts in the application: a developer, who is no user there."""
    who = ctx.caller
    if ctx.app_id == app_id:
        return ctx
    kind = "developer" if who.kind == "user" else who.kind
    return ctx.of(app_id).by(replace(who, kind=kind, session_id=None, org_id=None))


def from_dashboard(ctx: Context) -> None:
    """Raises Forbidden: a right of the same name in another application means nothing here."""
    if ctx.app_id != DASHBOARD:
        raise Forbidden("only in the Dashboard")

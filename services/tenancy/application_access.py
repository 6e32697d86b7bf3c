"""Decides which applications a caller may manage.

There are two layers, and both must allow a call. The contract's `needs` decides on the kind of
action. This module decides on the application:

- From the Dashboard, a caller manages the applications of their teams. With `apps:read:all` or
  `apps:write:all`, they manage all. A change also takes a writing role in the team, so the lesser of
  the Dashboard role and the team role counts.
- The Dashboard itself is managed by operators alone: who manages an application has every permission
  in it, and in the Dashboard that makes operators.
- In the application itself, its secret key and a developer who works in it manage that application
  alone.

An application that does not exist and one that the caller may not see give the same answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from common.context import Context
from common.contracts.applications import ApplicationNotFound
from common.contracts.step_up import SecondFactorNeeded
from common.db import Db
from common.ids import DASHBOARD
from common.operator_rules import OPERATES
from common.problems import Forbidden
from tenancy import organization_access
from tenancy.queries import applications, memberships
from tenancy.queries.applications import ApplicationRow

ALL_APPLICATIONS: Final = {"read": "apps:read:all", "write": "apps:write:all"}
"""The permission for the applications of every team."""
Access = Literal["read", "write"]
WRITERS: Final = frozenset({organization_access.ADMIN, organization_access.DEVELOPER})
"""Team roles that may change applications. Every other role may read them."""


async def get(db: Db, ctx: Context, slug: str, access: Access) -> ApplicationRow:
    """Returns the application. Raises ApplicationNotFound, Forbidden."""
    return await check(db, ctx, await applications.by_slug(db, slug=slug), access)


async def get_for_update(tx: Db, ctx: Context, slug: str) -> ApplicationRow:
    """Returns the application, locked until the transaction ends.

    Raises ApplicationNotFound, Forbidden if the caller may not change it.
    """
    return await check(tx, ctx, await applications.by_slug_for_update(tx, slug=slug), "write")


async def check(db: Db, ctx: Context, row: ApplicationRow | None, access: Access) -> ApplicationRow:
    """Returns the row.

    Raises ApplicationNotFound, Forbidden if the caller's role in the team may only read, and
    SecondFactorNeeded for an operator who has to show one before they see other teams' applications.
    """
    if row is not None and ctx.caller.lacks_factor and is_operator_access(ctx, row):
        raise SecondFactorNeeded
    if row is None or not manages(ctx, row, access):
        raise ApplicationNotFound
    if access == "write" and not await may_write(db, ctx, row):
        raise read_only_role()
    return row


async def may_write(db: Db, ctx: Context, row: ApplicationRow) -> bool:
    """Returns whether the team and the caller's role in it allow changes of the application."""
    caller = ctx.caller
    if not manages(ctx, row, "write"):
        return False
    if ctx.app_id != DASHBOARD or caller.kind == "system" or caller.may(ALL_APPLICATIONS["write"]):
        return True
    return row.owner_org_id in await writable_teams(db, ctx)


async def writable_teams(db: Db, ctx: Context) -> frozenset[str]:
    """Returns the teams whose applications the caller may change, by their roles at this moment."""
    caller = ctx.caller
    if ctx.app_id != DASHBOARD or caller.id is None or not caller.teams:
        return frozenset()
    roles = await memberships.roles_of_user(db, app_id=ctx.app_id, user_id=caller.id)
    return caller.teams & {each.org_id for each in roles if each.role in WRITERS}


def read_only_role() -> Forbidden:
    """Returns the Problem for a team role that may only read."""
    return Forbidden("requires the role admin or developer in the team")


def manages(ctx: Context, row: ApplicationRow, access: Access) -> bool:
    """Returns whether the application exists for the caller."""
    caller = ctx.caller
    if row.state == "deleting":
        return False
    if caller.kind == "system":
        return True
    if ctx.app_id != DASHBOARD:
        return row.id == ctx.app_id and caller.kind in ("secret_key", "developer")
    if row.id == DASHBOARD and not caller.may(OPERATES):
        return False
    return row.owner_org_id in caller.teams or caller.may(ALL_APPLICATIONS[access])


def is_operator_access(ctx: Context, row: ApplicationRow) -> bool:
    """Returns whether the caller has access as an operator, and not as a member of the team."""
    return (
        ctx.app_id == DASHBOARD
        and ctx.caller.kind != "system"
        and row.owner_org_id not in ctx.caller.teams
    )


def inside(ctx: Context, app_id: str, home: str) -> Context:
    """Returns the context in the application. A user of the Dashboard is a developer there."""
    caller = ctx.caller
    if ctx.app_id == app_id:
        return ctx
    kind = "developer" if caller.kind == "user" else caller.kind
    return ctx.with_application(app_id, home).with_caller(
        replace(caller, kind=kind, session_id=None, org_id=None)
    )


def check_dashboard(ctx: Context) -> None:
    """Raises Forbidden outside the Dashboard.

    An application may have permissions of the same names, which mean nothing here.
    """
    if ctx.app_id != DASHBOARD:
        raise Forbidden("only in the Dashboard")

"""A user who is about to be deleted leaves his organizations, and leaves them in order."""

from __future__ import annotations

from typing import Any

import asyncpg

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.members import LastAdmin, LeaveOrganizations
from common.contracts.organizations import TeamOwnsApplications
from common.db import Db
from common.events.organizations import MemberRemoved, OrgAdminLost, OrgDeleted
from tenancy import organization_access
from tenancy.deps import Deps
from tenancy.queries import members, organizations
from tenancy.queries.members import Membership


async def leave_all(deps: Deps, ctx: Context, request: LeaveOrganizations) -> Done:
    try:
        async with deps.db.transaction(ctx) as tx:
            await members.lock_all(tx, app_id=ctx.app_id, user_id=request.user_id)
            held = await members.of_user(tx, app_id=ctx.app_id, user_id=request.user_id)
            if not request.forced:
                _in_order(held)
            await members.delete_all(tx, app_id=ctx.app_id, user_id=request.user_id)
            gone = [each for each in held if await _left(tx, ctx, request.user_id, each)]
    except asyncpg.ForeignKeyViolationError:  # the personal team got an application just now
        raise TeamOwnsApplications from None
    for each in gone:
        await deps.invalidation.publish(ctx, "organization", each.org_id)
    if held:
        await deps.invalidation.publish(ctx, "rights", request.user_id)
    return Done()


def _in_order(memberships: list[Membership]) -> None:
    """Raises LastAdmin, TeamOwnsApplications."""
    bereft = [each for each in memberships if _leads_alone(each) and each.others]
    if bereft:
        raise LastAdmin(
            f"{_names(bereft)}: make somebody else admin first", organizations=_named(bereft)
        )
    orphaned = [each for each in memberships if each.owns_applications and not each.others]
    if orphaned:
        raise TeamOwnsApplications(
            f"{_names(orphaned)}: transfer or delete the applications first",
            organizations=_named(orphaned),
        )


async def _left(tx: Db, ctx: Context, user_id: str, each: Membership) -> bool:
    """Say what became of the organization. True where it went with him."""
    event = MemberRemoved(org_id=each.org_id, user_id=user_id)
    await audit.record(tx, ctx, event, user_id=user_id)
    if each.is_personal and not each.others and not each.owns_applications:
        await organizations.delete(tx, app_id=ctx.app_id, id=each.org_id)
        await audit.record(tx, ctx, OrgDeleted(org_id=each.org_id, slug=each.slug))
        return True
    if _leads_alone(each):
        lost = OrgAdminLost(org_id=each.org_id, user_id=user_id)
        await audit.record(tx, ctx, lost, user_id=user_id)
    return False


def _leads_alone(each: Membership) -> bool:
    return each.role == organization_access.ADMIN and not each.another_admin


def _names(memberships: list[Membership]) -> str:
    return ", ".join(each.name for each in memberships)


def _named(memberships: list[Membership]) -> list[dict[str, Any]]:
    return [{"id": each.org_id, "name": each.name} for each in memberships]

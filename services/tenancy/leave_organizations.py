"""Handles the departure of a user who is to be deleted from all organizations."""

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
from tenancy.queries import memberships, organizations
from tenancy.queries.memberships import Membership


async def leave_all(deps: Deps, ctx: Context, request: LeaveOrganizations) -> Done:
    """Removes the user from all organizations, and deletes the personal team if it is empty.

    Raises LastAdmin and TeamOwnsApplications, each with the organizations; with `forced`, only
    TeamOwnsApplications.
    """
    user_id = request.user_id
    try:
        async with deps.db.transaction(ctx) as tx:
            await memberships.lock_of_user(tx, app_id=ctx.app_id, user_id=user_id)
            before = await memberships.of_user(tx, app_id=ctx.app_id, user_id=user_id)
            if not request.forced:
                _check(before)
            await memberships.delete_of_user(tx, app_id=ctx.app_id, user_id=user_id)
            deleted = [each for each in before if await _after_leaving(tx, ctx, user_id, each)]
    except asyncpg.ForeignKeyViolationError:  # the personal team got an application just now
        raise TeamOwnsApplications from None
    for each in deleted:
        await deps.invalidation.publish(ctx, "organization", each.org_id)
    if before:
        await deps.invalidation.publish(ctx, "rights", user_id)
    return Done()


def _check(memberships: list[Membership]) -> None:
    """Raises LastAdmin, TeamOwnsApplications."""
    without_admin = [each for each in memberships if _is_only_admin(each) and each.others]
    if without_admin:
        raise LastAdmin(
            f"{_names(without_admin)}: make somebody else admin first",
            organizations=_ids_and_names(without_admin),
        )
    without_owner = [each for each in memberships if each.owns_applications and not each.others]
    if without_owner:
        raise TeamOwnsApplications(
            f"{_names(without_owner)}: transfer or delete the applications first",
            organizations=_ids_and_names(without_owner),
        )


async def _after_leaving(tx: Db, ctx: Context, user_id: str, each: Membership) -> bool:
    """Records what became of the organization. Returns whether it was deleted with the user."""
    event = MemberRemoved(org_id=each.org_id, user_id=user_id)
    await audit.record(tx, ctx, event, user_id=user_id)
    if each.is_personal and not each.others and not each.owns_applications:
        await organizations.delete(tx, app_id=ctx.app_id, id=each.org_id)
        await audit.record(tx, ctx, OrgDeleted(org_id=each.org_id, slug=each.slug))
        return True
    if _is_only_admin(each):
        lost = OrgAdminLost(org_id=each.org_id, user_id=user_id)
        await audit.record(tx, ctx, lost, user_id=user_id)
    return False


def _is_only_admin(each: Membership) -> bool:
    return each.role == organization_access.ADMIN and not each.another_admin


def _names(memberships: list[Membership]) -> str:
    return ", ".join(each.name for each in memberships)


def _ids_and_names(memberships: list[Membership]) -> list[dict[str, Any]]:
    """Returns the organizations for the error's extension member `organizations`."""
    return [{"id": each.org_id, "name": each.name} for each in memberships]

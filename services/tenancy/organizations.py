"""Handles organizations: reading, changing and deleting them, and which one is active."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from common import audit, conditions
from common.context import Context
from common.contracts.base import Done
from common.contracts.organizations import (
    DeleteOrganization,
    GetOrganization,
    ListOrganizations,
    Organization,
    OrganizationNotFound,
    Organizations,
    OrgSlugTaken,
    PersonalTeam,
    SwitchOrganization,
    TeamOwnsApplications,
    UpdateOrganization,
)
from common.contracts.sessions import (
    ActivateOrganization,
    EndUnqualifiedSessions,
    SignedInSession,
)
from common.db import Db
from common.events.organizations import OrgActivated, OrgDeleted, OrgUpdated
from common.problems import Forbidden, Unauthenticated
from common.same_json import same_json
from tenancy import organization_access
from tenancy.deps import Deps
from tenancy.name_search import searched_words
from tenancy.organization_access import to_organization
from tenancy.queries import organizations
from tenancy.queries.organizations import OrganizationRow

FOR_ADMINISTRATORS: Final = {"private_metadata", "sso_required"}
"""The fields that only administrators of the application change."""


async def list_(deps: Deps, ctx: Context, request: ListOrganizations) -> Organizations:
    """Returns a page of the caller's organizations, or with `all` of all in the application.

    A caller who is no user gets all of them. Raises Forbidden without `organizations:read`.
    """
    organization_access.check_teams(ctx, "read")
    user_id = ctx.caller.user_id
    if not request.all and user_id is not None:
        return await _page_of_user(deps, ctx, request, user_id)
    if not organization_access.has_all(ctx, "read"):
        raise Forbidden("requires organizations:read", needs="organizations:read")
    if request.search and request.search.strip():
        return await _search(deps, ctx, request)
    of = f"organizations True {request.search or ''}"
    (after,) = deps.cursors.read(ctx.app_id, of, request.cursor, 1)
    async with deps.db.reader(ctx) as db:
        rows = await organizations.page(
            db, app_id=ctx.app_id, user_id=user_id, after=after, limit=request.limit + 1
        )
    page, next = deps.cursors.page(ctx.app_id, of, rows, request.limit, key=lambda row: (row.id,))
    return Organizations(organizations=[to_organization(ctx, row) for row in page], next=next)


async def _page_of_user(
    deps: Deps, ctx: Context, request: ListOrganizations, user_id: str
) -> Organizations:
    of = f"organizations False {request.search or ''}"
    (after,) = deps.cursors.read(ctx.app_id, of, request.cursor, 1)
    is_search = bool((request.search or "").strip())
    async with deps.db.reader(ctx) as db:
        words = await searched_words(db, request.search)
        if is_search and not words:  # punctuation only
            return Organizations(organizations=[])
        rows = await organizations.page_of_user(
            db,
            app_id=ctx.app_id,
            user_id=user_id,
            words=words,
            after=after,
            limit=request.limit + 1,
        )
    page, next = deps.cursors.page(ctx.app_id, of, rows, request.limit, key=lambda row: (row.id,))
    return Organizations(organizations=[to_organization(ctx, row) for row in page], next=next)


async def _search(deps: Deps, ctx: Context, request: ListOrganizations) -> Organizations:
    """Returns a page of all organizations with the words of the search."""
    text = (request.search or "").strip()
    of = f"organizations by name {text}"
    key, id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    async with deps.db.reader(ctx) as db:
        words = await searched_words(db, text)
        if not words:  # punctuation only
            return Organizations(organizations=[])
        rows = await organizations.search(
            db,
            app_id=ctx.app_id,
            user_id=ctx.caller.user_id,
            words=words,
            after=(key, id),
            limit=request.limit + 1,
        )
    page, next = deps.cursors.page(
        ctx.app_id, of, rows, request.limit, key=lambda row: (row.key, row.id)
    )
    return Organizations(organizations=[to_organization(ctx, row) for row in page], next=next)


async def get(deps: Deps, ctx: Context, request: GetOrganization) -> Organization:
    """Returns the organization. Raises OrganizationNotFound, Forbidden."""
    async with deps.db.reader(ctx) as db:
        row = await organization_access.visible(db, ctx, request.org_id)
    return to_organization(ctx, row)


async def update(deps: Deps, ctx: Context, request: UpdateOrganization) -> Organization:
    """Changes the fields that the request contains.

    Raises OrganizationNotFound, Forbidden, OrgSlugTaken.
    """
    fields = request.changes.model_fields_set
    if fields & FOR_ADMINISTRATORS and not organization_access.has_all(ctx, "write"):
        raise Forbidden("requires organizations:write", needs="organizations:write")
    try:
        async with deps.db.transaction(ctx) as tx:
            changed = await _update(tx, ctx, request)
    except asyncpg.UniqueViolationError:
        raise OrgSlugTaken(f"{request.changes.slug} is already in use") from None
    await deps.invalidation.publish(ctx, "organization", request.org_id)
    if "sso_required" in fields and changed.sso_required:
        # Also if nothing was changed: after an error here, the same request tries again.
        await deps.bus.call(ctx.as_system(), EndUnqualifiedSessions(org_id=request.org_id))
    return to_organization(ctx, changed)


async def _update(tx: Db, ctx: Context, request: UpdateOrganization) -> OrganizationRow:
    """Writes the changes, and returns the organization after them."""
    await organizations.lock(tx, app_id=ctx.app_id, id=request.org_id)
    row = await organization_access.managed(tx, ctx, request.org_id)
    conditions.check(to_organization(ctx, row))
    after = _fields_after(row, request)
    fields = [name for name, value in after.items() if not same_json(value, getattr(row, name))]
    if not fields:
        return row
    await organizations.update(tx, app_id=ctx.app_id, id=row.id, **after)
    await audit.record(tx, ctx, OrgUpdated(org_id=row.id, fields=sorted(fields)))
    changed = await organizations.by_id(
        tx, app_id=ctx.app_id, id=row.id, user_id=ctx.caller.user_id
    )
    if changed is None:
        raise OrganizationNotFound
    return changed


def _fields_after(row: OrganizationRow, request: UpdateOrganization) -> dict[str, Any]:
    """Returns the fields of the row as the request changes them."""
    changes, fields = request.changes, request.changes.model_fields_set
    metadata = {
        name: (getattr(changes, name) or {}) if name in fields else getattr(row, name)
        for name in ("public_metadata", "private_metadata")
    }
    return {
        "slug": changes.slug or row.slug,
        "name": changes.name or row.name,
        "logo_url": changes.logo_url if "logo_url" in fields else row.logo_url,
        "sso_required": changes.sso_required if "sso_required" in fields else row.sso_required,
        **metadata,
    }


async def delete(deps: Deps, ctx: Context, request: DeleteOrganization) -> Done:
    """Deletes the organization.

    Raises OrganizationNotFound, Forbidden, PersonalTeam, TeamOwnsApplications.
    """
    try:
        async with deps.db.transaction(ctx) as tx:
            row = await organization_access.managed(tx, ctx, request.org_id)
            conditions.check(to_organization(ctx, row))
            if row.is_personal:
                raise PersonalTeam
            await organizations.delete(tx, app_id=ctx.app_id, id=row.id)
            await audit.record(tx, ctx, OrgDeleted(org_id=row.id, slug=row.slug))
    except asyncpg.ForeignKeyViolationError:
        raise TeamOwnsApplications from None
    await deps.invalidation.publish(ctx, "organization", request.org_id)
    await deps.invalidation.publish(ctx, "rights")  # every member's
    return Done()


async def switch(deps: Deps, ctx: Context, request: SwitchOrganization) -> SignedInSession:
    """Makes an organization, or none, the active one of the caller's session.

    identity changes the session, and checks the membership once more in its own statement. Raises
    Unauthenticated, OrganizationNotFound, SsoRequired.
    """
    caller = ctx.caller
    if caller.user_id is None or caller.session_id is None:
        raise Unauthenticated("only a session of this application has an active organization")
    if request.org_id is not None:
        async with deps.db.reader(ctx) as db:
            row = await organizations.by_id(
                db, app_id=ctx.app_id, id=request.org_id, user_id=caller.user_id
            )
        if row is None or row.role is None:
            raise OrganizationNotFound
    session = await deps.bus.call(
        ctx.as_system(), ActivateOrganization(session_id=caller.session_id, org_id=request.org_id)
    )
    async with deps.db.transaction(ctx) as tx:
        await audit.record(tx, ctx, OrgActivated(org_id=request.org_id))
    return session

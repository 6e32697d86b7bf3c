"""Organizations: making, finding, changing and removing them, and which one is active."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator
from typing import Any

import asyncpg

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.fields import LINK
from common.contracts.organizations import (
    CreateOrganization,
    DeleteOrganization,
    EnsurePersonalTeam,
    GetOrganization,
    ListOrganizations,
    NoOrganizationsHere,
    Organization,
    OrganizationNotFound,
    Organizations,
    OrgSlugTaken,
    PersonalTeam,
    SwitchOrganization,
    TeamOwnsApplications,
    UpdateOrganization,
)
from common.contracts.sessions import ActivateOrganization, SignedInSession
from common.contracts.tenants import GetTenant
from common.contracts.users import UserNotFound
from common.db import Db
from common.events.organizations import (
    MemberAdded,
    OrgActivated,
    OrgCreated,
    OrgDeleted,
    OrgUpdated,
)
from common.ids import DASHBOARD, new_id
from common.problems import Conflict, Forbidden, Unauthenticated
from common.same_json import same_json
from tenancy import organization_access, tenants
from tenancy.deps import Deps
from tenancy.queries import members, organizations
from tenancy.queries.organizations import Row

PERSONAL = "Personal team"


async def create(deps: Deps, ctx: Context, new: CreateOrganization) -> Organization:
    admin = await _first_admin(deps, ctx, new)
    id = new_id()
    try:
        async with deps.db.transaction(ctx) as tx:
            slug = await _insert(tx, ctx, id, new)
            await audit.record(tx, ctx, OrgCreated(org_id=id, slug=slug))
            if admin is not None:
                await _join_first(tx, ctx, id, admin)
            made = await _row(tx, ctx, id)
    except asyncpg.ForeignKeyViolationError:
        raise UserNotFound from None
    if admin is not None:
        await deps.invalidation.publish(ctx, "rights", admin)
    return shown(ctx, made)


async def personal(deps: Deps, ctx: Context, request: EnsurePersonalTeam) -> Organization:
    if ctx.app_id != DASHBOARD:
        raise Conflict("personal teams are for developers, in the Dashboard")
    async with deps.db.transaction(ctx) as tx:
        person = await members.person(tx, app_id=ctx.app_id, user_id=request.user_id)
        if person is None:
            raise UserNotFound
        name = request.name or person.name
        name = f"{name[:93]}'s team" if name and not LINK.search(name) else PERSONAL
        id = new_id()
        for slug in slugs(name, certain=False):
            if await organizations.insert(
                tx,
                app_id=ctx.app_id,
                id=id,
                slug=slug,
                name=name,
                is_personal=True,
                created_by=request.user_id,
            ):
                await audit.record(
                    tx,
                    ctx,
                    OrgCreated(org_id=id, slug=slug, is_personal=True),
                    user_id=request.user_id,
                )
                await _join_first(tx, ctx, id, request.user_id)
            found = await organizations.personal(tx, app_id=ctx.app_id, user_id=request.user_id)
            if found is not None:
                break
        else:
            raise OrgSlugTaken
    if found.id == id:
        await deps.invalidation.publish(ctx, "rights", request.user_id)
    return shown(ctx, found)


async def list_(deps: Deps, ctx: Context, request: ListOrganizations) -> Organizations:
    organization_access.kind_allowed(ctx, "read")
    user_id = ctx.caller.user_id
    everyone = request.all or user_id is None
    if everyone and not organization_access.oversees(ctx, "read"):
        raise Forbidden("requires organizations:read", needs="organizations:read")
    if everyone and request.search and request.search.strip():
        return await _matching(deps, ctx, request)
    of = f"organizations {everyone} {request.search or ''}"
    (after,) = deps.cursors.read(ctx.app_id, of, request.cursor, 1)
    limit = request.limit + 1
    async with deps.db.reading(ctx) as db:
        if everyone:
            rows = await organizations.page(
                db, app_id=ctx.app_id, user_id=user_id, after=after, limit=limit
            )
        else:
            assert user_id is not None
            text = (request.search or "").strip()
            prefix = await organizations.name_key(db, text=text) if text else ""
            rows = await organizations.mine(
                db, app_id=ctx.app_id, user_id=user_id, prefix=prefix, after=after, limit=limit
            )
    page, next = deps.cursors.page(ctx.app_id, of, rows, request.limit, key=lambda row: (row.id,))
    return Organizations(organizations=[shown(ctx, row) for row in page], next=next)


async def _matching(deps: Deps, ctx: Context, request: ListOrganizations) -> Organizations:
    """Returns a page of all organizations whose slug or name begins with the search."""
    text = (request.search or "").strip()
    kind = f"organizations by name {text}"
    key, id = deps.cursors.read(ctx.app_id, kind, request.cursor, 2)
    async with deps.db.reading(ctx) as db:
        prefix = await organizations.name_key(db, text=text)
        if not prefix:  # punctuation only
            return Organizations(organizations=[])
        rows = await organizations.matching(
            db,
            app_id=ctx.app_id,
            user_id=ctx.caller.user_id,
            prefix=prefix,
            after=(key, id),
            limit=request.limit + 1,
        )
    page, next = deps.cursors.page(
        ctx.app_id, kind, rows, request.limit, key=lambda row: (row.key, row.id)
    )
    return Organizations(organizations=[shown(ctx, row) for row in page], next=next)


async def get(deps: Deps, ctx: Context, request: GetOrganization) -> Organization:
    async with deps.db.reading(ctx) as db:
        return shown(ctx, await organization_access.seen(db, ctx, request.org_id))


async def update(deps: Deps, ctx: Context, request: UpdateOrganization) -> Organization:
    changes, sent = request.changes, request.changes.model_fields_set
    if "private_metadata" in sent and not organization_access.oversees(ctx, "write"):
        raise Forbidden("requires organizations:write", needs="organizations:write")
    try:
        async with deps.db.transaction(ctx) as tx:
            await organizations.lock(tx, app_id=ctx.app_id, id=request.org_id)
            row = await organization_access.managed(tx, ctx, request.org_id)
            wanted: dict[str, Any] = {
                "slug": changes.slug or row.slug,
                "name": changes.name or row.name,
                "logo_url": changes.logo_url if "logo_url" in sent else row.logo_url,
                "public_metadata": (
                    changes.public_metadata or {}
                    if "public_metadata" in sent
                    else row.public_metadata
                ),
                "private_metadata": (
                    changes.private_metadata or {}
                    if "private_metadata" in sent
                    else row.private_metadata
                ),
            }
            if same_json(wanted, {name: getattr(row, name) for name in wanted}):
                return shown(ctx, row)
            await organizations.update(tx, app_id=ctx.app_id, id=row.id, **wanted)
            await audit.record(tx, ctx, OrgUpdated(org_id=row.id, fields=sorted(sent)))
            changed = await _row(tx, ctx, row.id)
    except asyncpg.UniqueViolationError:
        raise OrgSlugTaken(f"{changes.slug} is already in use") from None
    await deps.invalidation.publish(ctx, "organization", request.org_id)
    return shown(ctx, changed)


async def delete(deps: Deps, ctx: Context, request: DeleteOrganization) -> Done:
    try:
        async with deps.db.transaction(ctx) as tx:
            row = await organization_access.managed(tx, ctx, request.org_id)
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
    """identity changes the session, and asks the membership again in its own statement."""
    who = ctx.caller
    if who.user_id is None or who.session_id is None:
        raise Unauthenticated("only a session of this application has an active organization")
    if request.org_id is not None:
        async with deps.db.reading(ctx) as db:
            row = await organizations.by_id(
                db, app_id=ctx.app_id, id=request.org_id, user_id=who.user_id
            )
        if row is None or row.role is None:
            raise OrganizationNotFound
    begun = await deps.bus.call(
        ctx.as_system(), ActivateOrganization(session_id=who.session_id, org_id=request.org_id)
    )
    async with deps.db.transaction(ctx) as tx:
        await audit.record(tx, ctx, OrgActivated(org_id=request.org_id))
    return begun


async def _first_admin(deps: Deps, ctx: Context, new: CreateOrganization) -> str | None:
    """Who becomes admin. Raises Forbidden, NoOrganizationsHere."""
    if organization_access.oversees(ctx, "write"):
        return new.admin_user_id or ctx.caller.user_id
    user_id = ctx.caller.user_id
    if user_id is None or new.admin_user_id not in (None, user_id) or new.private_metadata:
        raise Forbidden("requires organizations:write", needs="organizations:write")
    organization_access.kind_allowed(ctx, "write")
    if ctx.app_id != DASHBOARD:
        tenant = await tenants.get(deps, ctx, GetTenant())
        if not tenant.settings.organizations_by_users:
            raise NoOrganizationsHere
    return user_id


async def _insert(tx: Db, ctx: Context, id: str, new: CreateOrganization) -> str:
    for slug in slugs(new.name) if new.slug is None else (new.slug,):
        if await organizations.insert(
            tx,
            app_id=ctx.app_id,
            id=id,
            slug=slug,
            name=new.name,
            logo_url=new.logo_url,
            created_by=ctx.caller.user_id,
            public_metadata=new.public_metadata,
            private_metadata=new.private_metadata,
        ):
            return slug
    raise OrgSlugTaken(f"{new.slug} is already in use" if new.slug else "")


async def _join_first(tx: Db, ctx: Context, org_id: str, user_id: str) -> None:
    await members.insert(
        tx, app_id=ctx.app_id, org_id=org_id, user_id=user_id, role=organization_access.ADMIN
    )
    event = MemberAdded(
        org_id=org_id, user_id=user_id, role=organization_access.ADMIN, by="creation"
    )
    await audit.record(tx, ctx, event, user_id=user_id)


async def _row(tx: Db, ctx: Context, id: str) -> Row:
    row = await organizations.by_id(tx, app_id=ctx.app_id, id=id, user_id=ctx.caller.user_id)
    if row is None:
        raise OrganizationNotFound
    return row


def slugs(name: str, *, certain: bool = True) -> Iterator[str]:
    """`Ada & Co` gives `ada-co`, then `ada-co-k3f9`, …; where not `certain`, never the bare one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).lstrip("-0123456789")[:50].strip("-") or "team"
    if certain and len(base) >= 3:
        yield base
    for _ in range(8):
        yield f"{base}-{secrets.token_hex(3)}"


def shown(ctx: Context, row: Row) -> Organization:
    return Organization(
        id=row.id,
        slug=row.slug,
        name=row.name,
        logo_url=row.logo_url,
        is_personal=row.is_personal,
        public_metadata=row.public_metadata,
        private_metadata=row.private_metadata
        if organization_access.oversees(ctx, "read")
        else None,
        role=row.role,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )

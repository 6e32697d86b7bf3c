"""E-mail domains: whoever proves one lets people with an address there join by themselves."""

from __future__ import annotations

import secrets

import asyncpg

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.org_domains import (
    AddOrganizationDomain,
    DeleteOrganizationDomain,
    DomainNotFound,
    DomainNotProven,
    DomainTaken,
    ListOrganizationDomains,
    OrganizationDomain,
    OrganizationDomains,
    UpdateOrganizationDomain,
    VerifyOrganizationDomain,
)
from common.db import Db
from common.events.organizations import (
    OrgDomainAdded,
    OrgDomainRemoved,
    OrgDomainUpdated,
    OrgDomainVerified,
)
from common.ids import new_id
from common.problems import Forbidden
from tenancy import organization_access
from tenancy.deps import Deps
from tenancy.members import missing
from tenancy.queries import org_domains, organizations
from tenancy.queries.org_domains import Row

LABEL = "_aero2-challenge"
MOST = 50
"""Domains of one organization."""


async def add(deps: Deps, ctx: Context, new: AddOrganizationDomain) -> OrganizationDomain:
    id = new_id()
    try:
        async with deps.db.transaction(ctx) as tx:
            org = await organization_access.managed(tx, ctx, new.org_id)
            if len(await org_domains.of(tx, app_id=ctx.app_id, org_id=org.id)) >= MOST:
                raise Forbidden(f"an organization has at most {MOST} domains")
            if not await org_domains.insert(
                tx,
                app_id=ctx.app_id,
                id=id,
                org_id=org.id,
                domain=new.domain,
                token=secrets.token_hex(20),
                auto_join=new.auto_join,
                role=new.role,
            ):
                raise DomainTaken
            await audit.record(tx, ctx, OrgDomainAdded(org_id=org.id, domain=new.domain))
            return _shown(await _found(tx, ctx, org.id, id))
    except asyncpg.ForeignKeyViolationError as error:
        raise missing(error) from None


async def list_(deps: Deps, ctx: Context, request: ListOrganizationDomains) -> OrganizationDomains:
    async with deps.db.reading(ctx) as db:
        org = await organization_access.seen(db, ctx, request.org_id)
        if org.role != organization_access.ADMIN and not organization_access.oversees(ctx, "read"):
            raise Forbidden("only an admin of the organization may do this")
        rows = await org_domains.of(db, app_id=ctx.app_id, org_id=org.id)
    return OrganizationDomains(domains=[_shown(row) for row in rows])


async def verify(deps: Deps, ctx: Context, request: VerifyOrganizationDomain) -> OrganizationDomain:
    """The question to the name servers is asked outside any transaction."""
    async with deps.db.transaction(ctx) as tx:
        org = await organization_access.managed(tx, ctx, request.org_id)
        row = await _found(tx, ctx, org.id, request.domain_id)
    if row.verified_at is not None:
        return _shown(row)
    wanted = _shown(row)
    if wanted.record_value not in await deps.dns.txt(wanted.record_name):
        raise DomainNotProven(expected=wanted.record_value, at=wanted.record_name)
    try:
        async with deps.db.transaction(ctx) as tx:
            org = await organization_access.managed(tx, ctx, request.org_id)
            row = await _found(tx, ctx, org.id, request.domain_id)
            if row.verified_at is None:
                await org_domains.prove(tx, app_id=ctx.app_id, id=row.id)
                await audit.record(tx, ctx, OrgDomainVerified(org_id=org.id, domain=row.domain))
            return _shown(await _found(tx, ctx, org.id, row.id))
    except asyncpg.UniqueViolationError:
        raise DomainTaken from None


async def update(deps: Deps, ctx: Context, request: UpdateOrganizationDomain) -> OrganizationDomain:
    changes, sent = request.changes, request.changes.model_fields_set
    try:
        async with deps.db.transaction(ctx) as tx:
            await organizations.lock(tx, app_id=ctx.app_id, id=request.org_id)
            org = await organization_access.managed(tx, ctx, request.org_id)
            row = await _found(tx, ctx, org.id, request.domain_id)
            auto_join = changes.auto_join if "auto_join" in sent else row.auto_join
            role = changes.role if "role" in sent else row.role
            if (auto_join, role) == (row.auto_join, row.role):
                return _shown(row)
            await org_domains.update(
                tx, app_id=ctx.app_id, id=row.id, auto_join=auto_join, role=role
            )
            event = OrgDomainUpdated(
                org_id=org.id, domain=row.domain, fields=sorted(changes.model_fields_set)
            )
            await audit.record(tx, ctx, event)
            return _shown(await _found(tx, ctx, org.id, row.id))
    except asyncpg.ForeignKeyViolationError as error:
        raise missing(error) from None


async def delete(deps: Deps, ctx: Context, request: DeleteOrganizationDomain) -> Done:
    async with deps.db.transaction(ctx) as tx:
        org = await organization_access.managed(tx, ctx, request.org_id)
        row = await _found(tx, ctx, org.id, request.domain_id)
        await org_domains.delete(tx, app_id=ctx.app_id, id=row.id)
        await audit.record(tx, ctx, OrgDomainRemoved(org_id=org.id, domain=row.domain))
    return Done()


async def _found(db: Db, ctx: Context, org_id: str, id: str) -> Row:
    row = await org_domains.by_id(db, app_id=ctx.app_id, org_id=org_id, id=id)
    if row is None:
        raise DomainNotFound
    return row


def _shown(row: Row) -> OrganizationDomain:
    return OrganizationDomain(
        id=row.id,
        org_id=row.org_id,
        domain=row.domain,
        record_name=f"{LABEL}.{row.domain}",
        record_value=f"aero2-verification={row.verification_token}",
        verified_at=row.verified_at,
        auto_join=row.auto_join,
        role=row.role,
        created_at=row.created_at,
    )

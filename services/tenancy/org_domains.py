"""Handles e-mail domains of organizations.

An organization that proves a domain may let people with an address there join by themselves.
"""

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
from tenancy.members import unknown_reference
from tenancy.queries import org_domains, organizations
from tenancy.queries.org_domains import OrgDomainRow

LIMIT = 50
"""Domains of one organization."""
LABEL = "_aero2-challenge"
MARK = "aero2-verification="


async def create(deps: Deps, ctx: Context, request: AddOrganizationDomain) -> OrganizationDomain:
    """Adds a domain that is to be proven.

    Raises OrganizationNotFound, Forbidden, DomainTaken, RoleNotFound.
    """
    id = new_id()
    try:
        async with deps.db.transaction(ctx) as tx:
            org = await organization_access.managed(tx, ctx, request.org_id)
            rows = await org_domains.of_organization(tx, app_id=ctx.app_id, org_id=org.id)
            if len(rows) >= LIMIT:
                raise Forbidden(f"an organization has at most {LIMIT} domains")
            if not await org_domains.insert(
                tx,
                app_id=ctx.app_id,
                id=id,
                org_id=org.id,
                domain=request.domain,
                token=secrets.token_hex(20),
                auto_join=request.auto_join,
                role=request.role,
            ):
                raise DomainTaken
            await audit.record(tx, ctx, OrgDomainAdded(org_id=org.id, domain=request.domain))
            return _to_domain(await _row(tx, ctx, org.id, id))
    except asyncpg.ForeignKeyViolationError as error:
        raise unknown_reference(error) from None


async def list_(deps: Deps, ctx: Context, request: ListOrganizationDomains) -> OrganizationDomains:
    """Returns the organization's domains. Raises OrganizationNotFound, Forbidden."""
    async with deps.db.reader(ctx) as db:
        org = await organization_access.visible_to_admin(db, ctx, request.org_id)
        rows = await org_domains.of_organization(db, app_id=ctx.app_id, org_id=org.id)
    return OrganizationDomains(domains=[_to_domain(row) for row in rows])


async def verify(deps: Deps, ctx: Context, request: VerifyOrganizationDomain) -> OrganizationDomain:
    """Looks the proof up in the DNS, outside any transaction.

    Raises OrganizationNotFound, Forbidden, DomainNotFound, DomainNotProven, DomainTaken,
    Unavailable.
    """
    async with deps.db.transaction(ctx) as tx:
        org = await organization_access.managed(tx, ctx, request.org_id)
        row = await _row(tx, ctx, org.id, request.domain_id)
    domain = _to_domain(row)
    if row.verified_at is not None and row.missing_since is None:
        return domain
    if domain.record_value not in await deps.dns.txt(domain.record_name):
        raise DomainNotProven(expected=domain.record_value, at=domain.record_name)
    try:
        async with deps.db.transaction(ctx) as tx:
            org = await organization_access.managed(tx, ctx, request.org_id)
            row = await _row(tx, ctx, org.id, request.domain_id)
            if row.verified_at is None or row.missing_since is not None:
                await org_domains.set_verified(tx, app_id=ctx.app_id, id=row.id)
            if row.verified_at is None:
                await audit.record(tx, ctx, OrgDomainVerified(org_id=org.id, domain=row.domain))
            return _to_domain(await _row(tx, ctx, org.id, row.id))
    except asyncpg.UniqueViolationError:
        raise DomainTaken from None


async def update(deps: Deps, ctx: Context, request: UpdateOrganizationDomain) -> OrganizationDomain:
    """Changes the fields that the request contains.

    Raises OrganizationNotFound, Forbidden, DomainNotFound, RoleNotFound.
    """
    changes, fields = request.changes, request.changes.model_fields_set
    try:
        async with deps.db.transaction(ctx) as tx:
            await organizations.lock(tx, app_id=ctx.app_id, id=request.org_id)
            org = await organization_access.managed(tx, ctx, request.org_id)
            row = await _row(tx, ctx, org.id, request.domain_id)
            auto_join = changes.auto_join if "auto_join" in fields else row.auto_join
            role = changes.role if "role" in fields else row.role
            if (auto_join, role) == (row.auto_join, row.role):
                return _to_domain(row)
            await org_domains.update(
                tx, app_id=ctx.app_id, id=row.id, auto_join=auto_join, role=role
            )
            event = OrgDomainUpdated(org_id=org.id, domain=row.domain, fields=sorted(fields))
            await audit.record(tx, ctx, event)
            return _to_domain(await _row(tx, ctx, org.id, row.id))
    except asyncpg.ForeignKeyViolationError as error:
        raise unknown_reference(error) from None


async def delete(deps: Deps, ctx: Context, request: DeleteOrganizationDomain) -> Done:
    """Deletes the domain. Raises OrganizationNotFound, Forbidden, DomainNotFound."""
    async with deps.db.transaction(ctx) as tx:
        org = await organization_access.managed(tx, ctx, request.org_id)
        row = await _row(tx, ctx, org.id, request.domain_id)
        await org_domains.delete(tx, app_id=ctx.app_id, id=row.id)
        await audit.record(tx, ctx, OrgDomainRemoved(org_id=org.id, domain=row.domain))
    return Done()


async def _row(db: Db, ctx: Context, org_id: str, id: str) -> OrgDomainRow:
    row = await org_domains.by_id(db, app_id=ctx.app_id, org_id=org_id, id=id)
    if row is None:
        raise DomainNotFound
    return row


def _to_domain(row: OrgDomainRow) -> OrganizationDomain:
    """Returns the domain with the DNS record that proves it."""
    return OrganizationDomain(
        id=row.id,
        org_id=row.org_id,
        domain=row.domain,
        record_name=f"{LABEL}.{row.domain}",
        record_value=f"{MARK}{row.verification_token}",
        verified_at=row.verified_at,
        missing_since=row.missing_since,
        auto_join=row.auto_join,
        role=row.role,
        created_at=row.created_at,
    )

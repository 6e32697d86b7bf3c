"""Handles custom domains.

Any application may add a domain. It belongs to the one that proves control of it in the DNS.
"""

from __future__ import annotations

from typing import Final

import asyncpg

from common import audit
from common.address_keys import host_key
from common.context import Context
from common.contracts.applications import ApplicationNotFound
from common.contracts.base import Done
from common.contracts.domains import (
    AddCustomDomain,
    CustomDomain,
    CustomDomainNotFound,
    CustomDomainNotVerified,
    CustomDomains,
    CustomDomainTaken,
    DnsRecord,
    IsDomainAllowed,
    ListCustomDomains,
    RemoveCustomDomain,
    SetPrimaryDomain,
    TooManyCustomDomains,
    VerifyCustomDomain,
)
from common.contracts.tenants import UnknownHost
from common.db import Db
from common.db_errors import violated_constraint
from common.events.domains import (
    CustomDomainAdded,
    CustomDomainMadePrimary,
    CustomDomainRemoved,
    CustomDomainVerified,
)
from common.field_errors import field_error
from common.ids import new_id
from common.problems import Invalid
from tenancy import certificates, domain_loss, domain_proof
from tenancy.deps import Deps
from tenancy.domain_proof import MARK, PREFIX
from tenancy.queries import applications, domains
from tenancy.queries.domains import CustomDomainRow

LIMIT: Final = 10
"""Custom domains of one application."""
ONE_OWNER: Final = "custom_domains_verified_domain_key"


async def list_(deps: Deps, ctx: Context, _: ListCustomDomains) -> CustomDomains:
    """Returns the application's domains, the oldest first. Raises ApplicationNotFound."""
    async with deps.registry.reader(ctx) as db:
        target = await _target(deps, db, ctx)
        rows = await domains.of_application(db, app_id=ctx.app_id)
    return CustomDomains(domains=[_to_domain(row, target) for row in rows])


async def create(deps: Deps, ctx: Context, request: AddCustomDomain) -> CustomDomain:
    """Adds a domain that is to be verified; a domain that is there already is returned.

    Raises Invalid for the platform's own domain, TooManyCustomDomains, ApplicationNotFound.
    """
    if deps.hosts.is_ours(request.domain):
        raise Invalid(errors=[field_error("domain", "domain_of_the_platform")])
    id = new_id()
    async with deps.registry.transaction(ctx) as tx:
        target = await _target(deps, tx, ctx)
        row = await domains.insert(
            tx,
            app_id=ctx.app_id,
            id=id,
            domain=request.domain,
            verification_token=domain_proof.new_token(),
        )
        if row.id == id:
            if await domains.count(tx, app_id=ctx.app_id) > LIMIT:
                raise TooManyCustomDomains
            await audit.record(tx, ctx, CustomDomainAdded(domain_id=row.id, domain=row.domain))
    return _to_domain(row, target)


async def verify(deps: Deps, ctx: Context, request: VerifyCustomDomain) -> CustomDomain:
    """Looks the DNS records up, and makes the application answer at the domain once both are there.

    Raises CustomDomainNotFound, CustomDomainTaken, Unavailable if the DNS does not answer.
    """
    async with deps.registry.reader(ctx) as db:
        target = await _target(deps, db, ctx)
        row = await _row(db, ctx, request.id)
    proof = await domain_proof.look_up(deps.dns, row.domain, row.verification_token, target)
    if proof.complete and row.verified_at is None:
        await domain_loss.release_if_unproven(deps, ctx, row.domain)
    try:
        async with deps.registry.transaction(ctx) as tx:
            await domain_proof.store(tx, row, proof, target)
            is_new = proof.complete and await domains.set_verified(tx, app_id=ctx.app_id, id=row.id)
            if is_new:
                event = CustomDomainVerified(domain_id=row.id, domain=row.domain)
                await audit.record(tx, ctx, event)
    except asyncpg.UniqueViolationError as error:
        if violated_constraint(error) != ONE_OWNER:
            raise
        raise CustomDomainTaken from None
    if is_new:
        await deps.invalidation.publish(ctx, "application", ctx.app_id)
        await certificates.try_order(deps, ctx, row.id)
    async with deps.registry.reader(ctx) as db:
        return _to_domain(await _row(db, ctx, row.id), target)


async def set_primary(deps: Deps, ctx: Context, request: SetPrimaryDomain) -> CustomDomains:
    """Makes a verified domain the primary one, or with null the host of the slug.

    Raises CustomDomainNotFound, CustomDomainNotVerified.
    """
    async with deps.registry.transaction(ctx) as tx:
        row = None if request.id is None else await _row(tx, ctx, request.id)
        if row is not None and row.verified_at is None:
            raise CustomDomainNotVerified
        await domains.set_primary(tx, app_id=ctx.app_id, id=request.id)
        await domains.copy_primary(tx, app_id=ctx.app_id)
        await audit.record(tx, ctx, CustomDomainMadePrimary(domain=row.domain if row else None))
    await deps.invalidation.publish(ctx, "application", ctx.app_id)
    return await list_(deps, ctx, ListCustomDomains())


async def delete(deps: Deps, ctx: Context, request: RemoveCustomDomain) -> Done:
    """Deletes the domain, at Cloudflare first: only the row says what is left there.

    Raises CustomDomainNotFound, Unavailable.
    """
    async with deps.registry.reader(ctx) as db:
        row = await _row(db, ctx, request.id)
    await certificates.cancel(deps, row)
    async with deps.registry.transaction(ctx) as tx:
        if await domains.delete(tx, app_id=ctx.app_id, id=row.id) is None:
            raise CustomDomainNotFound
        await domains.copy_primary(tx, app_id=ctx.app_id)
        await audit.record(tx, ctx, CustomDomainRemoved(domain_id=row.id, domain=row.domain))
    await deps.invalidation.publish(ctx, "application", ctx.app_id)
    return Done()


async def check_allowed(deps: Deps, ctx: Context, request: IsDomainAllowed) -> Done:
    """Checks that an active application answers at this name. Raises UnknownHost.

    The proxy asks this before it requests a certificate. So unverified domains and unknown names
    get none.
    """
    name = host_key(request.domain)
    host = name + deps.hosts.port
    slug = deps.hosts.slug(host)
    if host == f"api.{deps.hosts.domain}":
        slug = "dashboard"  # this host exists as long as the platform does
    async with deps.registry.reader(ctx) as db:
        if slug is not None:
            row = await applications.by_slug(db, slug=slug)
        else:
            row = await applications.by_domain(db, domain=name)
    if row is None or row.state != "active":
        raise UnknownHost
    return Done()


async def _row(db: Db, ctx: Context, id: str) -> CustomDomainRow:
    row = await domains.by_id(db, app_id=ctx.app_id, id=id)
    if row is None:
        raise CustomDomainNotFound
    return row


async def _target(deps: Deps, db: Db, ctx: Context) -> str:
    """Returns where the domain's CNAME must lead: the host of the application's slug."""
    application = await applications.by_id(db, id=ctx.app_id)
    if application is None:
        raise ApplicationNotFound
    return deps.hosts.name_of(application.slug)


def _to_domain(row: CustomDomainRow, target: str) -> CustomDomain:
    """Returns the domain with the DNS records that prove it."""
    return CustomDomain(
        id=row.id,
        domain=row.domain,
        verified=row.verified_at is not None,
        primary=row.is_primary,
        records=[
            DnsRecord(
                type="TXT",
                name=PREFIX + row.domain,
                value=MARK + row.verification_token,
                ok=row.txt_ok,
            ),
            DnsRecord(type="CNAME", name=row.domain, value=target, ok=row.cname_ok),
        ],
        checked_at=row.checked_at,
        problem=row.last_error,
        certificate_status=row.certificate_status,
        created_at=row.created_at,
    )

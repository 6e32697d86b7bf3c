"""Custom domains: claimed by anybody, held by whoever proves them in the DNS."""

from __future__ import annotations

import secrets
from typing import Final

import asyncpg

from common import audit, logs
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
    CustomDomainLost,
    CustomDomainMadePrimary,
    CustomDomainRemoved,
    CustomDomainVerified,
)
from common.field_errors import field_error
from common.ids import new_id
from common.problems import Invalid, Problem, Unavailable
from tenancy import certificates, dns_proof
from tenancy.deps import Deps
from tenancy.dns_proof import MARK, PREFIX, Proof
from tenancy.queries import applications, domains
from tenancy.queries.domains import Row

log = logs.get(__name__)

LIMIT: Final = 10
"""CustomDomains of one application."""
ONE_OWNER: Final = "custom_domains_verified_domain_key"


async def list_(deps: Deps, ctx: Context, _: ListCustomDomains) -> CustomDomains:
    async with deps.db.reading(ctx) as db:
        target = await _target(deps, db, ctx)
        rows = await domains.all_of(db, app_id=ctx.app_id)
    return CustomDomains(domains=[_shown(row, target) for row in rows])


async def add(deps: Deps, ctx: Context, request: AddCustomDomain) -> CustomDomain:
    if deps.hosts.is_ours(request.domain):
        raise Invalid(errors=[field_error("domain", "domain_of_the_platform")])
    made = new_id()
    async with deps.db.transaction(ctx) as tx:
        target = await _target(deps, tx, ctx)
        row = await domains.insert(
            tx, app_id=ctx.app_id, id=made, domain=request.domain, verification_token=_token()
        )
        if row.id == made:
            if await domains.count(tx, app_id=ctx.app_id) > LIMIT:
                raise TooManyCustomDomains
            await audit.record(tx, ctx, CustomDomainAdded(domain_id=row.id, domain=row.domain))
    return _shown(row, target)


async def verify(deps: Deps, ctx: Context, request: VerifyCustomDomain) -> CustomDomain:
    async with deps.db.reading(ctx) as db:
        target = await _target(deps, db, ctx)
        row = await _row(db, ctx, request.id)
    proof = await dns_proof.look(deps.dns, row.domain, row.verification_token, target)
    if proof.complete and row.verified_at is None:
        await _dispossess(deps, ctx, row.domain)
    try:
        async with deps.db.transaction(ctx) as tx:
            await saw(tx, row, proof, target)
            now = proof.complete and await domains.verified(tx, app_id=ctx.app_id, id=row.id)
            if now:
                await audit.record(
                    tx, ctx, CustomDomainVerified(domain_id=row.id, domain=row.domain)
                )
    except asyncpg.UniqueViolationError as error:
        if violated_constraint(error) != ONE_OWNER:
            raise
        raise CustomDomainTaken from None
    if now:
        await deps.invalidation.publish(ctx, "application", ctx.app_id)
        await certificates.order_quietly(deps, ctx, row.id)
    async with deps.db.reading(ctx) as db:
        return _shown(await _row(db, ctx, row.id), target)


async def promote(deps: Deps, ctx: Context, request: SetPrimaryDomain) -> CustomDomains:
    async with deps.db.transaction(ctx) as tx:
        row = None if request.id is None else await _row(tx, ctx, request.id)
        if row is not None and row.verified_at is None:
            raise CustomDomainNotVerified
        await domains.set_primary(tx, app_id=ctx.app_id, id=request.id)
        await domains.follow_primary(tx, app_id=ctx.app_id)
        await audit.record(tx, ctx, CustomDomainMadePrimary(domain=row.domain if row else None))
    await deps.invalidation.publish(ctx, "application", ctx.app_id)
    return await list_(deps, ctx, ListCustomDomains())


async def remove(deps: Deps, ctx: Context, request: RemoveCustomDomain) -> Done:
    """The edge network first: a row that is gone could not tell what is left there."""
    async with deps.db.reading(ctx) as db:
        row = await _row(db, ctx, request.id)
    await certificates.cancel(deps, row)
    async with deps.db.transaction(ctx) as tx:
        if await domains.delete(tx, app_id=ctx.app_id, id=row.id) is None:
            raise CustomDomainNotFound
        await domains.follow_primary(tx, app_id=ctx.app_id)
        await audit.record(tx, ctx, CustomDomainRemoved(domain_id=row.id, domain=row.domain))
    await deps.invalidation.publish(ctx, "application", ctx.app_id)
    return Done()


async def allow(deps: Deps, ctx: Context, request: IsDomainAllowed) -> Done:
    """Asked before every new certificate: none before the proof, none for made-up names."""
    name = host_key(request.domain)
    host = name + deps.hosts.port
    slug = deps.hosts.slug(host)
    if host == f"api.{deps.hosts.domain}":
        slug = "dashboard"  # it stands and falls with the platform
    async with deps.db.reading(ctx) as db:
        if slug is not None:
            found = await applications.by_slug(db, slug=slug)
        else:
            found = await applications.by_domain(db, domain=name)
    if found is None or found.state != "active":
        raise UnknownHost
    return Done()


async def saw(tx: Db, row: Row, proof: Proof, target: str) -> None:
    """Keep what the DNS said just now."""
    await domains.checked(
        tx,
        app_id=row.app_id,
        id=row.id,
        txt_ok=proof.txt,
        cname_ok=proof.cname,
        last_error=proof.missing(row.domain, target),
    )


async def lose(deps: Deps, ctx: Context, row: Row) -> None:
    """The proof is gone: the application of the context answers on this domain no more."""
    async with deps.db.transaction(ctx) as tx:
        if not await domains.lost(tx, app_id=row.app_id, id=row.id, verification_token=_token()):
            return
        await domains.follow_primary(tx, app_id=row.app_id)
        await audit.record(tx, ctx, CustomDomainLost(domain_id=row.id, domain=row.domain))
    await deps.invalidation.publish(ctx, "application", row.app_id)
    try:
        await certificates.cancel(deps, row)
        async with deps.db.transaction(ctx) as tx:
            await domains.certificate(
                tx, app_id=row.app_id, id=row.id, hostname_id=None, status=None
            )
    except Problem as problem:
        log.warning("hostname left behind", domain_id=row.id, why=problem.code)


async def _dispossess(deps: Deps, ctx: Context, domain: str) -> None:
    """Somebody new has proven the domain. Whoever held it keeps it only while his own proof still
    stands. Raises CustomDomainTaken."""
    async with deps.db.reading(ctx) as db:
        held = await domains.holder(db, domain=domain)
        if held is None or held.app_id == ctx.app_id:
            return
        other = await applications.by_id(db, id=held.app_id)
    if other is None:
        return
    try:
        target = deps.hosts.name_of(other.slug)
        proof = await dns_proof.look(deps.dns, domain, held.verification_token, target)
    except Unavailable:
        raise CustomDomainTaken from None
    if proof.txt:
        raise CustomDomainTaken
    await lose(deps, ctx.of(held.app_id).as_system(), held)


async def _row(db: Db, ctx: Context, id: str) -> Row:
    row = await domains.by_id(db, app_id=ctx.app_id, id=id)
    if row is None:
        raise CustomDomainNotFound
    return row


async def _target(deps: Deps, db: Db, ctx: Context) -> str:
    """Where the domain's CNAME has to lead: the application's own host."""
    app = await applications.by_id(db, id=ctx.app_id)
    if app is None:
        raise ApplicationNotFound
    return deps.hosts.name_of(app.slug)


def _token() -> str:
    return secrets.token_hex(20)


def _shown(row: Row, target: str) -> CustomDomain:
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

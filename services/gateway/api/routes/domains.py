"""An application's own domains, on the Dashboard's host under its slug."""

from __future__ import annotations

from common.contracts.base import Contract, Done, Id
from common.contracts.domains import (
    AddCustomDomain,
    CustomDomain,
    CustomDomains,
    ListCustomDomains,
    RemoveCustomDomain,
    SetPrimaryDomain,
    VerifyCustomDomain,
)
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import HostKind, RouteSet

router = NounRouter(prefix="/applications/{slug}/domains", tags=["domains"])


class Primary(Contract):
    """The domain that links and the issuer follow; null: the slug's host."""

    domain_id: Id | None


@router.get("", summary="List the application's domains")
async def list_(slug: str, ctx: Acting, bus: TheBus) -> CustomDomains:
    """With the DNS records each needs and which of them were seen. Needs `apps:read` and its
    team."""
    return await bus.call(ctx, ListCustomDomains())


@router.post("", status_code=201, summary="Claim a domain")
async def add(slug: str, new: AddCustomDomain, ctx: Acting, bus: TheBus) -> CustomDomain:
    """The answer holds the records to set. Needs `apps:write` and the team
    role `admin` or `developer`."""
    return await bus.call(ctx, new)


@router.put("/primary", summary="Choose the primary domain")
async def promote(slug: str, chosen: Primary, ctx: Acting, bus: TheBus) -> CustomDomains:
    """Links and the issuer change; every host goes on answering. Needs `apps:write` and its
    team."""
    return await bus.call(ctx, SetPrimaryDomain(id=chosen.domain_id))


@router.post("/{id}/verify", summary="Look for a domain's records now")
async def verify(slug: str, id: Id, ctx: Acting, bus: TheBus) -> CustomDomain:
    """With both records in place the application answers on the domain at once. Needs
    `apps:write` and the team
    role `admin` or `developer`."""
    return await bus.call(ctx, VerifyCustomDomain(id=id))


@router.delete("/{id}", summary="Give a domain up")
async def remove(slug: str, id: Id, ctx: Acting, bus: TheBus) -> Done:
    """The application answers there no more. Needs `apps:write` and the team
    role `admin` or `developer`."""
    return await bus.call(ctx, RemoveCustomDomain(id=id))


routes = RouteSet(router=router, host=HostKind.DASHBOARD)

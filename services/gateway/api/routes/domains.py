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
    """The domain of links and of the issuer. `null` stands for the host of the slug."""

    domain_id: Id | None


@router.get("", summary="List custom domains")
async def list_(slug: str, ctx: Acting, bus: TheBus) -> CustomDomains:
    """Lists the domains with the DNS records that each needs, and which of them were found. Needs
    `apps:read` and a membership in the team that owns the application."""
    return await bus.call(ctx, ListCustomDomains())


@router.post("", status_code=201, summary="Add a custom domain")
async def add(slug: str, new: AddCustomDomain, ctx: Acting, bus: TheBus) -> CustomDomain:
    """Adds a domain and returns the DNS records to set. The application answers there once the
    domain is verified. Needs `apps:write` and the team role `admin` or `developer`."""
    return await bus.call(ctx, new)


@router.put("/primary", summary="Set the primary domain")
async def promote(slug: str, chosen: Primary, ctx: Acting, bus: TheBus) -> CustomDomains:
    """Changes the domain of links and of the issuer. The application still answers on all its
    hosts. Needs `apps:write` and the team role `admin` or `developer`."""
    return await bus.call(ctx, SetPrimaryDomain(id=chosen.domain_id))


@router.post("/{id}/verify", summary="Verify a custom domain")
async def verify(slug: str, id: Id, ctx: Acting, bus: TheBus) -> CustomDomain:
    """Looks up the DNS records now. If both are set, the application answers on the domain at once.
    Needs `apps:write` and the team
    role `admin` or `developer`."""
    return await bus.call(ctx, VerifyCustomDomain(id=id))


@router.delete("/{id}", summary="Remove a custom domain")
async def remove(slug: str, id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Removes the domain. The application no longer answers there. Needs `apps:write` and the team
    role `admin` or `developer`."""
    return await bus.call(ctx, RemoveCustomDomain(id=id))


routes = RouteSet(router=router, host=HostKind.DASHBOARD)

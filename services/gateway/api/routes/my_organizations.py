"""What a signed-in user does about organizations: join by an invitation, choose the active one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.contracts.base import Contract, Id
from common.contracts.org_invitations import (
    AcceptOrganizationInvitation,
    GetOrganizationOffer,
    OrganizationOffer,
)
from common.contracts.organizations import Organization, SwitchOrganization
from common.contracts.sessions import Session
from common.problems import Unauthenticated
from gateway.api.deps import Anyone, SignedIn, TheBus, TheVisit
from gateway.api.noun_router import NounRouter
from gateway.auth import browser_sessions as browser
from gateway.auth.caller import session_of
from gateway.http.request import GatewayRequest

OWN_HOST_ONLY = True
router = NounRouter(prefix="/organizations", tags=["organizations"])


class Link(Contract):
    """The token of an invitation's link."""

    token: Annotated[str, Field(min_length=1, max_length=200, repr=False)]


@router.post("/invitation", summary="Get an organization invitation by its token")
async def offer(link: Link, ctx: Anyone, bus: TheBus) -> OrganizationOffer:
    """Returns the invitation of a link. Unknown, used, revoked and expired links all answer 404."""
    return await bus.call(ctx, GetOrganizationOffer(token=link.token))


@router.post("/accept-invitation", summary="Accept an organization invitation")
async def accept(link: Link, ctx: SignedIn, bus: TheBus) -> Organization:
    """Adds you to the organization. Your e-mail address must be the invited one. The comparison
    ignores case. The link works once."""
    return await bus.call(ctx, AcceptOrganizationInvitation(token=link.token))


@router.post("/{org_id}/activate", summary="Set the active organization")
async def activate(org_id: Id, visit: TheVisit, ctx: SignedIn, bus: TheBus) -> Session:
    """Makes this the active organization of your session in this browser. Your permissions change,
    so the session continues under a new cookie."""
    await _browser_only(visit)
    begun = await bus.call(ctx, SwitchOrganization(org_id=org_id))
    await browser.begin(visit, begun)
    return begun.session


@router.post("/deactivate", summary="Clear the active organization")
async def deactivate(visit: TheVisit, ctx: SignedIn, bus: TheBus) -> Session:
    """Leaves your session in this browser without an active organization. Your permissions change,
    so the session continues under a new cookie."""
    await _browser_only(visit)
    begun = await bus.call(ctx, SwitchOrganization())
    await browser.begin(visit, begun)
    return begun.session


async def _browser_only(visit: GatewayRequest) -> None:
    """Whoever holds an access token must not get a session's cookie for it."""
    if visit.header(b"authorization") is not None or await session_of(visit) is None:
        raise Unauthenticated(
            "this call needs the session cookie: only sessions have an active organization"
        )

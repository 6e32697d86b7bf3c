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
    token: Annotated[str, Field(min_length=1, max_length=200, repr=False)]


@router.post("/invitation", summary="What an invitation's link offers")
async def offer(link: Link, ctx: Anyone, bus: TheBus) -> OrganizationOffer:
    """Shows the invitation to the holder of its link. Unknown, used, revoked and expired links answer
    404 alike."""
    return await bus.call(ctx, GetOrganizationOffer(token=link.token))


@router.post("/accept-invitation", summary="Join by an invitation's link")
async def accept(link: Link, ctx: SignedIn, bus: TheBus) -> Organization:
    """Your address must be the invited one, case ignored. The link works once."""
    return await bus.call(ctx, AcceptOrganizationInvitation(token=link.token))


@router.post("/{org_id}/activate", summary="Make an organization the active one")
async def activate(org_id: Id, visit: TheVisit, ctx: SignedIn, bus: TheBus) -> Session:
    """Of this browser's session, which goes on under a new cookie since its rights change."""
    await _browser_only(visit)
    begun = await bus.call(ctx, SwitchOrganization(org_id=org_id))
    await browser.begin(visit, begun)
    return begun.session


@router.post("/deactivate", summary="Have no active organization")
async def deactivate(visit: TheVisit, ctx: SignedIn, bus: TheBus) -> Session:
    """Of this browser's session, which goes on under a new cookie since its rights change."""
    await _browser_only(visit)
    begun = await bus.call(ctx, SwitchOrganization())
    await browser.begin(visit, begun)
    return begun.session


async def _browser_only(visit: GatewayRequest) -> None:
    """Whoever holds an access token must not get a session's cookie for it."""
    if visit.header(b"authorization") is not None or await session_of(visit) is None:
        raise Unauthenticated("only the browser's own session has an active organization")

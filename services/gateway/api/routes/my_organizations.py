"""Organizations of the signed-in user: joining by an invitation, choosing the active one."""

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
from gateway.api.deps import Anyone, SignedIn, TheBus, TheGateway, TheRequest
from gateway.api.noun_router import NounRouter
from gateway.auth import browser_sessions
from gateway.auth.caller import signed_in_user
from gateway.http.request import GatewayRequest
from gateway.routing import RouteSet
from gateway.state import Gateway

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
async def activate(org_id: Id, gateway: TheGateway, request: TheRequest, ctx: SignedIn) -> Session:
    """Of this browser's session, which goes on under a new cookie since its rights change."""
    await _check_browser(gateway, request)
    new_session = await gateway.bus.call(ctx, SwitchOrganization(org_id=org_id))
    await browser_sessions.start(gateway, request, new_session)
    return new_session.session


@router.post("/deactivate", summary="Have no active organization")
async def deactivate(gateway: TheGateway, request: TheRequest, ctx: SignedIn) -> Session:
    """Of this browser's session, which goes on under a new cookie since its rights change."""
    await _check_browser(gateway, request)
    new_session = await gateway.bus.call(ctx, SwitchOrganization())
    await browser_sessions.start(gateway, request, new_session)
    return new_session.session


async def _check_browser(gateway: Gateway, request: GatewayRequest) -> None:
    """Raises Unauthenticated without a session cookie: an access token must not lead to one."""
    if (
        request.header(b"authorization") is not None
        or await signed_in_user(gateway, request) is None
    ):
        raise Unauthenticated("only the browser's own session has an active organization")


routes = RouteSet(router=router)

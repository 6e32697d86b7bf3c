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
async def activate(org_id: Id, gateway: TheGateway, request: TheRequest, ctx: SignedIn) -> Session:
    """Makes this the active organization of your session in this browser. Your permissions change,
    so the session continues under a new cookie."""
    await _check_browser(gateway, request)
    new_session = await gateway.bus.call(ctx, SwitchOrganization(org_id=org_id))
    await browser_sessions.start(gateway, request, new_session)
    return new_session.full()


@router.post("/deactivate", summary="Clear the active organization")
async def deactivate(gateway: TheGateway, request: TheRequest, ctx: SignedIn) -> Session:
    """Leaves your session in this browser without an active organization. Your permissions change,
    so the session continues under a new cookie."""
    await _check_browser(gateway, request)
    new_session = await gateway.bus.call(ctx, SwitchOrganization())
    await browser_sessions.start(gateway, request, new_session)
    return new_session.full()


async def _check_browser(gateway: Gateway, request: GatewayRequest) -> None:
    """Raises Unauthenticated without a session cookie: an access token must not lead to one."""
    if (
        request.header(b"authorization") is not None
        or await signed_in_user(gateway, request) is None
    ):
        raise Unauthenticated(
            "this call needs the session cookie: only sessions have an active organization"
        )


routes = RouteSet(router=router)

"""The landing page of an invitation into an organization."""

from __future__ import annotations

from pydantic import ValidationError
from starlette.responses import Response

from common.address_keys import address_key
from common.contracts.org_invitations import (
    AcceptOrganizationInvitation,
    GetOrganizationOffer,
    OrganizationInvitationNotFound,
    OrganizationOffer,
    OtherAddress,
)
from gateway.auth.caller import session_of
from gateway.http.request import GatewayRequest
from gateway.pages.code import spent
from gateway.pages.endpoint import own, sent, shown
from gateway.pages.fields import Fields, at
from gateway.pages.render import Page, open_page
from gateway.state import Signed


async def _offer(visit: GatewayRequest, token: str) -> OrganizationOffer | None:
    try:
        request = GetOrganizationOffer(token=token)
        return await visit.gateway.bus.call(visit.context(), request)
    except (OrganizationInvitationNotFound, ValidationError):
        return None


async def show(visit: GatewayRequest, fields: Fields) -> Response:
    """GET /accept-org-invite?token="""
    page = open_page(visit, await session_of(visit))
    token = fields.text("token")
    offer = await _offer(visit, token)
    if offer is None:
        return spent(page, "/login", page.say("Sign in"))
    if page.signed is None:
        return _sign_in_first(page, offer, token)
    return page.show(
        "link.html",
        carried={"token": token},
        action="/accept-org-invite",
        heading=page.say("Join %(name)s", name=offer.org_name),
        says=_for_whom(page, offer, page.signed),
        button=page.say("Accept invitation"),
    )


def _for_whom(page: Page, offer: OrganizationOffer, signed: Signed) -> str:
    """The two addresses only where they differ."""
    me = signed.session.email
    if me is not None and address_key(me) == address_key(offer.email):
        return str(page.say("You'll join as %(me)s.", me=me))
    return str(
        page.say(
            "This invitation is for %(email)s, but you're signed in as %(me)s.",
            email=offer.email,
            me=me or signed.session.name or "",
        )
    )


def _sign_in_first(page: Page, offer: OrganizationOffer, token: str) -> Response:
    back = at("/accept-org-invite", token=token)
    return page.close(
        page.say("Join %(name)s", name=offer.org_name),
        page.say(
            "Sign in as %(email)s, or create an account with this address.", email=offer.email
        ),
        link=at("/login", email=offer.email, return_to=back),
        button=page.say("Continue"),
        primary=True,
    )


async def accept(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /accept-org-invite"""
    page = open_page(visit, signed)
    token = fields.text("token")
    try:
        request = AcceptOrganizationInvitation(token=token)
        joined = await visit.gateway.bus.call(visit.context(signed.caller), request)
    except OtherAddress:
        back = at("/accept-org-invite", token=token)
        return page.close(
            page.say("A different address"),
            page.say("This invitation was sent to a different address. Sign in with that address."),
            403,
            link=at("/login", add="1", return_to=back),
            address=back,
            button=page.say("Use another account"),
        )
    except (OrganizationInvitationNotFound, ValidationError):
        address = at("/accept-org-invite", token=token)
        return spent(page, "/account", page.say("Your account"), address=address)
    return page.close(
        page.say("You're now a member of %(name)s", name=joined.name),
        page.say("You can close this page or continue."),
        link="/account",
        button=page.say("Continue"),
        primary=True,
    )


ROUTES = [shown("/accept-org-invite", show), sent("/accept-org-invite", own(accept))]

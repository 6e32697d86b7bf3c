"""The landing page of an invitation into an organization."""

from __future__ import annotations

from pydantic import ValidationError

from common.address_keys import address_key
from common.contracts.org_invitations import (
    AcceptOrganizationInvitation,
    GetOrganizationOffer,
    OrganizationInvitationNotFound,
    OrganizationOffer,
    OtherAddress,
)
from gateway.auth.caller import signed_in_user
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import default_destination
from gateway.pages.code import spent
from gateway.pages.fields import Fields, at
from gateway.pages.page_routes import page_route, user_form_route
from gateway.pages.render import PageView, open_page
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser


async def _offer(gateway: Gateway, request: GatewayRequest, token: str) -> OrganizationOffer | None:
    try:
        call = GetOrganizationOffer(token=token)
        return await gateway.bus.call(request.context(), call)
    except (OrganizationInvitationNotFound, ValidationError):
        return None


async def show(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /accept-org-invite?token="""
    page = open_page(gateway, request, await signed_in_user(gateway, request))
    token = fields.text("token")
    offer = await _offer(gateway, request, token)
    if offer is None:
        return spent(page, "/login", page.translate("Sign in"))
    if page.user is None:
        return _sign_in_first(page, offer, token)
    return page.show(
        "link.html",
        carried={"token": token},
        action="/accept-org-invite",
        heading=page.translate("Join %(name)s", name=offer.org_name),
        says=_for_whom(page, offer, page.user),
        button=page.translate("Accept invitation"),
    )


def _for_whom(page: PageView, offer: OrganizationOffer, user: SignedInUser) -> str:
    """The two addresses only where they differ."""
    me = user.session.email
    if me is not None and address_key(me) == address_key(offer.email):
        return str(page.translate("You'll join as %(me)s.", me=me))
    return str(
        page.translate(
            "This invitation is for %(email)s, but you're signed in as %(me)s.",
            email=offer.email,
            me=me or user.session.name or "",
        )
    )


def _sign_in_first(page: PageView, offer: OrganizationOffer, token: str) -> GatewayResponse:
    back = at("/accept-org-invite", token=token)
    return page.close(
        page.translate("Join %(name)s", name=offer.org_name),
        page.translate(
            "Sign in as %(email)s, or create an account with this address.", email=offer.email
        ),
        link=at("/login", email=offer.email, return_to=back),
        button=page.translate("Continue"),
        primary=True,
    )


async def accept(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /accept-org-invite"""
    page = open_page(gateway, request, user)
    token = fields.text("token")
    try:
        call = AcceptOrganizationInvitation(token=token)
        joined = await gateway.bus.call(request.context(user.caller), call)
    except OtherAddress:
        back = at("/accept-org-invite", token=token)
        return page.close(
            page.translate("A different address"),
            page.translate(
                "This invitation was sent to a different address. Sign in with that address."
            ),
            403,
            link=at("/login", add="1", return_to=back),
            address=back,
            button=page.translate("Use another account"),
        )
    except (OrganizationInvitationNotFound, ValidationError):
        address = at("/accept-org-invite", token=token)
        return spent(page, "/account", page.translate("Your account"), address=address)
    going = default_destination.of_member(request.app, joined.id)
    if request.app.is_dashboard:
        return redirect(going)
    return page.close(
        page.translate("You're now a member of %(name)s", name=joined.name),
        page.translate("You can close this page or continue."),
        link=going,
        button=page.translate("Continue"),
        primary=True,
    )


routes = RouteSet(
    (
        page_route("/accept-org-invite", show),
        user_form_route("/accept-org-invite", accept),
    )
)

"""Signing out on the hosted pages."""

from __future__ import annotations

from gateway.auth import browser_sessions
from gateway.auth.caller import user_even_without_rights
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.changed_session import changed_session
from gateway.pages.fields import Fields
from gateway.pages.page_routes import form_route, page_route
from gateway.pages.render import PageView, open_page
from gateway.routing import RouteSet
from gateway.state import Gateway


async def show(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /logout"""
    user = await user_even_without_rights(gateway, request)
    if user is None:
        return await signed_out_page(open_page(gateway, request))
    return confirmation(open_page(gateway, request, user), "/logout", {}, None)


def confirmation(
    page: PageView, action: str, carried: dict[str, str | None], client: str | None
) -> GatewayResponse:
    """Asks whether to sign out. The form posts to `action`. `client` is the name of the client that
    asks for it, if any."""
    return page.show("logout.html", action=action, carried=carried, client=client)


async def sign_out(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /logout: signs out the account that the page showed. Nothing happens if it is signed out."""
    user = await user_even_without_rights(gateway, request)
    token = fields.get("csrf")
    if user and not csrf.is_form_of_session(gateway.settings, token, user.session):
        return changed_session(open_page(gateway, request, user), fields, "/logout")
    if fields.get("all"):
        await browser_sessions.end_all(gateway, request)
    else:
        await browser_sessions.end(gateway, request)
    return redirect("/logout/done")


async def done(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /logout/done"""
    user = await user_even_without_rights(gateway, request)
    return await signed_out_page(open_page(gateway, request, user))


async def signed_out_page(
    page: PageView, frames: list[str] | None = None, onward: str | None = None
) -> GatewayResponse:
    """Says that the user is signed out. The browser loads the `frames`, and then continues at
    `onward`."""
    says = page.translate("You're signed out of %(name)s in this browser.", name=page.app.name)
    link, button = (
        onward or "/login",
        page.translate("Continue") if onward else page.translate("Sign in"),
    )
    if await browser_sessions.other_accounts(page.gateway, page.request, None):
        says = page.translate(
            "You're signed out. Other accounts in this browser are still signed in."
        )
        link, button = onward or "/accounts", page.translate("Choose an account")
    says = f"{says} {page.own_text('signed_out_text')}".strip()
    return page.close(
        page.translate("Signed out"), says, link=link, button=button, onward=onward, frames=frames
    )


routes = RouteSet(
    (
        page_route("/logout", show),
        form_route("/logout", sign_out),
        page_route("/logout/done", done),
    )
)

"""Confirming a session with the second factor, before sensitive changes."""

from __future__ import annotations

from pydantic import ValidationError

from common.contracts.second_factors import ConfirmFactor
from common.contracts.sessions import NoSession
from common.problems import Problem
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse
from gateway.pages.fields import Fields, at
from gateway.pages.page_routes import user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.second_factor import choice_of_factor, code_errors, proof_of
from gateway.pages.sign_in import carried, destination, signed_in
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

PATH = "/login/confirm/second-factor"


async def show(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /login/confirm/second-factor"""
    return _ask(open_page(gateway, request, user), fields, user)


def _ask(
    page: PageView, fields: Fields, user: SignedInUser, errors: dict[str, str] | None = None
) -> GatewayResponse:
    going = carried(fields)
    return page.show(
        "second_factor.html",
        address=at(PATH, use=fields.text_or_none("use"), **going),
        errors=errors,
        action=PATH,
        cancel=None,
        button=page.translate("Confirm"),
        days=0,
        passkey_path="/api/auth/passkey/confirm",
        onward=destination(fields),
        **choice_of_factor(PATH, list(user.session.second_factors), fields, going),
    )


async def enter(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /login/confirm/second-factor"""
    page = open_page(gateway, request, user)
    try:
        call = ConfirmFactor(**proof_of(fields))
        again = await gateway.bus.call(request.context(user.caller), call)
    except NoSession:
        raise
    except (Problem, ValidationError) as error:
        return _ask(page, fields, user, code_errors(page, fields, error))
    return await signed_in(gateway, request, fields, again)


routes = RouteSet((user_page_route(PATH, show), user_form_route(PATH, enter)))

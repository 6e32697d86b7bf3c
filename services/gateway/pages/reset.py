"""A new password for whoever has forgotten the old one, by code or by link."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from common.contracts.passwords import ResetPassword, StartReset
from common.contracts.sign_in import LinkSpent, OtherBrowser
from common.problems import Problem
from gateway.http.request import GatewayRequest
from gateway.pages import flow_cookie
from gateway.pages.challenge import attempt
from gateway.pages.code import digits, other_browser, spent
from gateway.pages.endpoint import sent, shown
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.render import Page, go, open_page
from gateway.pages.sign_in import begun, carried
from gateway.pages.sign_up import password_hint


async def show(visit: GatewayRequest, fields: Fields) -> Response:
    """GET /reset; from a mail with ?token="""
    page = open_page(visit)
    if fields.given("token"):
        return _choose(page, fields)
    return _ask(page, fields, values={"email": flow_cookie.read(visit).email})


def _ask(page: Page, fields: Fields, **more: Any) -> Response:
    going, needed = carried(fields), fields.given("needed")
    return page.show(
        "reset.html",
        address=at("/reset", needed=needed, **going),
        carried={**going, "needed": needed},
        needed=needed,
        back=at("/login", **going),
        **more,
    )


async def send(visit: GatewayRequest, fields: Fields) -> Response:
    """POST /reset: whatever is known of the address, a mail is on its way"""
    page = open_page(visit)
    email = fields.text("email")
    try:
        request = StartReset(
            email=email,
            **attempt(visit, fields, page.language.code),
        )
        flow = await visit.gateway.bus.call(visit.context(), request)
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        return _ask(page, fields, errors=errors, values={"email": email})
    flow_cookie.mailed(visit, email, flow, carried(fields))
    return go(at("/reset/code", **carried(fields)))


async def code(visit: GatewayRequest, fields: Fields) -> Response:
    """GET /reset/code"""
    if not flow_cookie.read(visit).flow:
        return go(at("/reset", **carried(fields)))
    return _choose(open_page(visit), fields)


def _choose(page: Page, fields: Fields, errors: dict[str, str] | None = None) -> Response:
    known, token = flow_cookie.read(page.visit), fields.given("token")
    return page.show(
        "new_password.html",
        address=at("/reset" if token else "/reset/code", token=token, **carried(fields)),
        errors=errors,
        values={"code": "" if "code" in (errors or {}) else fields.text("code")},
        carried={**carried(fields), "token": token},
        action="/reset/code",
        flow=None if token else known.flow,
        email=known.email,
        password_hint=password_hint(page),
        **known.code_times(),
    )


async def finish(visit: GatewayRequest, fields: Fields) -> Response:
    """POST /reset/code: with the code, or with the link's token"""
    page = open_page(visit)
    token = fields.given("token")
    try:
        request = ResetPassword(
            token=token,
            flow=None if token else flow_cookie.read(visit).flow,
            code=None if token else digits(fields.text("code")),
            password=fields.get("password", ""),
            **attempt(visit, fields, page.language.code),
        )
        signed = await visit.gateway.bus.call(visit.context(), request)
    except OtherBrowser:
        address = at("/reset", token=token)
        return other_browser(page, 403, address, link="/reset", button=page.say("Send a new link"))
    except LinkSpent:
        return spent(page, "/reset", page.say("Send a new link"), address="/reset")
    except (Problem, ValidationError) as error:
        return _choose(page, fields, errors_of(page.language, error))
    return await begun(visit, flow_cookie.read(visit).going() if token else fields, signed)


ROUTES = [
    shown("/reset", show, guarded=True),
    sent("/reset", send, guarded=True),
    shown("/reset/code", code, guarded=True),
    sent("/reset/code", finish, guarded=True),
]

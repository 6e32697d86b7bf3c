"""The browser's half of the authorization endpoint: it does what the oidc service decides.

A pending request waits at oidc under a name. The name travels through the sign-in pages as `request`,
and `/oauth2/authorize/resume` continues with it.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from common.contracts.authorization import Authorization, Authorize, ResumeAuthorization
from common.contracts.oauth_errors import SignInOver
from common.ip_addresses import client_network
from common.problems import BadRequest, TooLarge
from gateway.admission.admission import admission_of
from gateway.admission.flood_limits import PENDING_AUTHORIZATION
from gateway.auth import browser_sessions, session_choices
from gateway.http import csrf, forms
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.oauth import consent_page
from gateway.oauth.browser_accounts import Accounts, accounts_of
from gateway.pages import client_names, device_pages, errors, flow_cookie, pending_requests
from gateway.pages.changed_session import changed_session
from gateway.pages.fields import Fields, at
from gateway.pages.render import open_page
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway, SignedInUser

RESUME: Final = "/oauth2/authorize/resume"
MAX_ADDRESS: Final = 6000
"""Bytes of parameters that fit into an address. Longer ones wait at oidc."""
MAX_PARAMETERS: Final = 32_768
"""Bytes of parameters: anybody may send them, and they are stored while the user signs in."""

PAGES: Final = {"select_account": "/accounts", "step_up": "/login/step-up"}
DECIDED: Final = ("redirect", "form_post", "consent", "device")
"""The outcomes of a request after its session is chosen."""


async def authorize(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET or POST /oauth2/authorize (RFC 6749 section 3.1, OpenID Connect Core 3.1.2.1)"""
    if request.method == "POST":
        return await _posted(gateway, request)
    accounts = await accounts_of(gateway, request)
    call = Authorize(
        params=forms.query(request),
        session=browser_sessions.session_facts(accounts.user),
        others=accounts.other_sessions(),
        choices=session_choices.choices(gateway, request),
    )
    return await _begin(gateway, request, accounts, call)


async def _posted(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """With a form of another site, the browser sends no cookies (SameSite=Lax). It sends them to the
    address of the redirect."""
    params = await forms.form(request)
    query = urlencode(params)
    if len(query) > MAX_PARAMETERS:
        raise TooLarge(f"the parameters can have at most {MAX_PARAMETERS} bytes")
    if len(query) <= MAX_ADDRESS:
        return redirect(f"/oauth2/authorize?{query}")
    call = Authorize(params=params, unseen=True)
    return await _begin(gateway, request, Accounts(None, []), call)


async def _begin(
    gateway: Gateway, request: GatewayRequest, accounts: Accounts, call: Authorize
) -> GatewayResponse:
    """Starts the request. Pending requests are limited, because anybody may make one."""
    user, admission = accounts.user, admission_of(request)
    bucket = user.session.user_id if user else client_network(request.ip)
    admission.charge(PENDING_AUTHORIZATION, bucket)
    pending = None
    try:
        authorization = await gateway.bus.call(request.context(), call)
        pending = authorization.request
    finally:
        if pending is None:
            admission.refund(PENDING_AUTHORIZATION, bucket)
    return await follow(gateway, request, accounts, authorization)


async def resume(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /oauth2/authorize/resume: after signing in. POST: with the user's decision."""
    consent = None
    accounts = await accounts_of(gateway, request)
    if request.method == "POST":
        fields = forms.once(await forms.form(request))
        token = fields.get("csrf")
        csrf.check_form(gateway.settings, request, token)
        consent = fields.get("consent")
        if consent not in ("allow", "deny"):
            raise BadRequest("consent must be allow or deny")
        accounts = accounts.with_form_of(gateway, token)
        user = accounts.user
        if user and not csrf.is_form_of_session(gateway.settings, token, user.session):
            again = at(RESUME, request=fields.get("request"))
            return changed_session(open_page(gateway, request, user), Fields(), again)
    else:
        fields = forms.once(forms.query(request))
    call = ResumeAuthorization(
        request=fields.get("request", ""),
        session=browser_sessions.session_facts(accounts.user),
        others=accounts.other_sessions(),
        choices=session_choices.choices(gateway, request),
        consent=consent,
        selected=fields.get("selected") == "1",
    )
    return await _continue(gateway, request, accounts, call)


async def _continue(
    gateway: Gateway, request: GatewayRequest, accounts: Accounts, call: ResumeAuthorization
) -> GatewayResponse:
    pending_requests.forget(gateway, request, call.request)
    authorization = await gateway.bus.call(request.context(), call)
    if authorization.error == SignInOver.code:
        page = await errors.sign_in_over(gateway, request, call.request)
        if page is not None:
            return page
    client_id, session_id = authorization.client_id, authorization.session_id
    if accounts.others and authorization.kind in DECIDED and client_id and session_id:
        session_choices.remember_choice(gateway, request, client_id, session_id)
    return await follow(gateway, request, accounts, authorization)


async def follow(
    gateway: Gateway, request: GatewayRequest, accounts: Accounts, authorization: Authorization
) -> GatewayResponse:
    """Does what the endpoint decided. A step-up is for the account with which the request continues, so
    that account becomes the active one."""
    user = accounts.user_of(authorization)
    if authorization.kind == "step_up" and user is not None and user is not accounts.user:
        await browser_sessions.switch(gateway, request, user.session.id)
    return _follow(gateway, request, user, authorization)


def _follow(
    gateway: Gateway,
    request: GatewayRequest,
    user: SignedInUser | None,
    authorization: Authorization,
) -> GatewayResponse:
    """Does what the authorization endpoint decided."""
    if authorization.kind == "redirect":
        assert authorization.location is not None
        return redirect(authorization.location)
    if authorization.kind == "resume":
        return redirect(at(RESUME, request=authorization.request))
    page = open_page(gateway, request, user, away=True, ui_locales=authorization.ui_locales)
    if authorization.kind == "form_post":
        action, fields = authorization.location, authorization.fields
        return page.show(
            "post.html", action=action, fields=fields, client=authorization.client_name
        )
    if authorization.kind == "error":
        return errors.authorization_error(
            page, authorization.error, authorization.error_description
        )
    if authorization.kind == "consent" and user is not None:
        return consent_page.show(page, authorization)
    if authorization.kind in device_pages.KINDS:
        return device_pages.show(page, authorization)
    if authorization.request:
        pending_requests.remember(gateway, request, authorization.request)
    verified = authorization.claimed_name is None
    name = client_names.in_sentence(page, authorization.client_name, verified=verified)
    flow_cookie.write(request, client=name, request=authorization.request or "")
    return redirect(
        at(
            PAGES.get(authorization.kind, "/login"),
            request=authorization.request,
            email=authorization.login_hint,
            again="1" if authorization.reauthenticate else None,
            way=authorization.way,
        )
    )


routes = RouteSet(
    tuple(
        Route(HostKind.APPLICATION, method, path, handler, ErrorStyle.PAGE)
        for path, handler in (("/oauth2/authorize", authorize), (RESUME, resume))
        for method in ("GET", "POST")
    )
)

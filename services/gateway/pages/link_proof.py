"""The proof of an address or of an existing account, before an account at a provider is connected to it."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from common.address_keys import address_key
from common.contracts.link_proofs import (
    ConnectProvenAccount,
    FinishLinkProof,
    GetLinkProof,
    LinkProof,
    LinkProofSpent,
    SendLinkProofCode,
)
from common.contracts.provider_sign_in import ProviderOutcome
from common.problems import Problem
from gateway.auth.caller import guest_context, user_even_without_rights
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import flow_cookie, link_proof_cookie, provider_buttons, provider_outcome
from gateway.pages.challenge import attempt
from gateway.pages.code import digits
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import form_route, page_route, user_form_route
from gateway.pages.render import PageView, open_page
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

HERE = provider_outcome.CONNECT
CODE = f"{HERE}/code"
SEND = f"{HERE}/send"


@dataclass(frozen=True)
class _Waiting:
    """The browser's proof, and its token."""

    token: str
    proof: LinkProof


async def _waiting(gateway: Gateway, request: GatewayRequest) -> _Waiting:
    """Returns the browser's proof. Raises LinkProofSpent."""
    token = link_proof_cookie.read(request)
    if token is None or not csrf.has_browser_id(gateway.settings, request):
        raise LinkProofSpent
    call = GetLinkProof(link_proof=token, browser=csrf.browser_id(gateway.settings, request))
    return _Waiting(token, await gateway.bus.call(request.context(), call))


def _over(page: PageView) -> GatewayResponse:
    link_proof_cookie.forget(page.request)
    outcome = ProviderOutcome(kind="failed", failure="over")
    return provider_outcome.failed(page, outcome)


async def show(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /login/connect"""
    page = open_page(gateway, request, await user_even_without_rights(gateway, request))
    try:
        waiting = await _waiting(gateway, request)
    except LinkProofSpent:
        return _over(page)
    return _ask(page, waiting.proof)


def _ask(
    page: PageView, proof: LinkProof, errors: dict[str, str] | None = None, email: str | None = None
) -> GatewayResponse:
    """Shows the form for an address, the choice how to prove the account, or the last question to the user
    who has done so."""
    mine = page.user.session.email if page.user else None
    proven = bool(mine and proof.email and address_key(mine) == address_key(proof.email))
    return page.show(
        "connect.html",
        address=HERE,
        errors=errors,
        values={"email": email or proof.email or ""},
        proof=proof,
        proven=proven and proof.kind == "account",
        sign_in=at("/login", add="1", email=proof.email, return_to=HERE),
        other=at(provider_buttons.START, idp=proof.idp, return_to=proof.destination, select="1"),
    )


async def send(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /login/connect/send: mails a code"""
    page, email = open_page(gateway, request), fields.text("email")
    try:
        waiting = await _waiting(gateway, request)
    except LinkProofSpent:
        return _over(page)
    try:
        call = SendLinkProofCode(
            link_proof=waiting.token,
            email=email,
            **attempt(gateway, request, fields, page.language.code),
        )
        flow = await gateway.bus.call(request.context(), call)
    except LinkProofSpent:
        return _over(page)
    except (Problem, ValidationError) as error:
        return _ask(page, waiting.proof, errors_of(page.language, error), email)
    flow_cookie.remember_mail(request, email, flow)
    return redirect(CODE)


async def code(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /login/connect/code"""
    if not flow_cookie.read(request).flow:
        return redirect(HERE)
    return _ask_code(open_page(gateway, request))


def _ask_code(page: PageView, errors: dict[str, str] | None = None) -> GatewayResponse:
    cookie = flow_cookie.read(page.request)
    return page.show(
        "code.html",
        address=CODE,
        errors=errors,
        carried={},
        email=cookie.email,
        signing_up=False,
        action=CODE,
        change=HERE,
        resend=SEND,
        with_link=False,
        with_code=True,
        button=page.translate("Continue"),
        **cookie.code_times(),
    )


async def enter(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /login/connect/code"""
    page = open_page(gateway, request)
    try:
        call = FinishLinkProof(
            link_proof=link_proof_cookie.read(request) or "",
            flow=flow_cookie.read(request).flow,
            code=digits(fields.text("code")),
            **attempt(gateway, request, fields, page.language.code),
        )
        outcome = await gateway.bus.call(await guest_context(gateway, request), call)
    except (LinkProofSpent, ValidationError):
        return _over(page)
    except Problem as error:
        return _ask_code(page, errors_of(page.language, error))
    return await provider_outcome.answer(gateway, request, page, outcome)


async def connect(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /login/connect: the user has signed in to the existing account, and connects it"""
    page = open_page(gateway, request, user)
    try:
        call = ConnectProvenAccount(
            link_proof=link_proof_cookie.read(request) or "",
            browser=csrf.browser_id(gateway.settings, request),
        )
        outcome = await gateway.bus.call(request.context(user.caller), call)
    except LinkProofSpent:
        return _over(page)
    return await provider_outcome.answer(gateway, request, page, outcome)


routes = RouteSet(
    (
        page_route(HERE, show, challenged=True),
        user_form_route(HERE, connect),
        form_route(SEND, send, page_path=HERE, challenged=True),
        page_route(CODE, code, challenged=True),
        form_route(CODE, enter, challenged=True),
    )
)

"""Signing up, in and out by JSON, for browsers: the session goes into the cookie of this host."""

from __future__ import annotations

from typing import Annotated

from fastapi import Response
from pydantic import Field

from common.contracts.base import Contract, Done
from common.contracts.email_codes import SignInWithCode, SignInWithLink, StartEmailCode
from common.contracts.fields import Token
from common.contracts.invitations import AcceptInvitation, GetInvitation, InvitationOffer
from common.contracts.me import VerifyEmail
from common.contracts.owner import ClaimOwner
from common.contracts.passwords import (
    CheckPassword,
    Reauthenticate,
    ResetPassword,
    SignInWithPassword,
    StartReset,
)
from common.contracts.protection import GetProtection, Protection
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import Attempt, Flow
from common.contracts.sign_up import ResendSignUp, SignUp
from gateway.api.deps import Anyone, SignedIn, TheBus, TheGateway, TheRequest
from gateway.api.noun_router import NounRouter
from gateway.auth import browser_sessions
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.routing import RouteSet
from gateway.state import Gateway

router = NounRouter(prefix="/auth", tags=["auth"])


class LinkToken(Contract):
    token: Annotated[Token, Field(repr=False)]


async def _start(
    gateway: Gateway, request: GatewayRequest, new_session: SignedInSession
) -> SignedInSession:
    await browser_sessions.start(gateway, request, new_session)
    return new_session


def _browser(gateway: Gateway, request: GatewayRequest, body: Attempt) -> dict[str, str]:
    """Returns what every attempt has beside its body: the browser's own cookie."""
    return {"browser": body.browser or csrf.browser_id(gateway.settings, request)}


@router.get("/protection", summary="What the application asks of strangers first")
async def protection(ctx: Anyone, bus: TheBus) -> Protection:
    """A captcha's site key, a challenge for a proof of work; both absent where not asked for."""
    return await bus.call(ctx, GetProtection())


@router.post(
    "/signup", status_code=202, response_model_exclude={"browser"}, summary="Ask for an account"
)
async def sign_up(body: SignUp, gateway: TheGateway, request: TheRequest, ctx: Anyone) -> Flow:
    """A mail with a code and a link goes out; the account is there once one of them is used. The
    answer is the same for an address that has an account already."""
    return await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body)))


@router.post(
    "/signup/resend",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Send another mail for a sign-up",
)
async def resend_sign_up(
    body: ResendSignUp, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> Flow:
    """For the browser that signed up within the last hour: everything entered is kept. The answer
    has a new `flow`. 410 `code_spent` if the sign-up is finished or older."""
    return await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body)))


@router.post("/signin", response_model_exclude={"token"}, summary="Sign in with a password")
async def sign_in(
    body: SignInWithPassword, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> SignedInSession:
    """Sets the session cookie. 401 `wrong_credentials`, 429 `locked`."""
    return await _start(
        gateway,
        request,
        await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body))),
    )


@router.post(
    "/code",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Mail a code and a link to sign in",
)
async def start_code(
    body: StartEmailCode, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> Flow:
    """The code works anywhere with `flow`; the link in this browser only. Signs up, too, where that
    is open."""
    return await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body)))


@router.post(
    "/magic-link",
    status_code=202,
    response_model_exclude={"browser"},
    summary="The same as /api/auth/code",
)
async def magic_link(
    body: StartEmailCode, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> Flow:
    """One mail carries both, so this is another name for it."""
    return await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body)))


@router.post("/code/verify", response_model_exclude={"token"}, summary="Sign in with a mailed code")
async def with_code(
    body: SignInWithCode, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> SignedInSession:
    """Sets the session cookie. 422 `wrong_code`, 410 `code_spent` after five tries."""
    return await _start(
        gateway,
        request,
        await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body))),
    )


@router.post("/link", response_model_exclude={"token"}, summary="Sign in with a mailed link")
async def with_link(
    body: SignInWithLink, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> SignedInSession:
    """Sets the session cookie. 403 `other_browser` where another browser asked for the mail."""
    return await _start(
        gateway,
        request,
        await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body))),
    )


@router.post("/confirm", response_model_exclude={"token"}, summary="Prove again who you are")
async def confirm(
    body: Reauthenticate, gateway: TheGateway, request: TheRequest, ctx: SignedIn
) -> SignedInSession:
    """The session goes on under a new id. What is sensitive asks for a proof of the last 15 minutes."""
    return await _start(gateway, request, await gateway.bus.call(ctx, body))


@router.post(
    "/reset",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Mail a code and a link to choose a new password",
)
async def start_reset(
    body: StartReset, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> Flow:
    """The answer is the same for an unknown address."""
    return await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body)))


@router.post("/reset/finish", response_model_exclude={"token"}, summary="Choose a new password")
async def reset(
    body: ResetPassword, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> SignedInSession:
    """By `token` from the link, or `flow` and `code`. Every session ends and a new one begins."""
    return await _start(
        gateway,
        request,
        await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body))),
    )


@router.post("/password/check", status_code=204, summary="Whether a password would do")
async def check_password(body: CheckPassword, ctx: Anyone, bus: TheBus) -> Response:
    """204, or 422 `weak_password` with the reasons."""
    await bus.call(ctx, body)
    return Response(status_code=204)


@router.post("/verify-email", summary="Confirm an address by its mailed link")
async def verify_email(body: LinkToken, ctx: SignedIn, bus: TheBus) -> Done:
    """For the signed-in user who wanted the change; 403 `other_browser` for anybody else. 410
    `link_spent` where it was used or has expired."""
    return await bus.call(ctx, VerifyEmail(token=body.token))


@router.post("/invitation", summary="Look at an invitation")
async def invitation(body: LinkToken, ctx: Anyone, bus: TheBus) -> InvitationOffer:
    """Whom it is for, before it is accepted. The token stands in the body, so that no log has it."""
    return await bus.call(ctx, GetInvitation(token=body.token))


@router.post("/invitation/accept", response_model_exclude={"token"}, summary="Accept an invitation")
async def accept_invitation(
    body: AcceptInvitation, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> SignedInSession:
    """Creates the user with the roles that the invitation names, and signs them in."""
    return await _start(
        gateway,
        request,
        await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body))),
    )


@router.post("/owner/claim", response_model_exclude={"token"}, summary="Use the owner link")
async def claim_owner(
    body: ClaimOwner, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> SignedInSession:
    """Creates the operator's account. Works once, in the Dashboard, for the holder of the owner link."""
    return await _start(
        gateway,
        request,
        await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body))),
    )


@router.post("/signout", summary="End this session")
async def sign_out(gateway: TheGateway, request: TheRequest, ctx: Anyone) -> Done:
    """The session behind the cookie ends everywhere, and the cookie goes. Other accounts of the
    browser stay signed in. Without a session nothing happens."""
    await browser_sessions.end(gateway, request)
    return Done()


routes = RouteSet(router=router)

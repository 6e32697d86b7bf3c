"""Signing up, in and out by JSON, for browsers: the session goes into the cookie of this host."""

from __future__ import annotations

from typing import Annotated, Any

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
from common.contracts.sign_in import Attempt, Flow, SignInAttempt
from common.contracts.sign_up import ResendSignUp, SignUp
from gateway.api.deps import Anyone, SignedIn, Starting, TheBus, TheGateway, TheRequest
from gateway.api.noun_router import NounRouter
from gateway.auth import browser_sessions, remembered_devices
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


def _browser(gateway: Gateway, request: GatewayRequest, body: Attempt) -> dict[str, Any]:
    """Returns what every attempt has beside its body: the browser's own cookies."""
    own: dict[str, Any] = {"browser": body.browser or csrf.browser_id(gateway.settings, request)}
    if isinstance(body, SignInAttempt):
        own["devices"] = body.devices or remembered_devices.values(gateway, request)
    return own


@router.get("/protection", summary="Get the challenge for sign-in forms")
async def protection(ctx: Anyone, bus: TheBus) -> Protection:
    """Returns the site key of the captcha and the challenge for the proof of work. Each is null if
    the application does not use it."""
    return await bus.call(ctx, GetProtection())


@router.post("/signup", status_code=202, response_model_exclude={"browser"}, summary="Sign up")
async def sign_up(body: SignUp, gateway: TheGateway, request: TheRequest, ctx: Anyone) -> Flow:
    """Sends an e-mail with a code and a link. The account is created when the user enters the code
    or opens the link. The answer is the same if the address already has an account."""
    return await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body)))


@router.post(
    "/signup/resend",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Resend the sign-up e-mail",
)
async def resend_sign_up(
    body: ResendSignUp, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> Flow:
    """Sends a new code and link for a sign-up that this browser started within the last hour. The
    data that the user entered is kept. The answer has a new `flow`. Answers 410 `code_spent` if the
    sign-up is finished or older."""
    return await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body)))


@router.post("/signin", response_model_exclude={"token"}, summary="Sign in with a password")
async def sign_in(
    body: SignInWithPassword, gateway: TheGateway, request: TheRequest, ctx: Starting
) -> SignedInSession:
    """Starts a session and sets its cookie. Answers 401 `wrong_credentials` if the address or the
    password is wrong, and 429 `locked` after too many wrong passwords."""
    return await _start(
        gateway,
        request,
        await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body))),
    )


@router.post(
    "/code",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Send a sign-in code and link by e-mail",
)
async def start_code(
    body: StartEmailCode, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> Flow:
    """Sends one e-mail with both. The code works in any browser, together with `flow`. The link
    works only in this browser. Both also create an account if sign-up is open."""
    return await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body)))


@router.post(
    "/magic-link",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Send a sign-in link and code by e-mail (same as /api/auth/code)",
)
async def magic_link(
    body: StartEmailCode, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> Flow:
    """Does the same as `POST /api/auth/code`: one e-mail holds the link and the code."""
    return await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body)))


@router.post("/code/verify", response_model_exclude={"token"}, summary="Sign in with a code")
async def with_code(
    body: SignInWithCode, gateway: TheGateway, request: TheRequest, ctx: Starting
) -> SignedInSession:
    """Starts a session and sets its cookie. Answers 422 `wrong_code` if the code is wrong, and 410
    `code_spent` after five wrong codes."""
    return await _start(
        gateway,
        request,
        await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body))),
    )


@router.post("/link", response_model_exclude={"token"}, summary="Sign in with a link")
async def with_link(
    body: SignInWithLink, gateway: TheGateway, request: TheRequest, ctx: Starting
) -> SignedInSession:
    """Starts a session and sets its cookie. Answers 403 `other_browser` if another browser
    requested the link."""
    return await _start(
        gateway,
        request,
        await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body))),
    )


@router.post(
    "/confirm", response_model_exclude={"token"}, summary="Confirm your identity with your password"
)
async def confirm(
    body: Reauthenticate, gateway: TheGateway, request: TheRequest, ctx: SignedIn
) -> SignedInSession:
    """Records a fresh sign-in in the session, which continues under a new id. Sensitive calls need
    a sign-in within the last 15 minutes."""
    return await _start(gateway, request, await gateway.bus.call(ctx, body))


@router.post(
    "/reset",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Send a password reset e-mail",
)
async def start_reset(
    body: StartReset, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> Flow:
    """Sends an e-mail with a code and a link. The answer is the same if the address has no
    account."""
    return await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body)))


@router.post("/reset/finish", response_model_exclude={"token"}, summary="Reset a password")
async def reset(
    body: ResetPassword, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> SignedInSession:
    """Sets a new password. Send the `token` from the link, or `flow` and `code`. All sessions of
    the user end, and a new one starts in this browser."""
    return await _start(
        gateway,
        request,
        await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body))),
    )


@router.post("/password/check", status_code=204, summary="Check a new password")
async def check_password(body: CheckPassword, ctx: Anyone, bus: TheBus) -> Response:
    """Answers 204 if the password would be accepted, or 422 `weak_password` with the reasons."""
    await bus.call(ctx, body)
    return Response(status_code=204)


@router.post("/verify-email", summary="Confirm a new e-mail address with a link")
async def verify_email(body: LinkToken, ctx: SignedIn, bus: TheBus) -> Done:
    """Confirms the address for the signed-in user who requested the change. Answers 403
    `other_browser` for any other user, and 410 `link_spent` if the link was used or has expired."""
    return await bus.call(ctx, VerifyEmail(token=body.token))


@router.post("/invitation", summary="Get an invitation by its token")
async def invitation(body: LinkToken, ctx: Anyone, bus: TheBus) -> InvitationOffer:
    """Returns who the invitation is for, before it is accepted. The token is in the body so that it
    does not appear in access logs."""
    return await bus.call(ctx, GetInvitation(token=body.token))


@router.post("/invitation/accept", response_model_exclude={"token"}, summary="Accept an invitation")
async def accept_invitation(
    body: AcceptInvitation, gateway: TheGateway, request: TheRequest, ctx: Starting
) -> SignedInSession:
    """Creates the user with the roles of the invitation, and signs them in."""
    return await _start(
        gateway,
        request,
        await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body))),
    )


@router.post(
    "/owner/claim",
    response_model_exclude={"token"},
    summary="Create the first operator with the owner link",
)
async def claim_owner(
    body: ClaimOwner, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> SignedInSession:
    """Creates an operator account on the Dashboard and signs it in. The owner link works once."""
    return await _start(
        gateway,
        request,
        await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body))),
    )


@router.post("/signout", summary="Sign out")
async def sign_out(gateway: TheGateway, request: TheRequest, ctx: Anyone) -> Done:
    """Ends the session of the cookie and deletes the cookie. Other accounts in this browser stay
    signed in. Does nothing if there is no session."""
    await browser_sessions.end(gateway, request)
    return Done()


routes = RouteSet(router=router)

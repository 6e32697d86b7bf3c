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
from gateway.api.deps import Anyone, SignedIn, TheBus, TheVisit
from gateway.api.noun_router import NounRouter
from gateway.auth import browser_sessions as browser
from gateway.http import csrf
from gateway.http.request import GatewayRequest

OWN_HOST_ONLY = True
router = NounRouter(prefix="/auth", tags=["auth"])


class LinkToken(Contract):
    token: Annotated[Token, Field(repr=False)]


async def _begin(visit: GatewayRequest, signed: SignedInSession) -> SignedInSession:
    await browser.begin(visit, signed)
    return signed


def _of(visit: GatewayRequest, request: Attempt) -> dict[str, str]:
    """What every attempt carries beside its body: this browser's own cookie."""
    return {"browser": request.browser or csrf.browser_id(visit)}


@router.get("/protection", summary="Get the challenge for sign-in forms")
async def protection(ctx: Anyone, bus: TheBus) -> Protection:
    """Returns the site key of the captcha and the challenge for the proof of work. Each is null if
    the application does not use it."""
    return await bus.call(ctx, GetProtection())


@router.post("/signup", status_code=202, response_model_exclude={"browser"}, summary="Sign up")
async def sign_up(request: SignUp, visit: TheVisit, ctx: Anyone, bus: TheBus) -> Flow:
    """Sends an e-mail with a code and a link. The account is created when the user enters the code
    or opens the link. The answer is the same if the address already has an account."""
    return await bus.call(ctx, request.model_copy(update=_of(visit, request)))


@router.post(
    "/signup/resend",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Resend the sign-up e-mail",
)
async def resend_sign_up(request: ResendSignUp, visit: TheVisit, ctx: Anyone, bus: TheBus) -> Flow:
    """Sends a new code and link for a sign-up that this browser started within the last hour. The
    data that the user entered is kept. The answer has a new `flow`. Answers 410 `code_spent` if the
    sign-up is finished or older."""
    return await bus.call(ctx, request.model_copy(update=_of(visit, request)))


@router.post("/signin", response_model_exclude={"token"}, summary="Sign in with a password")
async def sign_in(
    request: SignInWithPassword, visit: TheVisit, ctx: Anyone, bus: TheBus
) -> SignedInSession:
    """Starts a session and sets its cookie. Answers 401 `wrong_credentials` if the address or the
    password is wrong, and 429 `locked` after too many wrong passwords."""
    return await _begin(visit, await bus.call(ctx, request.model_copy(update=_of(visit, request))))


@router.post(
    "/code",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Send a sign-in code and link by e-mail",
)
async def start_code(request: StartEmailCode, visit: TheVisit, ctx: Anyone, bus: TheBus) -> Flow:
    """Sends one e-mail with both. The code works in any browser, together with `flow`. The link
    works only in this browser. Both also create an account if sign-up is open."""
    return await bus.call(ctx, request.model_copy(update=_of(visit, request)))


@router.post(
    "/magic-link",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Send a sign-in link and code by e-mail (same as /api/auth/code)",
)
async def magic_link(request: StartEmailCode, visit: TheVisit, ctx: Anyone, bus: TheBus) -> Flow:
    """Does the same as `POST /api/auth/code`: one e-mail holds the link and the code."""
    return await bus.call(ctx, request.model_copy(update=_of(visit, request)))


@router.post("/code/verify", response_model_exclude={"token"}, summary="Sign in with a code")
async def with_code(
    request: SignInWithCode, visit: TheVisit, ctx: Anyone, bus: TheBus
) -> SignedInSession:
    """Starts a session and sets its cookie. Answers 422 `wrong_code` if the code is wrong, and 410
    `code_spent` after five wrong codes."""
    return await _begin(visit, await bus.call(ctx, request.model_copy(update=_of(visit, request))))


@router.post("/link", response_model_exclude={"token"}, summary="Sign in with a link")
async def with_link(
    request: SignInWithLink, visit: TheVisit, ctx: Anyone, bus: TheBus
) -> SignedInSession:
    """Starts a session and sets its cookie. Answers 403 `other_browser` if another browser
    requested the link."""
    return await _begin(visit, await bus.call(ctx, request.model_copy(update=_of(visit, request))))


@router.post(
    "/confirm", response_model_exclude={"token"}, summary="Confirm your identity with your password"
)
async def confirm(
    request: Reauthenticate, visit: TheVisit, ctx: SignedIn, bus: TheBus
) -> SignedInSession:
    """Records a fresh sign-in in the session, which continues under a new id. Sensitive calls need
    a sign-in within the last 15 minutes."""
    return await _begin(visit, await bus.call(ctx, request))


@router.post(
    "/reset",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Send a password reset e-mail",
)
async def start_reset(request: StartReset, visit: TheVisit, ctx: Anyone, bus: TheBus) -> Flow:
    """Sends an e-mail with a code and a link. The answer is the same if the address has no
    account."""
    return await bus.call(ctx, request.model_copy(update=_of(visit, request)))


@router.post("/reset/finish", response_model_exclude={"token"}, summary="Reset a password")
async def reset(
    request: ResetPassword, visit: TheVisit, ctx: Anyone, bus: TheBus
) -> SignedInSession:
    """Sets a new password. Send the `token` from the link, or `flow` and `code`. All sessions of
    the user end, and a new one starts in this browser."""
    return await _begin(visit, await bus.call(ctx, request.model_copy(update=_of(visit, request))))


@router.post("/password/check", status_code=204, summary="Check a new password")
async def check_password(request: CheckPassword, ctx: Anyone, bus: TheBus) -> Response:
    """Answers 204 if the password would be accepted, or 422 `weak_password` with the reasons."""
    await bus.call(ctx, request)
    return Response(status_code=204)


@router.post("/verify-email", summary="Confirm a new e-mail address with a link")
async def verify_email(request: LinkToken, ctx: SignedIn, bus: TheBus) -> Done:
    """Confirms the address for the signed-in user who requested the change. Answers 403
    `other_browser` for any other user, and 410 `link_spent` if the link was used or has expired."""
    return await bus.call(ctx, VerifyEmail(token=request.token))


@router.post("/invitation", summary="Get an invitation by its token")
async def invitation(request: LinkToken, ctx: Anyone, bus: TheBus) -> InvitationOffer:
    """Returns who the invitation is for, before it is accepted. The token is in the body so that it
    does not appear in access logs."""
    return await bus.call(ctx, GetInvitation(token=request.token))


@router.post("/invitation/accept", response_model_exclude={"token"}, summary="Accept an invitation")
async def accept_invitation(
    request: AcceptInvitation, visit: TheVisit, ctx: Anyone, bus: TheBus
) -> SignedInSession:
    """Creates the user with the roles of the invitation, and signs them in."""
    return await _begin(visit, await bus.call(ctx, request.model_copy(update=_of(visit, request))))


@router.post(
    "/owner/claim",
    response_model_exclude={"token"},
    summary="Create the first operator with the owner link",
)
async def claim_owner(
    request: ClaimOwner, visit: TheVisit, ctx: Anyone, bus: TheBus
) -> SignedInSession:
    """Creates an operator account on the Dashboard and signs it in. The owner link works once."""
    return await _begin(visit, await bus.call(ctx, request.model_copy(update=_of(visit, request))))


@router.post("/signout", summary="Sign out")
async def sign_out(visit: TheVisit, ctx: Anyone) -> Done:
    """Ends the session of the cookie and deletes the cookie. Other accounts in this browser stay
    signed in. Does nothing if there is no session."""
    await browser.end(visit)
    return Done()

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


@router.get("/protection", summary="What the application asks of strangers first")
async def protection(ctx: Anyone, bus: TheBus) -> Protection:
    """A captcha's site key, a challenge for a proof of work; both absent where not asked for."""
    return await bus.call(ctx, GetProtection())


@router.post(
    "/signup", status_code=202, response_model_exclude={"browser"}, summary="Ask for an account"
)
async def sign_up(request: SignUp, visit: TheVisit, ctx: Anyone, bus: TheBus) -> Flow:
    """A mail with a code and a link goes out; the account is there once one of them is used. The
    answer is the same for an address that has an account already."""
    return await bus.call(ctx, request.model_copy(update=_of(visit, request)))


@router.post(
    "/signup/resend",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Send another mail for a sign-up",
)
async def resend_sign_up(request: ResendSignUp, visit: TheVisit, ctx: Anyone, bus: TheBus) -> Flow:
    """For the browser that signed up within the last hour: everything entered is kept. The answer
    has a new `flow`. 410 `code_spent` if the sign-up is finished or older."""
    return await bus.call(ctx, request.model_copy(update=_of(visit, request)))


@router.post("/signin", response_model_exclude={"token"}, summary="Sign in with a password")
async def sign_in(
    request: SignInWithPassword, visit: TheVisit, ctx: Anyone, bus: TheBus
) -> SignedInSession:
    """Sets the session cookie. 401 `wrong_credentials`, 429 `locked`."""
    return await _begin(visit, await bus.call(ctx, request.model_copy(update=_of(visit, request))))


@router.post(
    "/code",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Mail a code and a link to sign in",
)
async def start_code(request: StartEmailCode, visit: TheVisit, ctx: Anyone, bus: TheBus) -> Flow:
    """The code works anywhere with `flow`; the link in this browser only. Signs up, too, where that
    is open."""
    return await bus.call(ctx, request.model_copy(update=_of(visit, request)))


@router.post(
    "/magic-link",
    status_code=202,
    response_model_exclude={"browser"},
    summary="The same as /api/auth/code",
)
async def magic_link(request: StartEmailCode, visit: TheVisit, ctx: Anyone, bus: TheBus) -> Flow:
    """One mail carries both, so this is another name for it."""
    return await bus.call(ctx, request.model_copy(update=_of(visit, request)))


@router.post("/code/verify", response_model_exclude={"token"}, summary="Sign in with a mailed code")
async def with_code(
    request: SignInWithCode, visit: TheVisit, ctx: Anyone, bus: TheBus
) -> SignedInSession:
    """Sets the session cookie. 422 `wrong_code`, 410 `code_spent` after five tries."""
    return await _begin(visit, await bus.call(ctx, request.model_copy(update=_of(visit, request))))


@router.post("/link", response_model_exclude={"token"}, summary="Sign in with a mailed link")
async def with_link(
    request: SignInWithLink, visit: TheVisit, ctx: Anyone, bus: TheBus
) -> SignedInSession:
    """Sets the session cookie. 403 `other_browser` where another browser asked for the mail."""
    return await _begin(visit, await bus.call(ctx, request.model_copy(update=_of(visit, request))))


@router.post("/confirm", response_model_exclude={"token"}, summary="Prove again who you are")
async def confirm(
    request: Reauthenticate, visit: TheVisit, ctx: SignedIn, bus: TheBus
) -> SignedInSession:
    """The session goes on under a new id. What is sensitive asks for a proof of the last 15 minutes."""
    return await _begin(visit, await bus.call(ctx, request))


@router.post(
    "/reset",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Mail a code and a link to choose a new password",
)
async def start_reset(request: StartReset, visit: TheVisit, ctx: Anyone, bus: TheBus) -> Flow:
    """The answer is the same for an unknown address."""
    return await bus.call(ctx, request.model_copy(update=_of(visit, request)))


@router.post("/reset/finish", response_model_exclude={"token"}, summary="Choose a new password")
async def reset(
    request: ResetPassword, visit: TheVisit, ctx: Anyone, bus: TheBus
) -> SignedInSession:
    """By `token` from the link, or `flow` and `code`. Every session ends and a new one begins."""
    return await _begin(visit, await bus.call(ctx, request.model_copy(update=_of(visit, request))))


@router.post("/password/check", status_code=204, summary="Whether a password would do")
async def check_password(request: CheckPassword, ctx: Anyone, bus: TheBus) -> Response:
    """204, or 422 `weak_password` with the reasons."""
    await bus.call(ctx, request)
    return Response(status_code=204)


@router.post("/verify-email", summary="Confirm an address by its mailed link")
async def verify_email(request: LinkToken, ctx: SignedIn, bus: TheBus) -> Done:
    """For the signed-in user who wanted the change; 403 `other_browser` for anybody else. 410
    `link_spent` where it was used or has expired."""
    return await bus.call(ctx, VerifyEmail(token=request.token))


@router.post("/invitation", summary="Look at an invitation")
async def invitation(request: LinkToken, ctx: Anyone, bus: TheBus) -> InvitationOffer:
    """Whom it is for, before it is accepted. The token stands in the body, so that no log has it."""
    return await bus.call(ctx, GetInvitation(token=request.token))


@router.post("/invitation/accept", response_model_exclude={"token"}, summary="Accept an invitation")
async def accept_invitation(
    request: AcceptInvitation, visit: TheVisit, ctx: Anyone, bus: TheBus
) -> SignedInSession:
    """Creates the user with the roles that the invitation names, and signs them in."""
    return await _begin(visit, await bus.call(ctx, request.model_copy(update=_of(visit, request))))


@router.post("/owner/claim", response_model_exclude={"token"}, summary="Use the owner link")
async def claim_owner(
    request: ClaimOwner, visit: TheVisit, ctx: Anyone, bus: TheBus
) -> SignedInSession:
    """Creates the operator's account. Works once, in the Dashboard, for the holder of the owner link."""
    return await _begin(visit, await bus.call(ctx, request.model_copy(update=_of(visit, request))))


@router.post("/signout", summary="End this session")
async def sign_out(visit: TheVisit, ctx: Anyone) -> Done:
    """The session behind the cookie ends everywhere, and the cookie goes. Other accounts of the
    browser stay signed in. Without a session nothing happens."""
    await browser.end(visit)
    return Done()

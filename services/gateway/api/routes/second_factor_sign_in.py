"""Sign-ins that wait for a second factor, by JSON. The half session is in a cookie of its own."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract, Done
from common.contracts.second_factors import (
    CancelSignIn,
    CompleteSignIn,
    ConfirmFactor,
    ConfirmTotpAtSignIn,
    EnrolledTotp,
    FactorProof,
    GetSecondFactorChallenge,
    SetUpTotpAtSignIn,
    TotpSetup,
)
from common.contracts.sessions import NoSession, SecondFactorChallenge, SignedInSession
from gateway.api.deps import Anyone, SignedIn, TheGateway, TheRequest
from gateway.api.noun_router import NounRouter
from gateway.auth import browser_sessions, remembered_devices
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.routing import RouteSet
from gateway.state import Gateway

router = NounRouter(prefix="/auth", tags=["auth"])


class ShownFactor(FactorProof):
    """A code of the authenticator app or a recovery code."""

    remember_device: bool = Field(
        default=False,
        description="Whether this browser skips the second factor for the application's "
        "`mfa_remember_device_days`.",
    )


class FirstTotpCode(Contract):
    """The first code of a new authenticator app."""

    code: str = Field(max_length=20, repr=False, description="Six digits.")


def _token(gateway: Gateway, request: GatewayRequest) -> str:
    """Returns the token of the browser's half session. Raises NoSession."""
    token = browser_sessions.half_session(gateway, request)
    if token is None:
        raise NoSession
    return token


@router.get("/second-factor", summary="Get what a sign-in waits for")
async def challenge(gateway: TheGateway, request: TheRequest, ctx: Anyone) -> SecondFactorChallenge:
    """Returns the second factors that complete the sign-in of this browser, the best first. Answers
    401 `no_session` if no sign-in waits, or if it is older than ten minutes."""
    call = GetSecondFactorChallenge(token=_token(gateway, request))
    return await gateway.bus.call(ctx, call)


@router.post(
    "/second-factor", response_model_exclude={"token"}, summary="Complete a sign-in with a code"
)
async def complete(
    body: ShownFactor, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> SignedInSession:
    """Starts the session and sets its cookie. Send `code` or `recovery_code`. Answers 422
    `wrong_factor_code` if it is wrong. Five wrong codes end the sign-in. Ten within an hour lock
    your second factors for that hour (429 `rate_limited`)."""
    call = CompleteSignIn(
        token=_token(gateway, request),
        browser=csrf.browser_id(gateway.settings, request),
        **body.model_dump(),
    )
    done = await gateway.bus.call(ctx, call)
    remembered_devices.remember(gateway, request, done.signed_in.full().user_id, done.device)
    await browser_sessions.start(gateway, request, done.signed_in)
    return done.signed_in


@router.delete("/second-factor", summary="Cancel a sign-in")
async def cancel(gateway: TheGateway, request: TheRequest, ctx: Anyone) -> Done:
    """Ends the sign-in that waits for a second factor, and deletes its cookie."""
    token = browser_sessions.half_session(gateway, request)
    if token is not None:
        await gateway.bus.call(ctx, CancelSignIn(token=token))
        browser_sessions.forget_half(gateway, request)
    return Done()


@router.post("/second-factor/totp/setup", summary="Set up an authenticator app at sign-in")
async def set_up_totp(gateway: TheGateway, request: TheRequest, ctx: Anyone) -> TotpSetup:
    """Returns the secret for a sign-in that must enrol a second factor (`mfa_setup_required`). Answers
    403 `factor_needed` if the user has one already."""
    return await gateway.bus.call(ctx, SetUpTotpAtSignIn(token=_token(gateway, request)))


@router.post(
    "/second-factor/totp/verify",
    response_model_exclude={"signed_in": {"token"}},
    summary="Turn the authenticator app on at sign-in",
)
async def verify_totp(
    body: FirstTotpCode, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> EnrolledTotp:
    """Turns the app on by its first code, starts the session, and sets its cookie. The answer has the
    recovery codes, which are shown this once."""
    call = ConfirmTotpAtSignIn(
        token=_token(gateway, request),
        code=body.code,
        browser=csrf.browser_id(gateway.settings, request),
    )
    enrolled = await gateway.bus.call(ctx, call)
    assert enrolled.signed_in is not None
    await browser_sessions.start(gateway, request, enrolled.signed_in)
    return enrolled


@router.post(
    "/confirm/second-factor",
    response_model_exclude={"token"},
    summary="Confirm your identity with your second factor",
)
async def confirm_factor(
    body: ConfirmFactor, gateway: TheGateway, request: TheRequest, ctx: SignedIn
) -> SignedInSession:
    """Records a fresh second factor in your session, which continues under a new id. Send `code` or
    `recovery_code`. Answers 422 `wrong_factor_code` if it is wrong."""
    again = await gateway.bus.call(ctx, body)
    await browser_sessions.start(gateway, request, again)
    return again


routes = RouteSet(router=router)

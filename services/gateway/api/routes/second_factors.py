"""The second factors of the caller, and their remembered devices."""

from __future__ import annotations

from common.contracts.base import Done, Id
from common.contracts.second_factors import (
    ConfirmTotp,
    EnrolledTotp,
    GetSecondFactors,
    RecoveryCodes,
    RegenerateRecoveryCodes,
    RemoveTotp,
    RevokeDevice,
    SecondFactors,
    SetUpTotp,
    TotpSetup,
)
from gateway.api.deps import SignedIn, TheBus, TheGateway, TheRequest
from gateway.api.noun_router import NounRouter
from gateway.auth import browser_sessions
from gateway.routing import RouteSet

router = NounRouter(prefix="/users/me/mfa", tags=["second_factors"])


@router.get("", summary="Get your second factors")
async def get(ctx: SignedIn, bus: TheBus) -> SecondFactors:
    """Returns your authenticator app, how many passkeys and recovery codes you have, and the devices
    that skip the second factor."""
    return await bus.call(ctx, GetSecondFactors())


@router.post("/totp/setup", summary="Set up an authenticator app")
async def set_up_totp(ctx: SignedIn, bus: TheBus) -> TotpSetup:
    """Returns the secret as text, as URI and as QR code. Confirm it with the first code. Until then,
    an earlier app stays valid. Answers 403 `second_factors_off` if the application's `mfa_policy` is
    `off`, and 403 `fresh_sign_in_needed` if your last sign-in is older than 15 minutes."""
    return await bus.call(ctx, SetUpTotp())


@router.post(
    "/totp/verify",
    response_model_exclude={"signed_in": {"token"}},
    summary="Turn the authenticator app on",
)
async def verify_totp(
    body: ConfirmTotp, gateway: TheGateway, request: TheRequest, ctx: SignedIn
) -> EnrolledTotp:
    """Turns the app on by its first code. Your session continues under a new id, with two factors.
    The answer has your recovery codes, if you had none. They are shown this once. Answers 422
    `wrong_factor_code` if the code is wrong."""
    enrolled = await gateway.bus.call(ctx, body)
    if enrolled.signed_in is not None:
        await browser_sessions.start(gateway, request, enrolled.signed_in)
    return enrolled


@router.delete("/totp", summary="Turn the authenticator app off")
async def remove_totp(ctx: SignedIn, bus: TheBus) -> Done:
    """Removes the app, and the recovery codes if you have no second factor left. Answers 409
    `last_second_factor` if the application requires one, and 403 `fresh_sign_in_needed` if your last
    sign-in is older than 15 minutes."""
    return await bus.call(ctx, RemoveTotp())


@router.post("/recovery-codes", summary="Replace your recovery codes")
async def regenerate(ctx: SignedIn, bus: TheBus) -> RecoveryCodes:
    """Returns ten new recovery codes. They are shown this once, and the old ones stop working. Answers
    403 `fresh_sign_in_needed` if your last sign-in is older than 15 minutes."""
    return await bus.call(ctx, RegenerateRecoveryCodes())


@router.delete("/devices/{id}", summary="End a remembered device")
async def revoke_device(id: Id, ctx: SignedIn, bus: TheBus) -> Done:
    """The device asks for your second factor at the next sign-in."""
    return await bus.call(ctx, RevokeDevice(device_id=id))


routes = RouteSet(router=router)

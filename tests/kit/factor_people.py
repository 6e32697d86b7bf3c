"""Fake answers about second factors, for tests of the hosted pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from common.context import Context
from common.contracts.base import Done
from common.contracts.second_factors import (
    CancelSignIn,
    CompletedSignIn,
    CompleteSignIn,
    ConfirmFactor,
    ConfirmTotp,
    ConfirmTotpAtSignIn,
    DeviceNotFound,
    EnrolledTotp,
    GetSecondFactorChallenge,
    GetSecondFactors,
    RecoveryCodes,
    RegenerateRecoveryCodes,
    RememberedDevice,
    RemoveTotp,
    RevokeDevice,
    SecondFactors,
    SetUpTotp,
    SetUpTotpAtSignIn,
    TotpFactor,
    TotpSetup,
    WrongFactorCode,
)
from common.contracts.sessions import (
    FreshSignInNeeded,
    HalfKind,
    NoSession,
    SecondFactorChallenge,
    SignedInSession,
)
from identity import totp_codes

if TYPE_CHECKING:
    from tests.kit.people import People

TOTP_CODE: Final = "246810"
RECOVERY: Final = [f"7k3f-9dqm-x2wn-{number}abc-defg-hjkm" for number in range(10)]
HALF: Final = "half-token"
DEVICE: Final = "01900000-0000-7000-8000-0000000000dd"


def challenge(kind: HalfKind = "mfa_required") -> SecondFactorChallenge:
    """Returns what a sign-in waits for."""
    return SecondFactorChallenge(
        kind=kind,
        factors=["totp", "recovery_code"] if kind == "mfa_required" else [],
        email="ada@example.com",
        expires_at=datetime.now(UTC) + timedelta(minutes=10),
    )


def half(people: People) -> SignedInSession:
    return SignedInSession(token=HALF, session=None, challenge=people.challenge)


async def get_challenge(people: People, ctx: Context, request: Any) -> SecondFactorChallenge:
    if people.challenge is None or request.token != HALF:
        raise NoSession
    return people.challenge


def check(request: Any) -> None:
    recovery = getattr(request, "recovery_code", None)
    if request.code != TOTP_CODE and recovery != RECOVERY[0]:
        raise WrongFactorCode


async def complete(people: People, ctx: Context, request: CompleteSignIn) -> CompletedSignIn:
    await get_challenge(people, ctx, request)
    check(request)
    people.challenge = None
    device = "d" * 43 if request.remember_device else None
    return CompletedSignIn(signed_in=people.begin(ctx), device=device)


async def cancel(people: People, ctx: Context, request: CancelSignIn) -> Done:
    people.challenge = None
    return Done()


async def set_up(people: People, ctx: Context, request: Any) -> TotpSetup:
    if isinstance(request, SetUpTotpAtSignIn):
        await get_challenge(people, ctx, request)
    elif not people.fresh:
        raise FreshSignInNeeded
    return totp_codes.setup(b"\x5a" * 20, issuer="Acme Shop", account="ada@example.com")


async def enrol(people: People, ctx: Context, request: Any) -> EnrolledTotp:
    if isinstance(request, ConfirmTotpAtSignIn):
        await get_challenge(people, ctx, request)
    check(request)
    people.challenge, people.has_totp = None, True
    return EnrolledTotp(signed_in=people.begin(ctx), recovery_codes=RECOVERY)


async def factors(people: People, ctx: Context, request: GetSecondFactors) -> SecondFactors:
    now = datetime.now(UTC)
    devices = [
        RememberedDevice(
            id=DEVICE,
            name="Firefox on Linux",
            created_at=now - timedelta(days=3),
            last_used_at=now - timedelta(hours=2),
            expires_at=now + timedelta(days=27),
        )
    ]
    if not people.has_totp:
        return SecondFactors(recovery_codes_left=0, devices=[])
    totp = TotpFactor(created_at=now - timedelta(days=40), last_used_at=now)
    return SecondFactors(totp=totp, recovery_codes_left=9, devices=devices)


async def remove(people: People, ctx: Context, request: RemoveTotp) -> Done:
    if not people.fresh:
        raise FreshSignInNeeded
    people.has_totp = False
    return Done()


async def regenerate(
    people: People, ctx: Context, request: RegenerateRecoveryCodes
) -> RecoveryCodes:
    if not people.fresh:
        raise FreshSignInNeeded
    return RecoveryCodes(recovery_codes=RECOVERY)


async def revoke(people: People, ctx: Context, request: RevokeDevice) -> Done:
    if request.device_id != DEVICE:
        raise DeviceNotFound
    people.revoked.append(request.device_id)
    return Done()


async def confirm(people: People, ctx: Context, request: ConfirmFactor) -> SignedInSession:
    check(request)
    people.fresh = True
    return people.begin(ctx)


HANDLERS: dict[Any, Any] = {
    GetSecondFactorChallenge: get_challenge,
    CompleteSignIn: complete,
    CancelSignIn: cancel,
    SetUpTotp: set_up,
    SetUpTotpAtSignIn: set_up,
    ConfirmTotp: enrol,
    ConfirmTotpAtSignIn: enrol,
    GetSecondFactors: factors,
    RemoveTotp: remove,
    RegenerateRecoveryCodes: regenerate,
    RevokeDevice: revoke,
    ConfirmFactor: confirm,
}

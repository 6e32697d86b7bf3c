"""Signing in and up with a passkey, by JSON: options for the browser, and its answer."""

from __future__ import annotations

from typing import Any

from common.contracts.base import Contract
from common.contracts.fields import PublicTitle
from common.contracts.passkey_sign_in import (
    AddFirstPasskey,
    ConfirmWithPasskey,
    ShowPasskeySecondFactor,
    SignInWithPasskey,
    SignUpWithPasskey,
    StartFirstPasskey,
    StartPasskeyConfirmation,
    StartPasskeySecondFactor,
    StartPasskeySignIn,
    StartPasskeySignUp,
)
from common.contracts.passkeys import AddedPasskey, CredentialJson, PasskeyOptions, RpId
from common.contracts.sessions import NoSession, SignedInSession
from common.contracts.sign_in import Attempt, SignInAttempt
from gateway.api.deps import Anyone, SignedIn, Starting, TheGateway, TheRequest
from gateway.api.noun_router import NounRouter
from gateway.auth import browser_sessions, remembered_devices
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.routing import RouteSet
from gateway.state import Gateway

router = NounRouter(prefix="/auth/passkey", tags=["auth"])


class PasskeyHost(Contract):
    """The host whose passkeys are asked for; by default, that of the call."""

    rp_id: RpId | None = None


class ShownPasskey(Contract):
    """The answer of the browser."""

    credential: CredentialJson


class ShownSecondFactor(ShownPasskey):
    """The answer of the browser, and whether this device is not asked again for some days."""

    remember_device: bool = False


class NewPasskeyAnswer(ShownPasskey):
    """The answer of the browser, and a name for the passkey."""

    name: PublicTitle | None = None


def _browser(gateway: Gateway, request: GatewayRequest, body: Attempt) -> dict[str, Any]:
    """Returns what every attempt has beside its body: the browser's own cookies."""
    facts: dict[str, Any] = {"browser": csrf.browser_id(gateway.settings, request)}
    if isinstance(body, SignInAttempt):
        facts["devices"] = remembered_devices.values(gateway, request)
    return facts


def _half(gateway: Gateway, request: GatewayRequest) -> dict[str, str]:
    """Returns the token of the browser's half session, and the browser. Raises NoSession."""
    token = browser_sessions.half_session(gateway, request)
    if token is None:
        raise NoSession
    return {"token": token, "browser": csrf.browser_id(gateway.settings, request)}


async def _start(
    gateway: Gateway, request: GatewayRequest, new_session: SignedInSession
) -> SignedInSession:
    await browser_sessions.start(gateway, request, new_session)
    return new_session


async def _start_added(
    gateway: Gateway, request: GatewayRequest, added: AddedPasskey
) -> AddedPasskey:
    if added.session is not None:
        await browser_sessions.start(gateway, request, added.session)
    return added


@router.post("/options", summary="Get the options to sign in with a passkey")
async def options(
    body: StartPasskeySignIn, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> PasskeyOptions:
    """Returns `options` for `navigator.credentials.get`. Their challenge lasts five minutes, works
    once, and only in this browser. Fetch them before the user presses your button: Safari asks for a
    passkey only at once. Answers 403 `method_off` if the application does not use passkeys."""
    return await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body)))


@router.post("/verify", response_model_exclude={"token"}, summary="Sign in with a passkey")
async def verify(
    body: SignInWithPasskey, gateway: TheGateway, request: TheRequest, ctx: Starting
) -> SignedInSession:
    """Starts a session and sets its cookie. A passkey counts as two factors. Answers 401
    `passkey_unknown` if nobody here has this passkey, 400 `passkey_refused` if the answer is wrong,
    and 410 `passkey_challenge_spent` if the challenge was used or has expired."""
    call = body.model_copy(update=_browser(gateway, request, body))
    return await _start(gateway, request, await gateway.bus.call(ctx, call))


@router.post("/second-factor/options", summary="Get the options for a passkey as second factor")
async def second_factor_options(
    body: PasskeyHost, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> PasskeyOptions:
    """Returns the options for the sign-in of this browser that waits for a second factor. Answers 401
    `no_session` if none waits."""
    call = StartPasskeySecondFactor(rp_id=body.rp_id, **_half(gateway, request))
    return await gateway.bus.call(ctx, call)


@router.post(
    "/second-factor/verify",
    response_model_exclude={"token"},
    summary="Complete a sign-in with a passkey",
)
async def second_factor(
    body: ShownSecondFactor, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> SignedInSession:
    """Starts the session and sets its cookie. With `remember_device`, this browser is not asked again
    for the days that the application has set. After five wrong answers the sign-in ends."""
    call = ShowPasskeySecondFactor(**body.model_dump(), **_half(gateway, request))
    done = await gateway.bus.call(ctx, call)
    user_id = done.signed_in.full().user_id
    remembered_devices.remember(gateway, request, user_id, done.device)
    return await _start(gateway, request, done.signed_in)


@router.post("/setup/options", summary="Get the options to enrol a passkey at sign-in")
async def setup_options(gateway: TheGateway, request: TheRequest, ctx: Anyone) -> PasskeyOptions:
    """Returns `options` for `navigator.credentials.create`, for a sign-in that must enrol a second
    factor. Answers 403 `forbidden` if the user has one: they show it instead."""
    return await gateway.bus.call(ctx, StartFirstPasskey(**_half(gateway, request)))


@router.post(
    "/setup/verify",
    response_model_exclude={"session": {"token"}},
    summary="Enrol a passkey at sign-in",
)
async def setup(
    body: NewPasskeyAnswer, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> AddedPasskey:
    """Adds the passkey, starts the session, and sets its cookie. The recovery codes are not shown
    again."""
    call = AddFirstPasskey(**body.model_dump(), **_half(gateway, request))
    return await _start_added(gateway, request, await gateway.bus.call(ctx, call))


@router.post("/confirm/options", summary="Get the options to confirm your identity with a passkey")
async def confirm_options(body: PasskeyHost, gateway: TheGateway, ctx: SignedIn) -> PasskeyOptions:
    """Returns the options to confirm this session."""
    return await gateway.bus.call(ctx, StartPasskeyConfirmation(rp_id=body.rp_id))


@router.post(
    "/confirm/verify",
    response_model_exclude={"token"},
    summary="Confirm your identity with a passkey",
)
async def confirm_with_passkey(
    body: ConfirmWithPasskey, gateway: TheGateway, request: TheRequest, ctx: SignedIn
) -> SignedInSession:
    """Records a fresh second factor in your session, which continues under a new id. Answers 409
    `account_switched` if another user is signed in now."""
    return await _start(gateway, request, await gateway.bus.call(ctx, body))


@router.post("/signup/options", summary="Get the options to sign up with a passkey")
async def sign_up_options(
    body: StartPasskeySignUp, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> PasskeyOptions:
    """Returns `options` for `navigator.credentials.create`. The answer is the same if the address has
    an account. Answers 403 `method_off` unless the application has `passkey_sign_up`."""
    return await gateway.bus.call(ctx, body.model_copy(update=_browser(gateway, request, body)))


@router.post(
    "/signup/verify",
    response_model_exclude={"session": {"token"}},
    summary="Sign up with a passkey",
)
async def sign_up_with_passkey(
    body: SignUpWithPasskey, gateway: TheGateway, request: TheRequest, ctx: Anyone
) -> AddedPasskey:
    """Creates the user and starts a session. The address becomes theirs once they open the link in the
    e-mail. The recovery codes are not shown again."""
    call = body.model_copy(update=_browser(gateway, request, body))
    return await _start_added(gateway, request, await gateway.bus.call(ctx, call))


routes = RouteSet(router=router)

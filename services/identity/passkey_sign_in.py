"""Signing in with a passkey: alone, as the second factor, and as the confirmation of a session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from common.context import Context
from common.contracts.passkey_sign_in import (
    ConfirmWithPasskey,
    ShowPasskeySecondFactor,
    SignInWithPasskey,
    StartPasskeyConfirmation,
    StartPasskeySecondFactor,
    StartPasskeySignIn,
)
from common.contracts.passkeys import PasskeyOptions, PasskeyUnknown
from common.contracts.second_factors import CompletedSignIn
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import EmailUnverified
from common.contracts.tenants import Tenant
from common.contracts.users import UserNotFound
from common.db import Db
from common.problems import Forbidden
from identity import (
    first_proof,
    guests,
    half_sessions,
    passkey_challenges,
    passkey_proof,
    remembered_devices,
    session_start,
)
from identity.authentication_result import AuthenticationResult
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.limits import (
    PASSKEY_CHALLENGE_BY_APP,
    PASSKEY_CHALLENGE_BY_IP,
    SIGN_IN_BY_APP,
    SIGN_IN_BY_IP,
)
from identity.passkey_challenges import Ceremony
from identity.passkey_proof import PasskeyProof, StaleCounter
from identity.queries import accounts, passkeys
from identity.queries.half_sessions import HalfSession
from identity.webauthn_options import request_options


async def _options(
    deps: Deps, ctx: Context, ceremony: Ceremony, *, rp_id: str | None
) -> PasskeyOptions:
    """Returns the options of a ceremony with a new challenge. `rp_id` is the host, if it is not that of
    this call. Raises MethodOff, RateLimited."""
    tenant = await deps.tenants.get(ctx)
    passkey_challenges.check_offered(tenant)
    rp_id = passkey_challenges.rp_id_of(ctx, tenant, rp_id)
    others = passkey_challenges.other_hosts(ctx, tenant)
    await deps.limits.count(
        ctx, (PASSKEY_CHALLENGE_BY_IP, ctx.ip), (PASSKEY_CHALLENGE_BY_APP, ctx.app_id)
    )
    async with deps.db.transaction(ctx) as tx:
        challenge = await passkey_challenges.issue(deps, ctx, tx, ceremony, rp_id=rp_id)
        used = others and await passkeys.hosts_in_use(tx, app_id=ctx.app_id, rp_ids=others)
    options = request_options(rp_id=rp_id, challenge=challenge)
    return PasskeyOptions(options=options, other_rp_ids=used or [])


async def start(deps: Deps, ctx: Context, request: StartPasskeySignIn) -> PasskeyOptions:
    """Returns the options to sign in. Raises MethodOff, RateLimited, UnknownHost."""
    ceremony = Ceremony("sign_in", browser=request.browser)
    return await _options(deps, ctx, ceremony, rp_id=request.rp_id)


async def sign_in(deps: Deps, ctx: Context, request: SignInWithPasskey) -> SignedInSession:
    """Starts a session by a passkey, which counts as two factors. Raises PasskeyRefused,
    PasskeyUnknown, PasskeyChallengeSpent, MethodOff, EmailUnverified, AccountDisabled, RateLimited."""
    guest, ctx = guests.split(ctx)
    tenant = await deps.tenants.get(ctx)
    passkey_challenges.check_offered(tenant)
    await deps.limits.count(ctx, (SIGN_IN_BY_IP, ctx.ip), (SIGN_IN_BY_APP, ctx.app_id))
    ceremony = Ceremony("sign_in", browser=request.browser)
    proof = await passkey_proof.prove(deps, ctx, ceremony, credential=request.credential)
    result = AuthenticationResult(
        method="passkey",
        factor="passkey",
        amr=proof.assertion.amr,
        browser=request.browser,
        devices=request.devices,
        remember=request.remember,
    )
    result = guests.with_kept_guest(result, guest)

    async def begin(tx: Db) -> session_start.StartedSession:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=proof.passkey.user_id)
        if account is None:
            raise PasskeyUnknown
        if tenant.settings.require_verified_email and not account.email_verified:
            raise EmailUnverified
        return await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)

    try:
        return await _finish(deps, ctx, tenant, ceremony, proof=proof, begin=begin)
    except EmailUnverified:
        await first_proof.remember_browser(
            deps, ctx, user_id=proof.passkey.user_id, browser=request.browser
        )
        raise


async def _finish(
    deps: Deps,
    ctx: Context,
    tenant: Tenant,
    ceremony: Ceremony,
    *,
    proof: PasskeyProof,
    begin: Callable[[Db], Awaitable[session_start.StartedSession]],
) -> SignedInSession:
    """Starts the session by `begin`, which locks the user's row, and stores the passkey's counter in
    the same transaction. Raises PasskeyRefused if the counter has not grown."""
    try:
        async with deps.db.transaction(ctx) as tx:
            started = await begin(tx)
            await passkey_proof.record_use(ctx, tx, proof)
    except StaleCounter:
        raise await passkey_proof.refused_counter(
            deps, ctx, tenant, ceremony, passkey=proof.passkey
        ) from None
    return await session_start.finish(deps, ctx, started)


async def start_confirmation(
    deps: Deps, ctx: Context, request: StartPasskeyConfirmation
) -> PasskeyOptions:
    """Returns the options to confirm who the caller is. Raises MethodOff, RateLimited, UnknownHost."""
    return await _options(deps, ctx, _confirmation(ctx), rp_id=request.rp_id)


def _confirmation(ctx: Context) -> Ceremony:
    """Returns the ceremony for the caller's session. Raises Forbidden if the call has none."""
    if ctx.caller.session_id is None:
        raise Forbidden("only a session can be confirmed")
    return Ceremony("step_up", session_id=ctx.caller.session_id, user_id=the_user(ctx))


async def confirm(deps: Deps, ctx: Context, request: ConfirmWithPasskey) -> SignedInSession:
    """Replaces the session by one with a fresh factor. Raises PasskeyRefused, PasskeyUnknown,
    PasskeyChallengeSpent, AccountSwitched, NoSession, AccountDisabled."""
    tenant = await deps.tenants.get(ctx)
    ceremony = _confirmation(ctx)
    proof = await passkey_proof.prove(deps, ctx, ceremony, credential=request.credential)
    result = AuthenticationResult(
        method="confirm",
        factor="passkey",
        amr=proof.assertion.amr,
        previous=ctx.caller.session_id,
    )

    async def begin(tx: Db) -> session_start.StartedSession:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=proof.passkey.user_id)
        if account is None:
            raise UserNotFound
        return await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)

    return await _finish(deps, ctx, tenant, ceremony, proof=proof, begin=begin)


async def start_second_factor(
    deps: Deps, ctx: Context, request: StartPasskeySecondFactor
) -> PasskeyOptions:
    """Returns the options to show a passkey after a first factor. Raises NoSession, Forbidden,
    RateLimited, UnknownHost."""
    async with deps.db.reader(ctx) as db:
        half = await half_sessions.get(deps, ctx, db, request.token)
    return await _options(deps, ctx, _second_factor(half, request.browser), rp_id=request.rp_id)


def _second_factor(half: HalfSession, browser: str | None) -> Ceremony:
    """Returns the ceremony that completes this half session. Raises Forbidden if a passkey does not."""
    asked: list[Any] = half.pending["factors"]
    if half.kind != "mfa_required" or "passkey" not in asked:
        raise Forbidden("this sign-in is not completed by a passkey")
    return Ceremony("second_factor", browser=browser, session_id=half.id, user_id=half.user_id)


async def show_second_factor(
    deps: Deps, ctx: Context, request: ShowPasskeySecondFactor
) -> CompletedSignIn:
    """Completes a sign-in by a passkey of its user. Raises NoSession, Forbidden, PasskeyRefused,
    PasskeyUnknown, PasskeyChallengeSpent, AccountSwitched, AccountDisabled."""
    tenant = await deps.tenants.get(ctx)
    async with deps.db.reader(ctx) as db:
        half = await half_sessions.get(deps, ctx, db, request.token)
    ceremony = _second_factor(half, request.browser)
    await half_sessions.count_try(deps, ctx, half)
    proof = await passkey_proof.prove(deps, ctx, ceremony, credential=request.credential)
    device: str | None = None

    async def begin(tx: Db) -> session_start.StartedSession:
        nonlocal device
        account, consumed = await half_sessions.consume(ctx, tx, half)
        if request.remember_device:
            device = await remembered_devices.remember(deps, ctx, tx, tenant, user_id=account.id)
        result = half_sessions.completed(
            consumed, factor="passkey", amr=proof.assertion.amr, browser=request.browser
        )
        return await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)

    signed_in = await _finish(deps, ctx, tenant, ceremony, proof=proof, begin=begin)
    return CompletedSignIn(signed_in=signed_in, device=device)

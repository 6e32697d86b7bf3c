"""Adding a passkey to an account: in a session, or in a sign-in that must enrol a second factor."""

from __future__ import annotations

import secrets
from typing import Any, Final

import asyncpg

from common import audit
from common.context import Context
from common.contracts.passkey_sign_in import AddFirstPasskey, StartFirstPasskey
from common.contracts.passkeys import (
    AddedPasskey,
    AddPasskey,
    PasskeyExists,
    PasskeyOptions,
    StartPasskey,
    TooManyPasskeys,
)
from common.contracts.tenants import Tenant
from common.contracts.users import UserNotFound
from common.db import Db
from common.events.passkeys import PasskeyAdded
from common.ids import new_id
from common.problems import Forbidden
from identity import (
    guests,
    half_sessions,
    notices,
    passkey_challenges,
    passkey_proof,
    recovery_codes,
    session_start,
    totp,
)
from identity.authentication_result import AuthenticationResult
from identity.authenticator_names import authenticator_name
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.limits import PASSKEY_CHALLENGE_BY_APP, PASSKEY_CHALLENGE_BY_IP
from identity.passkey_challenges import Ceremony
from identity.passkey_entries import entry
from identity.queries import accounts, passkeys
from identity.queries.accounts import Account
from identity.queries.half_sessions import HalfSession
from identity.queries.passkeys import NewPasskey
from identity.webauthn_answers import read_answer
from identity.webauthn_ceremonies import RefusedCeremony, VerifiedPasskey, verify_registration
from identity.webauthn_options import creation_options

HANDLE_BYTES: Final = 32
MOST: Final = 20
"""Passkeys of one user."""


async def start(deps: Deps, ctx: Context, request: StartPasskey) -> PasskeyOptions:
    """Returns the options to add a passkey. Raises MethodOff, TooManyPasskeys, UserNotFound,
    RateLimited."""
    return await _options(deps, ctx, _of_session(ctx))


def _of_session(ctx: Context) -> Ceremony:
    """Returns the ceremony for the caller's session."""
    return Ceremony("register", session_id=ctx.caller.session_id, user_id=the_user(ctx))


async def _options(deps: Deps, ctx: Context, ceremony: Ceremony) -> PasskeyOptions:
    tenant = await deps.tenants.get(ctx)
    passkey_challenges.check_offered(tenant)
    rp_id = passkey_challenges.host_of(ctx, tenant)
    assert ceremony.user_id is not None
    await deps.limits.count(
        ctx, (PASSKEY_CHALLENGE_BY_IP, ctx.ip), (PASSKEY_CHALLENGE_BY_APP, ctx.app_id)
    )
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=ceremony.user_id)
        mine = await passkeys.of_user(tx, app_id=ctx.app_id, user_id=ceremony.user_id)
        if len(mine) >= MOST:
            raise TooManyPasskeys
        handle = mine[0].webauthn_handle if mine else None
        handle = handle or await passkeys.ensure_handle(
            tx,
            app_id=ctx.app_id,
            user_id=ceremony.user_id,
            handle=secrets.token_bytes(HANDLE_BYTES),
        )
        if account is None or handle is None:
            raise UserNotFound
        challenge = await passkey_challenges.issue(deps, ctx, tx, ceremony, rp_id=rp_id)
    options = creation_options(
        rp_id=rp_id,
        rp_name=tenant.name,
        challenge=challenge,
        user_handle=handle,
        name=account.email or account.name or tenant.name,
        display_name=account.name or account.email or "",
        excluded=[one.credential_id for one in mine],
    )
    return PasskeyOptions(options=options)


async def add(deps: Deps, ctx: Context, request: AddPasskey) -> AddedPasskey:
    """Adds a passkey to the caller's account. A guest becomes a full user by it, and gets another
    session. Raises PasskeyRefused, PasskeyChallengeSpent, PasskeyExists, AccountSwitched, MethodOff,
    TooManyPasskeys, Invalid."""
    tenant = await deps.tenants.get(ctx)
    passkey_challenges.check_offered(tenant)
    ceremony = _of_session(ctx)
    verified, rp_id = await verify(deps, ctx, ceremony, credential=request.credential)
    try:
        async with deps.db.transaction(ctx) as tx:
            account = await totp.locked_account(ctx, tx, the_user(ctx))
            added = await store(
                deps, ctx, tx, tenant,
                account=account, verified=verified, rp_id=rp_id, name=request.name,
            )  # fmt: skip
            started = await _upgrade(deps, ctx, tx, tenant, account=account, verified=verified)
    except asyncpg.UniqueViolationError:
        raise PasskeyExists from None
    await deps.invalidation.publish(ctx, "user", account.id)
    if started is None:
        return added
    signed_in = await session_start.finish(deps, ctx, started)
    return added.model_copy(update={"session": signed_in})


async def _upgrade(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    account: Account,
    verified: VerifiedPasskey,
) -> session_start.StartedSession | None:
    """Makes a guest a full user, and replaces their session. Returns None for any other user."""
    if not await guests.upgrade(ctx, tx, account.id, method="passkey"):
        return None
    result = AuthenticationResult(
        method="passkey",
        factor="passkey",
        amr=verified.amr,
        previous=ctx.caller.session_id,
        upgrades_guest=True,
    )
    return await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)


async def verify(
    deps: Deps, ctx: Context, ceremony: Ceremony, *, credential: dict[str, Any]
) -> tuple[VerifiedPasskey, str]:
    """Verifies the answer of a browser. Returns the new passkey and its host. Raises Invalid,
    PasskeyChallengeSpent, AccountSwitched, PasskeyRefused."""
    answer = read_answer(credential, "attestationObject")
    challenge = await passkey_challenges.consume(deps, ctx, ceremony, answer)
    try:
        verified = verify_registration(answer, rp_id=challenge.rp_id, origin=ctx.origin)
    except RefusedCeremony as refusal:
        raise await passkey_proof.refused(deps, ctx, ceremony, reason=refusal.reason) from None
    return verified, challenge.rp_id


async def store(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    account: Account,
    verified: VerifiedPasskey,
    rp_id: str,
    name: str | None,
) -> AddedPasskey:
    """Stores a verified passkey of a user whose row is locked, with recovery codes if the user has
    none, and tells the user. Raises TooManyPasskeys, and UniqueViolationError if somebody has it."""
    mine = await passkeys.of_user(tx, app_id=ctx.app_id, user_id=account.id)
    if len(mine) >= MOST:
        raise TooManyPasskeys
    new = NewPasskey(
        id=new_id(),
        user_id=account.id,
        credential_id=verified.credential_id,
        public_key=verified.public_key,
        sign_count=verified.sign_count,
        rp_id=rp_id,
        aaguid=verified.aaguid,
        transports=verified.transports,
        backup_eligible=verified.backup_eligible,
        backed_up=verified.backed_up,
        name=name or authenticator_name(verified.aaguid),
    )
    await passkeys.insert(tx, app_id=ctx.app_id, new=new)
    await accounts.raise_factor_epoch(tx, app_id=ctx.app_id, user_id=account.id)
    codes = await recovery_codes.create_if_none(deps, ctx, tx, account.id)
    event = PasskeyAdded(user_id=account.id, passkey_id=new.id, name=new.name, rp_id=rp_id)
    await audit.record(tx, ctx, event, user_id=account.id)
    data = {"passkey": new.name, "ip": ctx.ip}
    await notices.send(deps, ctx, tx, tenant, owner=account, kind="passkey_added", **data)
    stored = await passkeys.get(tx, app_id=ctx.app_id, id=new.id, user_id=account.id)
    assert stored is not None
    return AddedPasskey(passkey=entry(stored), recovery_codes=codes or [])


async def start_first(deps: Deps, ctx: Context, request: StartFirstPasskey) -> PasskeyOptions:
    """Returns the options to enrol a passkey in a sign-in. Raises NoSession, Forbidden, MethodOff,
    RateLimited."""
    async with deps.db.reader(ctx) as db:
        half = await half_sessions.get(deps, ctx, db, request.token)
    return await _options(deps, ctx, _of_half_session(half, request.browser))


def _of_half_session(half: HalfSession, browser: str | None) -> Ceremony:
    """Returns the ceremony for a sign-in that must enrol a factor. Raises Forbidden for any other: who
    has a factor shows it, and does not add another one instead."""
    if half.kind != "mfa_setup_required":
        raise Forbidden("finish signing in first")
    return Ceremony("register", browser=browser, session_id=half.id, user_id=half.user_id)


async def add_first(deps: Deps, ctx: Context, request: AddFirstPasskey) -> AddedPasskey:
    """Enrols a passkey and completes the sign-in. Raises NoSession, Forbidden, PasskeyRefused,
    PasskeyChallengeSpent, PasskeyExists, AccountSwitched, AccountDisabled."""
    tenant = await deps.tenants.get(ctx)
    passkey_challenges.check_offered(tenant)
    async with deps.db.reader(ctx) as db:
        half = await half_sessions.get(deps, ctx, db, request.token)
    ceremony = _of_half_session(half, request.browser)
    await half_sessions.count_try(deps, ctx, half)
    verified, rp_id = await verify(deps, ctx, ceremony, credential=request.credential)
    try:
        async with deps.db.transaction(ctx) as tx:
            account, consumed = await half_sessions.consume(ctx, tx, half)
            added = await store(
                deps, ctx, tx, tenant,
                account=account, verified=verified, rp_id=rp_id, name=request.name,
            )  # fmt: skip
            result = half_sessions.completed(
                consumed, factor="passkey", amr=verified.amr, browser=request.browser
            )
            started = await session_start.begin(
                deps, ctx, tx, tenant, account=account, result=result
            )
    except asyncpg.UniqueViolationError:
        raise PasskeyExists from None
    signed_in = await session_start.finish(deps, ctx, started)
    return added.model_copy(update={"session": signed_in})

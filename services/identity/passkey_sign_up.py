"""Signing up with only a passkey.

The address is not proven, so it is not stored with the user: it waits for the mail that confirms it, as
a new address of an account does. Nobody can occupy a stranger's address, and the answer is the same
whether the address is known.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode
from typing import Any

import asyncpg

from common import audit
from common.context import Context
from common.contracts.passkey_sign_in import SignUpWithPasskey, StartPasskeySignUp
from common.contracts.passkeys import AddedPasskey, PasskeyExists, PasskeyOptions
from common.contracts.sign_in import MethodOff
from common.contracts.tenants import Tenant
from common.crypto import b64url
from common.db import Db
from common.events.users import UserCreated
from common.ids import new_id
from identity import (
    challenge,
    email_rules,
    flows,
    passkey_challenges,
    passkey_proof,
    passkey_registration,
    session_start,
)
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps
from identity.limits import SIGN_UP_BY_IP
from identity.passkey_challenges import Ceremony
from identity.passkey_registration import HANDLE_BYTES
from identity.queries import accounts, passkeys
from identity.queries.accounts import Account
from identity.webauthn_answers import read_answer
from identity.webauthn_ceremonies import RefusedCeremony, verify_registration
from identity.webauthn_options import creation_options


def _check_open(tenant: Tenant, email: str) -> None:
    """Checks the rules for new users. Rules that need a proven address leave no sign-up without one.
    Raises MethodOff, SignUpClosed, Invalid."""
    settings = tenant.settings
    passkey_challenges.check_offered(tenant)
    if not settings.passkey_sign_up or settings.require_verified_email:
        raise MethodOff
    if settings.signup_mode == "restricted":
        raise MethodOff("confirm your e-mail address to sign up here")
    email_rules.allow(settings, email)


async def start(deps: Deps, ctx: Context, request: StartPasskeySignUp) -> PasskeyOptions:
    """Returns the options to sign up. Raises MethodOff, SignUpClosed, Invalid, CaptchaFailed,
    RateLimited, MailsSent."""
    tenant = await deps.tenants.get(ctx)
    await deps.limits.count(ctx, (SIGN_UP_BY_IP, ctx.ip))
    await challenge.check(deps, ctx, tenant, request)
    _check_open(tenant, request.email)
    await flows.count_mail(deps, ctx, request.email, request.browser, purpose="email_change")
    rp_id = passkey_challenges.host_of(ctx, tenant)
    handle = secrets.token_bytes(HANDLE_BYTES)
    payload = {
        "email": request.email,
        "name": request.name,
        "locale": request.locale,
        "handle": b64url(handle),
    }
    ceremony = Ceremony("sign_up", browser=request.browser)
    async with deps.db.transaction(ctx) as tx:
        text = await passkey_challenges.issue(deps, ctx, tx, ceremony, rp_id=rp_id, payload=payload)
    options = creation_options(
        rp_id=rp_id,
        rp_name=tenant.name,
        challenge=text,
        user_handle=handle,
        name=request.email,
        display_name=request.name or request.email,
        excluded=[],
    )
    return PasskeyOptions(options=options)


async def sign_up(deps: Deps, ctx: Context, request: SignUpWithPasskey) -> AddedPasskey:
    """Creates a user with a passkey, and starts a session. Raises PasskeyRefused,
    PasskeyChallengeSpent, PasskeyExists, MethodOff, SignUpClosed, Invalid, RateLimited."""
    tenant = await deps.tenants.get(ctx)
    await deps.limits.count(ctx, (SIGN_UP_BY_IP, ctx.ip))
    ceremony = Ceremony("sign_up", browser=request.browser)
    answer = read_answer(request.credential, "attestationObject")
    consumed = await passkey_challenges.consume(deps, ctx, ceremony, answer)
    _check_open(tenant, consumed.payload["email"])  # the settings may have changed since
    try:
        verified = verify_registration(answer, rp_id=consumed.rp_id, origin=ctx.origin)
    except RefusedCeremony as refusal:
        raise await passkey_proof.refused(deps, ctx, ceremony, reason=refusal.reason) from None
    result = AuthenticationResult(
        method="passkey",
        factor="passkey",
        amr=verified.amr,
        browser=request.browser,
        remember=request.remember,
        new_user=True,
    )
    try:
        async with deps.db.transaction(ctx) as tx:
            account = await _create(ctx, tx, consumed.payload)
            added = await passkey_registration.store(
                deps, ctx, tx, tenant,
                account=account, verified=verified, rp_id=consumed.rp_id, name=None,
            )  # fmt: skip
            await _mail(deps, ctx, tx, tenant, account=account, payload=consumed.payload)
            started = await session_start.begin(
                deps, ctx, tx, tenant, account=account, result=result
            )
    except asyncpg.UniqueViolationError:
        raise PasskeyExists from None
    signed_in = await session_start.finish(deps, ctx, started)
    return added.model_copy(update={"session": signed_in})


async def _create(ctx: Context, tx: Db, payload: dict[str, Any]) -> Account:
    id = new_id()
    await accounts.insert(
        tx,
        app_id=ctx.app_id,
        id=id,
        email=None,
        email_verified=False,
        name=payload["name"],
        locale=payload["locale"],
    )
    handle = urlsafe_b64decode(payload["handle"] + "=")
    await passkeys.ensure_handle(tx, app_id=ctx.app_id, user_id=id, handle=handle)
    await audit.record(tx, ctx, UserCreated(user_id=id, by="sign_up"), user_id=id)
    account = await accounts.by_id(tx, app_id=ctx.app_id, id=id)
    assert account is not None
    return account


async def _mail(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, *, account: Account, payload: dict[str, Any]
) -> None:
    """Mails the link that confirms the address. If somebody has the address, they are told instead."""
    email = payload["email"]
    owner = await accounts.by_email(tx, app_id=ctx.app_id, email=email)
    letter = flows.Letter(
        to=email,
        type="email_change",
        kind="sign_up_known" if owner else "email_change",
        purpose="email_change",
        link="" if owner else "verify_email",
        user_id=account.id,
        name=owner.name if owner else account.name,
        locale=(owner.locale if owner else None) or payload["locale"],
        real=owner is None,
        code=owner is None,
        bound=False,
        payload={"email": email},
    )
    await flows.start(deps, ctx, tx, tenant, letter=letter, browser=None)

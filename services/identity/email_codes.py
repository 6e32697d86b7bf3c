"""Sign-in by a mailed code or link."""

from __future__ import annotations

from typing import Final

import asyncpg

from common.context import Context
from common.contracts.email_codes import SignInWithCode, SignInWithLink, StartEmailCode
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import CodeSpent, Flow, LinkSpent, MethodOff
from common.contracts.sign_up import SignUpClosed
from common.contracts.tenants import Tenant
from common.db import Db
from common.problems import Conflict, Invalid
from identity import (
    authentication_result,
    challenge,
    email_rules,
    flows,
    guests,
    idempotency,
    session_start,
    sign_up,
)
from identity.deps import Deps
from identity.lockout import forget
from identity.queries import accounts, codes
from identity.queries.accounts import Account
from identity.queries.codes import ConsumedEmailCode

TYPES: Final = ["email_code", "email_verification"]


async def start(deps: Deps, ctx: Context, request: StartEmailCode) -> Flow:
    """Mails a code or link to sign in. The answer is the same whether the address has an account.
    Raises MethodOff, CaptchaFailed, RateLimited, MailsSent."""
    tenant = await deps.tenants.get(ctx)
    if not {"email_code", "magic_link"} & set(tenant.settings.auth_methods):
        raise MethodOff
    await challenge.check(deps, ctx, tenant, request)
    await flows.count_mail(deps, ctx, request.email, request.browser, purpose="sign_in")
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_email(tx, app_id=ctx.app_id, email=request.email)
        letter = _letter(deps, ctx, tenant, account, request=request)
        return await flows.start(deps, ctx, tx, tenant, letter=letter, browser=request.browser)


def _letter(
    deps: Deps, ctx: Context, tenant: Tenant, account: Account | None, *, request: StartEmailCode
) -> flows.Letter:
    methods = tenant.settings.auth_methods
    real = account is not None or may_sign_up(deps, ctx, tenant, request.email)
    return flows.Letter(
        to=account.email or request.email if account else request.email,
        type="email_code",
        kind="sign_in" if real else "no_account",
        purpose="sign_in",
        link="sign_in" if real and "magic_link" in methods else "",
        user_id=account.id if account else None,
        name=account.name if account else None,
        locale=(account.locale if account else None) or request.locale,
        real=real,
        code=real and "email_code" in methods,
        payload={} if account else {"email": request.email, "locale": request.locale},
    )


def may_sign_up(deps: Deps, ctx: Context, tenant: Tenant, email: str) -> bool:
    """Returns whether the application accepts this address as a new user."""
    if email_rules.names_operator(deps.operator_email, ctx.app_id, email):
        return True
    try:
        email_rules.allow(tenant.settings, email)
    except (SignUpClosed, Invalid):
        return False
    return True


async def with_code(deps: Deps, ctx: Context, request: SignInWithCode) -> SignedInSession:
    """Starts a session by a code. Raises WrongCode, CodeSpent, AccountDisabled, RateLimited."""
    tenant = await deps.tenants.get(ctx)
    key = _key(request, f"{request.flow}:{flows.digits(request.code)}")
    try:
        consumed_code = await flows.consume_code(deps, ctx, request.flow, request.code, types=TYPES)
    except CodeSpent as spent:
        return await _repeated_session(deps, ctx, request, key, spent=spent)
    result = _result("email_code", consumed_code, request, key)
    return await _sign_in(deps, ctx, tenant, consumed_code, result=result)


async def with_link(deps: Deps, ctx: Context, request: SignInWithLink) -> SignedInSession:
    """Starts a session by a link. Raises LinkSpent, OtherBrowser, AccountDisabled."""
    tenant = await deps.tenants.get(ctx)
    key = _key(request, request.token)
    try:
        async with deps.db.transaction(ctx) as tx:
            consumed_code = await flows.consume_link(
                deps, ctx, tx, request.token, browser=request.browser, types=TYPES
            )
    except LinkSpent as spent:
        return await _repeated_session(deps, ctx, request, key, spent=spent)
    result = _result("magic_link", consumed_code, request, key)
    return await _sign_in(deps, ctx, tenant, consumed_code, result=result)


def _key(request: SignInWithCode | SignInWithLink, secret: str) -> str | None:
    """Returns a name for this attempt. It contains the caller's key and the secret: neither is
    enough alone."""
    return f"{request.idempotency_key}:{secret}" if request.idempotency_key else None


async def _repeated_session(
    deps: Deps,
    ctx: Context,
    request: SignInWithCode | SignInWithLink,
    key: str | None,
    *,
    spent: CodeSpent | LinkSpent,
) -> SignedInSession:
    """Answers the second click of a double click. Raises `spent` if the code or link started no
    session in this browser within the last minute."""
    if key is None:
        raise spent
    session = await idempotency.repeated(
        deps, ctx, browser=request.browser, remember=request.remember, key=key
    )
    if session is None:
        raise spent
    return session


def _result(
    method: str,
    consumed_code: ConsumedEmailCode,
    request: SignInWithCode | SignInWithLink,
    key: str | None,
) -> authentication_result.AuthenticationResult:
    return authentication_result.AuthenticationResult(
        method=method,
        factor="mail",
        amr=["otp"],
        email=consumed_code.email,
        browser=request.browser,
        devices=request.devices,
        remember=request.remember,
        idempotency_key=key,
    )


async def _sign_in(
    deps: Deps,
    ctx: Context,
    tenant: Tenant,
    consumed_code: ConsumedEmailCode,
    *,
    result: authentication_result.AuthenticationResult,
) -> SignedInSession:
    guest, ctx = guests.split(ctx)
    for attempt in (1, 2):
        try:
            async with deps.db.transaction(ctx) as tx:
                started_session = await _start_session(
                    deps, ctx, tx, tenant, consumed_code=consumed_code, result=result, guest=guest
                )
            break
        except asyncpg.UniqueViolationError:
            # Another request created the user of this address at the same moment: sign in as them.
            if attempt == 2:
                raise Conflict("the address was taken at the same moment") from None
    return await session_start.finish(deps, ctx, started_session)


async def _start_session(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    consumed_code: ConsumedEmailCode,
    result: authentication_result.AuthenticationResult,
    guest: guests.GuestSession | None,
) -> session_start.StartedSession:
    guest = await guests.get_locked(ctx, tx, guest)
    account, fresh = await sign_up.get_or_create_account(
        deps, ctx, tx, tenant, consumed_code=consumed_code, guest=guest
    )
    await forget(deps, ctx, tx, consumed_code.email)
    await codes.end_older(tx, app_id=ctx.app_id, email=consumed_code.email, types=TYPES)
    joins_team = fresh and bool(consumed_code.payload.get("into_organization"))
    result = authentication_result.with_new_user(result, fresh, joins_team=joins_team)
    result = guests.with_guest(guest, account=account, result=result)
    return await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)

"""Passwords: sign-in, confirmation, change and reset."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.passwords import (
    ChangePassword,
    CheckPassword,
    Reauthenticate,
    SignInWithPassword,
)
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import (
    MethodOff,
    ResetNeeded,
    WrongCredentials,
)
from common.contracts.tenants import Tenant
from common.contracts.users import UserNotFound
from common.db import Db
from common.events.passwords import PasswordChanged, PasswordReset
from common.field_errors import field_error
from common.problems import Invalid
from identity import (
    challenge,
    first_proof,
    lockout,
    notices,
    password_policy,
    session_end,
    session_start,
)
from identity.authentication_result import AuthenticationResult
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.hashing import normalized
from identity.limits import CHECK_BY_IP, PASSWORD_BY_USER, SIGN_IN_BY_APP, SIGN_IN_BY_IP
from identity.queries import accounts
from identity.queries.accounts import Account


async def sign_in(
    deps: Deps, ctx: Context, request: SignInWithPassword, *, kept_guest_id: str | None = None
) -> SignedInSession:
    """Starts a session by address and password. Raises WrongCredentials, Locked, EmailUnverified,
    ResetNeeded, MethodOff, AccountDisabled, CaptchaFailed, RateLimited, Busy."""
    tenant = await deps.tenants.get(ctx)
    if "password" not in tenant.settings.auth_methods:
        raise MethodOff
    await challenge.check(deps, ctx, tenant, request)
    account, admission = await lockout.begin(
        deps, ctx, request.email, (SIGN_IN_BY_IP, ctx.ip), (SIGN_IN_BY_APP, ctx.app_id)
    )
    async with lockout.releasing(deps, ctx, admission):
        verdict = await lockout.verify_password(
            deps,
            ctx,
            admission,
            request.password,
            phc=account.phc if account else None,
            user_id=account.id if account else None,
        )
        if account is None or account.phc is None:  # cannot happen: a dummy hash does not match
            raise WrongCredentials
        await first_proof.check(deps, ctx, tenant, account, browser=request.browser)
        if account.must_change and account.email:
            raise ResetNeeded
        async with deps.db.transaction(ctx) as tx:
            await lockout.forget(deps, ctx, tx, request.email)
            phc = await _rehashed(ctx, tx, account, verdict.rehashed)
            result = _result(request, phc, kept_guest_id)
            started_session = await session_start.begin(
                deps, ctx, tx, tenant, account=account, result=result
            )
    return await session_start.finish(deps, ctx, started_session)


def _result(
    request: SignInWithPassword, phc: str | None, kept_guest_id: str | None
) -> AuthenticationResult:
    return AuthenticationResult(
        method="password",
        factor="password",
        amr=["pwd"],
        phc=phc,
        browser=request.browser,
        devices=request.devices,
        remember=request.remember,
        idempotency_key=request.idempotency_key,
        kept_guest_id=kept_guest_id,
    )


async def confirm(deps: Deps, ctx: Context, request: Reauthenticate) -> SignedInSession:
    """Proves again who the user of this session is, and replaces the session. Raises
    WrongCredentials, Locked, RateLimited."""
    tenant, account = await _me(deps, ctx)
    verdict = await confirm_current(deps, ctx, account, request.password, method="confirm")
    async with deps.db.transaction(ctx) as tx:
        await lockout.forget(deps, ctx, tx, account.email or account.id)
        phc = await _rehashed(ctx, tx, account, verdict)
        result = AuthenticationResult(
            method="confirm",
            factor="password",
            amr=["pwd"],
            phc=phc,
            previous=ctx.caller.session_id,
        )
        started_session = await session_start.begin(
            deps, ctx, tx, tenant, account=account, result=result
        )
    return await session_start.finish(deps, ctx, started_session)


async def check(deps: Deps, ctx: Context, request: CheckPassword) -> Done:
    """Checks a password against the application's rules before it is sent in a form. Raises
    WeakPassword, RateLimited."""
    await deps.limits.count(ctx, (CHECK_BY_IP, ctx.ip or "?"))
    tenant = await deps.tenants.get(ctx)
    await password_policy.check(deps, ctx, tenant, request.password, email=request.email, name=None)
    return Done()


async def change(deps: Deps, ctx: Context, request: ChangePassword) -> SignedInSession:
    """Changes the caller's own password and ends their other sessions. Raises WeakPassword,
    WrongCredentials, MethodOff, Invalid."""
    tenant, account = await _me(deps, ctx)
    if "password" not in tenant.settings.auth_methods:
        raise MethodOff
    await password_policy.check(
        deps, ctx, tenant, request.password, email=account.email, name=account.name
    )
    await _check_current(deps, ctx, account, request)
    phc = await deps.hashing.hash(ctx.app_id, request.password)
    async with deps.db.transaction(ctx) as tx:
        await accounts.lock(tx, app_id=ctx.app_id, id=account.id)
        if not await accounts.has_password_hash(
            tx, app_id=ctx.app_id, id=account.id, phc=account.phc
        ):
            raise WrongCredentials
        await lockout.forget(deps, ctx, tx, account.email or account.id)
        ended = await store_password(
            deps, ctx, tx, tenant, account=account, phc=phc, event=PasswordChanged(user_id=account.id),
            spare=ctx.caller.session_id,
        )  # fmt: skip
        if ctx.caller.session_id is None:
            started_session = await session_start.begin(
                deps,
                ctx,
                tx,
                tenant,
                account=account,
                result=AuthenticationResult("password", "password", ["pwd"]),
            )
        else:
            started_session = await session_start.renew(
                deps, ctx, tx, tenant, account=account, session_id=ctx.caller.session_id
            )
    await session_end.publish_revocations(deps, ctx, account.id, ended)
    return await session_start.finish(deps, ctx, started_session)


async def _check_current(
    deps: Deps, ctx: Context, account: Account, request: ChangePassword
) -> None:
    """Checks the current password, if the user has one."""
    if account.phc is None:
        return
    if request.current is None:
        raise Invalid(errors=[field_error("current", "current_password_required")])
    await confirm_current(deps, ctx, account, request.current, method="change")
    if normalized(request.password) == normalized(request.current):
        raise password_policy.unchanged_password()


async def store_password(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    account: Account,
    phc: str,
    event: PasswordChanged | PasswordReset,
    spare: str | None = None,
) -> list[str]:
    """Sets the password, ends sessions and open codes, and notifies the owner. The caller has
    locked the user. Returns the ids of the ended sessions for `publish_revocations`."""
    await accounts.set_password(tx, app_id=ctx.app_id, user_id=account.id, phc=phc)
    await accounts.raise_factor_epoch(tx, app_id=ctx.app_id, user_id=account.id)
    ended = await session_end.end_all(ctx, tx, account.id, reason=event.type, spare=spare)
    await audit.record(tx, ctx, event, user_id=account.id)
    await notices.send(deps, ctx, tx, tenant, owner=account, kind="password_changed", ip=ctx.ip)
    return ended


async def confirm_current(
    deps: Deps, ctx: Context, account: Account, password: str, *, method: str
) -> str | None:
    """Verifies the caller's current password. Returns a new hash if the stored one is not ours.
    Raises WrongCredentials, Locked, RateLimited."""
    _, admission = await lockout.begin(
        deps, ctx, account.email or account.id, (PASSWORD_BY_USER, account.id)
    )
    async with lockout.releasing(deps, ctx, admission):
        verdict = await lockout.verify_password(
            deps,
            ctx,
            admission,
            password,
            phc=account.phc,
            user_id=account.id,
            method=method,
        )
    await lockout.release(deps, ctx, admission)
    return verdict.rehashed


async def _rehashed(ctx: Context, tx: Db, account: Account, new: str | None) -> str | None:
    """Stores a new hash of the same password. Returns the hash that must still be the user's when
    the session starts."""
    if new is None or account.phc is None:
        return account.phc
    await accounts.rehash(tx, app_id=ctx.app_id, user_id=account.id, old=account.phc, new=new)
    return new


async def _me(deps: Deps, ctx: Context) -> tuple[Tenant, Account]:
    tenant = await deps.tenants.get(ctx)
    async with deps.db.reader(ctx) as db:
        account = await accounts.by_id(db, app_id=ctx.app_id, id=the_user(ctx))
    if account is None:
        raise UserNotFound
    return tenant, account

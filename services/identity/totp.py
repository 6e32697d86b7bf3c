"""Authenticator apps: turning one on by its first code, and off."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.second_factors import (
    ConfirmTotp,
    EnrolledTotp,
    LastSecondFactor,
    RemoveTotp,
    SecondFactorsOff,
    SetUpTotp,
    TotpNotFound,
    TotpSetup,
    TotpSetupMissing,
    WrongFactorCode,
)
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.tenants import Tenant
from common.contracts.users import UserNotFound
from common.db import Db
from common.events.second_factors import TotpDisabled, TotpEnabled
from common.ids import new_id
from common.second_factor_rules import ENROLLED
from identity import (
    factor_check,
    notices,
    recovery_codes,
    session_start,
    totp_codes,
)
from identity.authentication_result import AuthenticationResult
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.limits import FACTOR_CHANGE_BY_USER
from identity.queries import accounts, sign_in_facts, totp
from identity.queries import recovery_codes as recovery_code_rows
from identity.queries.accounts import Account


async def set_up(deps: Deps, ctx: Context, request: SetUpTotp) -> TotpSetup:
    """Creates a secret that waits for its first code. Raises SecondFactorsOff, FreshSignInNeeded,
    RateLimited."""
    tenant, session_id = await _may_enrol(deps, ctx)
    await deps.limits.count(ctx, (FACTOR_CHANGE_BY_USER, the_user(ctx)))
    async with deps.db.transaction(ctx) as tx:
        return await create_pending(
            deps, ctx, tx, tenant, user_id=the_user(ctx), session_id=session_id
        )


async def _may_enrol(deps: Deps, ctx: Context) -> tuple[Tenant, str]:
    """Returns the application and the caller's session. Raises SecondFactorsOff,
    FreshSignInNeeded."""
    tenant = await deps.tenants.get(ctx)
    if tenant.settings.mfa_policy == "off" and not tenant.is_dashboard:
        raise SecondFactorsOff
    if ctx.caller.session_id is None:
        raise FreshSignInNeeded
    return tenant, ctx.caller.session_id


async def create_pending(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, *, user_id: str, session_id: str
) -> TotpSetup:
    """Returns the secret that this session or half session has created, or creates one. Another
    session never learns it. Raises UserNotFound."""
    account = await locked_account(ctx, tx, user_id)
    pending = await totp.get_pending(tx, app_id=ctx.app_id, user_id=user_id, session_id=session_id)
    if pending is not None:
        place = ("totp_factors", "secret_sealed", pending.id)
        secret = await deps.sealer.open(tx, ctx.app_id, place, pending.sealed)
    else:
        secret, id = totp_codes.new_secret(), new_id()
        place = ("totp_factors", "secret_sealed", id)
        await totp.delete_pending(tx, app_id=ctx.app_id, user_id=user_id)
        await totp.insert_pending(
            tx,
            app_id=ctx.app_id,
            id=id,
            user_id=user_id,
            session_id=session_id,
            sealed=await deps.sealer.seal(tx, ctx.app_id, place, secret),
        )
    return totp_codes.setup(
        secret, issuer=tenant.name, account=account.email or account.name or user_id
    )


async def locked_account(ctx: Context, tx: Db, user_id: str) -> Account:
    """Locks the user's row and returns the account. Raises UserNotFound."""
    await accounts.lock(tx, app_id=ctx.app_id, id=user_id)
    account = await accounts.by_id(tx, app_id=ctx.app_id, id=user_id)
    if account is None:
        raise UserNotFound
    return account


async def confirm(deps: Deps, ctx: Context, request: ConfirmTotp) -> EnrolledTotp:
    """Turns the authenticator app on, and replaces the session by one with two factors. Raises
    TotpSetupMissing, WrongFactorCode, SecondFactorsOff, FreshSignInNeeded, RateLimited."""
    tenant, session_id = await _may_enrol(deps, ctx)
    user_id = the_user(ctx)
    async with (
        factor_check.counting(deps, ctx, user_id, method="totp"),
        deps.db.transaction(ctx) as tx,
    ):
        account = await locked_account(ctx, tx, user_id)
        codes = await enrol(
            deps, ctx, tx, tenant, account=account, session_id=session_id, code=request.code
        )
        started = await session_start.begin(
            deps,
            ctx,
            tx,
            tenant,
            account=account,
            result=AuthenticationResult("totp", "totp", ["otp"], previous=session_id),
        )
    signed_in = await session_start.finish(deps, ctx, started)
    return EnrolledTotp(signed_in=signed_in, recovery_codes=codes)


async def enrol(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    account: Account,
    session_id: str,
    code: str,
) -> list[str] | None:
    """Confirms the secret that this session has created, in place of an earlier one. Returns new
    recovery codes, or None if the user has some. The caller has locked the user's row. Raises
    TotpSetupMissing, WrongFactorCode."""
    pending = await totp.get_pending(
        tx, app_id=ctx.app_id, user_id=account.id, session_id=session_id
    )
    if pending is None:
        raise TotpSetupMissing
    step = await factor_check.step_of(deps, ctx, tx, pending, code=code)
    if step is None:
        raise WrongFactorCode
    replaced = await totp.delete_confirmed(tx, app_id=ctx.app_id, user_id=account.id)
    await totp.confirm(tx, app_id=ctx.app_id, id=pending.id, step=step)
    await accounts.raise_factor_epoch(tx, app_id=ctx.app_id, user_id=account.id)
    codes = await recovery_codes.create_if_none(deps, ctx, tx, account.id)
    event = TotpEnabled(user_id=account.id, replaced=replaced)
    await audit.record(tx, ctx, event, user_id=account.id)
    await notices.send(deps, ctx, tx, tenant, owner=account, kind="totp_enabled", ip=ctx.ip)
    return codes


async def remove(deps: Deps, ctx: Context, request: RemoveTotp) -> Done:
    """Turns the authenticator app off. Raises TotpNotFound, LastSecondFactor, FreshSignInNeeded,
    RateLimited."""
    tenant, user_id = await deps.tenants.get(ctx), the_user(ctx)
    await deps.limits.count(ctx, (FACTOR_CHANGE_BY_USER, user_id))
    async with deps.db.transaction(ctx) as tx:
        account = await locked_account(ctx, tx, user_id)
        if not await totp.delete_confirmed(tx, app_id=ctx.app_id, user_id=user_id):
            raise TotpNotFound
        await totp.delete_pending(tx, app_id=ctx.app_id, user_id=user_id)
        await end_last_factor(ctx, tx, tenant, user_id)
        await audit.record(tx, ctx, TotpDisabled(user_id=user_id), user_id=user_id)
        await notices.send(deps, ctx, tx, tenant, owner=account, kind="totp_disabled", ip=ctx.ip)
    await deps.invalidation.publish(ctx, "user", user_id)
    return Done()


async def end_last_factor(
    ctx: Context, tx: Db, tenant: Tenant, user_id: str, *, forced: bool = False
) -> None:
    """Does what follows the removal of a second factor: raises the factor epoch, and deletes the
    recovery codes if there is no second factor left. Raises LastSecondFactor if the application
    requires one, unless an administrator removes it (`forced`)."""
    facts = await sign_in_facts.lock(tx, app_id=ctx.app_id, user_id=user_id, device_hashes=[])
    if facts is not None and not ENROLLED & set(facts.second_factors):
        if tenant.settings.mfa_policy == "required" and not forced:
            raise LastSecondFactor
        await recovery_code_rows.delete_all(tx, app_id=ctx.app_id, user_id=user_id)
    await accounts.raise_factor_epoch(tx, app_id=ctx.app_id, user_id=user_id)

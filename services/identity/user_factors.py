"""The second factors of a user: their list, new recovery codes, showing one in a session, and their
removal by an administrator."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.second_factors import (
    ConfirmFactor,
    GetSecondFactors,
    NoSecondFactor,
    RecoveryCodes,
    RegenerateRecoveryCodes,
    ResetSecondFactors,
    SecondFactors,
)
from common.contracts.sessions import NoSession, SignedInSession
from common.contracts.sign_in import LastWayIn
from common.db import Db
from common.events.second_factors import RecoveryCodesCreated, SecondFactorsReset
from common.second_factor_rules import ENROLLED
from identity import (
    delegation_checks,
    factor_check,
    notices,
    recovery_codes,
    session_start,
)
from identity.authentication_result import AuthenticationResult
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.limits import FACTOR_CHANGE_BY_USER
from identity.queries import accounts, factors, sign_in_facts, totp, trusted_devices
from identity.queries import recovery_codes as recovery_code_rows
from identity.queries.accounts import Account
from identity.totp import locked_account


async def get(deps: Deps, ctx: Context, request: GetSecondFactors) -> SecondFactors:
    """Returns the calling user's second factors and remembered devices."""
    async with deps.db.reader(ctx) as db:
        return await of_user(ctx, db, the_user(ctx))


async def of_user(ctx: Context, db: Db, user_id: str) -> SecondFactors:
    """Returns a user's second factors and remembered devices, without secrets."""
    return SecondFactors(
        totp=await totp.get_entry(db, app_id=ctx.app_id, user_id=user_id),
        passkeys=await factors.count_passkeys(db, app_id=ctx.app_id, user_id=user_id),
        recovery_codes_left=await recovery_code_rows.count_unused(
            db, app_id=ctx.app_id, user_id=user_id
        ),
        devices=await trusted_devices.list_of_user(db, app_id=ctx.app_id, user_id=user_id),
    )


async def regenerate(deps: Deps, ctx: Context, request: RegenerateRecoveryCodes) -> RecoveryCodes:
    """Replaces the calling user's recovery codes. Raises NoSecondFactor, FreshSignInNeeded,
    RateLimited."""
    tenant, user_id = await deps.tenants.get(ctx), the_user(ctx)
    await deps.limits.count(ctx, (FACTOR_CHANGE_BY_USER, user_id))
    async with deps.db.transaction(ctx) as tx:
        account = await locked_account(ctx, tx, user_id)
        facts = await sign_in_facts.lock(tx, app_id=ctx.app_id, user_id=user_id, device_hashes=[])
        if facts is None or not ENROLLED & set(facts.second_factors):
            raise NoSecondFactor
        codes = await recovery_codes.regenerate(deps, ctx, tx, user_id)
        await accounts.raise_factor_epoch(tx, app_id=ctx.app_id, user_id=user_id)
        await audit.record(tx, ctx, RecoveryCodesCreated(user_id=user_id), user_id=user_id)
        await notices.send(
            deps, ctx, tx, tenant, owner=account, kind="recovery_codes_changed", ip=ctx.ip
        )
    return RecoveryCodes(recovery_codes=codes)


async def confirm(deps: Deps, ctx: Context, request: ConfirmFactor) -> SignedInSession:
    """Shows a second factor in the caller's session, and replaces the session. Raises
    WrongFactorCode, RateLimited, NoSession."""
    tenant, user_id = await deps.tenants.get(ctx), the_user(ctx)
    session_id = ctx.caller.session_id
    if session_id is None:
        raise NoSession
    method = factor_check.factor_of(request)
    async with (
        factor_check.counting(deps, ctx, user_id, method=method),
        deps.db.transaction(ctx) as tx,
    ):
        account = await locked_account(ctx, tx, user_id)
        factor = await factor_check.verify(deps, ctx, tx, tenant, account=account, proof=request)
        result = AuthenticationResult("confirm", factor, ["otp"], previous=session_id)
        started = await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)
    return await session_start.finish(deps, ctx, started)


async def reset(deps: Deps, ctx: Context, request: ResetSecondFactors) -> Done:
    """Removes all second factors of a user, and tells them by mail. Raises NotHeld, UserNotFound,
    LastWayIn."""
    await delegation_checks.over_user(deps, ctx, request.user_id)
    tenant = await deps.tenants.get(ctx)
    async with deps.db.transaction(ctx) as tx:
        account = await locked_account(ctx, tx, request.user_id)
        if await _remove_all(ctx, tx, account):
            event = SecondFactorsReset(user_id=account.id)
            await audit.record(tx, ctx, event, user_id=account.id)
            await notices.send(deps, ctx, tx, tenant, owner=account, kind="factors_reset")
    await deps.invalidation.publish(ctx, "user", request.user_id)
    return Done()


async def _remove_all(ctx: Context, tx: Db, account: Account) -> bool:
    """Deletes the factors and ends what depends on them. Returns False if there was nothing. Raises
    LastWayIn if the passkeys are all that the user has to sign in with."""
    of_user = {"app_id": ctx.app_id, "user_id": account.id}
    removed = await factors.delete_passkeys(tx, **of_user)
    others = account.email or account.phc or await factors.has_identity_link(tx, **of_user)
    if removed and not others:
        raise LastWayIn
    had_app = await totp.delete_confirmed(tx, **of_user)
    pending = await totp.delete_pending(tx, **of_user)
    codes = await recovery_code_rows.delete_all(tx, **of_user)
    devices = await trusted_devices.revoke_all(tx, **of_user)
    await accounts.raise_factor_epoch(tx, **of_user)
    return bool(removed or had_app or pending or codes or devices)

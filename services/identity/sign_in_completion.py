"""Sign-ins that wait for a second factor: what they wait for, and their completion."""

from __future__ import annotations

from dataclasses import replace

from common.context import Context
from common.contracts.base import Done
from common.contracts.second_factors import (
    CancelSignIn,
    CompletedSignIn,
    CompleteSignIn,
    ConfirmTotpAtSignIn,
    EnrolledTotp,
    FactorNeeded,
    GetSecondFactorChallenge,
    SetUpTotpAtSignIn,
    TotpSetup,
)
from common.contracts.sessions import HalfKind, NoSession, SecondFactorChallenge
from common.contracts.tenants import Tenant
from common.db import Db
from identity import (
    factor_check,
    half_sessions,
    idempotency,
    remembered_devices,
    session_start,
    totp,
)
from identity.deps import Deps
from identity.limits import SIGN_IN_BY_IP
from identity.queries import half_sessions as half_session_rows
from identity.queries.half_sessions import HalfSession
from identity.session_start import StartedSession


async def challenge(
    deps: Deps, ctx: Context, request: GetSecondFactorChallenge
) -> SecondFactorChallenge:
    """Returns what the sign-in waits for. Raises NoSession."""
    async with deps.db.reader(ctx) as db:
        half = await half_sessions.get(deps, ctx, db, request.token)
    return half_sessions.challenge_of(half)


async def cancel(deps: Deps, ctx: Context, request: CancelSignIn) -> Done:
    """Ends the half session."""
    hashes = deps.keys.hashes(half_sessions.PURPOSE, request.token)
    async with deps.db.transaction(ctx) as tx:
        await half_session_rows.cancel(tx, app_id=ctx.app_id, token_hashes=hashes)
    return Done()


async def complete(deps: Deps, ctx: Context, request: CompleteSignIn) -> CompletedSignIn:
    """Starts the session by a second factor. Raises NoSession, WrongFactorCode, AccountDisabled,
    RateLimited."""
    tenant = await deps.tenants.get(ctx)
    method = factor_check.factor_of(request)
    key = f"{request.token}:{request.code or request.recovery_code}"
    try:
        half = await _half(deps, ctx, request.token, kind="mfa_required")
        async with factor_check.counting(deps, ctx, half.user_id, method=method):
            await half_sessions.count_try(deps, ctx, half)
            async with deps.db.transaction(ctx) as tx:
                started, device = await _complete(
                    deps, ctx, tx, tenant, half=half, request=request, key=key
                )
    except NoSession as ended:
        return await _repeated(deps, ctx, request, key, ended=ended)
    signed_in = await session_start.finish(deps, ctx, started)
    return CompletedSignIn(signed_in=signed_in, device=device)


async def _half(deps: Deps, ctx: Context, token: str, *, kind: HalfKind) -> HalfSession:
    """Returns the half session of a token. Raises NoSession; FactorNeeded if the sign-in waits for
    something else."""
    await deps.limits.count(ctx, (SIGN_IN_BY_IP, ctx.ip))
    async with deps.db.reader(ctx) as db:
        half = await half_sessions.get(deps, ctx, db, token)
    if half.kind != kind:
        raise FactorNeeded
    return half


async def _complete(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    half: HalfSession,
    request: CompleteSignIn,
    key: str,
) -> tuple[StartedSession, str | None]:
    """Consumes the half session, then the code. Returns the session, and the value of the cookie for
    a remembered device."""
    account, consumed = await half_sessions.consume(ctx, tx, half)
    factor = await factor_check.verify(deps, ctx, tx, tenant, account=account, proof=request)
    result = half_sessions.completed(consumed, factor=factor, amr=["otp"], browser=request.browser)
    device = None
    if request.remember_device:
        device = await remembered_devices.remember(deps, ctx, tx, tenant, user_id=account.id)
    started = await session_start.begin(
        deps, ctx, tx, tenant, account=account, result=replace(result, idempotency_key=key)
    )
    return started, device


async def _repeated(
    deps: Deps, ctx: Context, request: CompleteSignIn, key: str, *, ended: NoSession
) -> CompletedSignIn:
    """Answers the second post of a form that was posted twice. Raises `ended` if this browser and this
    code completed no sign-in within the last minute."""
    hashes = deps.keys.hashes(half_sessions.PURPOSE, request.token)
    async with deps.db.reader(ctx) as db:
        remembered = await half_session_rows.completed_lately(
            db, app_id=ctx.app_id, token_hashes=hashes
        )
    if remembered is None:
        raise ended
    session = await idempotency.repeated(
        deps, ctx, browser=request.browser, remember=remembered, key=key
    )
    if session is None:
        raise ended
    return CompletedSignIn(signed_in=session)


async def set_up_totp(deps: Deps, ctx: Context, request: SetUpTotpAtSignIn) -> TotpSetup:
    """Creates a secret for a sign-in that waits for an enrolment. Raises NoSession,
    FactorNeeded."""
    tenant = await deps.tenants.get(ctx)
    half = await _half(deps, ctx, request.token, kind="mfa_setup_required")
    async with deps.db.transaction(ctx) as tx:
        return await totp.create_pending(
            deps, ctx, tx, tenant, user_id=half.user_id, session_id=half.id
        )


async def confirm_totp(deps: Deps, ctx: Context, request: ConfirmTotpAtSignIn) -> EnrolledTotp:
    """Turns the authenticator app on, and starts the session in the same transaction. Raises
    NoSession, FactorNeeded, TotpSetupMissing, WrongFactorCode, AccountDisabled, RateLimited."""
    tenant = await deps.tenants.get(ctx)
    half = await _half(deps, ctx, request.token, kind="mfa_setup_required")
    async with (
        factor_check.counting(deps, ctx, half.user_id, method="totp"),
        deps.db.transaction(ctx) as tx,
    ):
        account, consumed = await half_sessions.consume(ctx, tx, half)
        codes = await totp.enrol(
            deps, ctx, tx, tenant, account=account, session_id=half.id, code=request.code
        )
        result = half_sessions.completed(
            consumed, factor="totp", amr=["otp"], browser=request.browser
        )
        started = await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)
    signed_in = await session_start.finish(deps, ctx, started)
    return EnrolledTotp(signed_in=signed_in, recovery_codes=codes)

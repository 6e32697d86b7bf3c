"""The check of a second factor: a code of an authenticator app, or a recovery code.

Each try is counted before the code is checked, for the user and over all factors. Right codes are not
counted in the end. Passwords have a count of their own, so that wrong codes never close that way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from common import audit, clock
from common.context import Context
from common.contracts.second_factors import FactorProof, WrongFactorCode
from common.contracts.sessions import SecondFactor
from common.contracts.tenants import Tenant
from common.db import Db
from common.events.second_factors import RecoveryCodeUsed
from common.events.sessions import LoginFailed
from common.field_errors import field_error
from common.problems import Invalid
from identity import notices, recovery_codes, totp_codes
from identity.deps import Deps
from identity.limits import FACTOR_BY_USER
from identity.queries import recovery_codes as recovery_code_rows
from identity.queries import totp
from identity.queries.accounts import Account
from identity.queries.totp import TotpSecret


def factor_of(proof: FactorProof) -> SecondFactor:
    """Returns the factor that the proof is of. Raises Invalid unless it is exactly one."""
    if (proof.code is None) == (proof.recovery_code is None):
        raise Invalid(errors=[field_error("code", "factor_code_required")])
    return "recovery_code" if proof.code is None else "totp"


@asynccontextmanager
async def counting(
    deps: Deps, ctx: Context, user_id: str, *, method: SecondFactor
) -> AsyncIterator[None]:
    """Counts a try around the body, which raises WrongFactorCode if the code is wrong. That is audited,
    and the try counts. Raises RateLimited."""
    await deps.limits.count(ctx, (FACTOR_BY_USER, user_id))
    try:
        yield
    except WrongFactorCode:
        async with deps.db.transaction(ctx) as tx:
            failed = LoginFailed(method=method, reason="wrong_code")
            await audit.record(tx, ctx, failed, user_id=user_id)
        raise
    except Exception:
        await deps.limits.refund(ctx, FACTOR_BY_USER, user_id)
        raise
    await deps.limits.refund(ctx, FACTOR_BY_USER, user_id)


async def verify(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, *, account: Account, proof: FactorProof
) -> SecondFactor:
    """Consumes the code and returns its factor. Raises WrongFactorCode."""
    factor = factor_of(proof)
    if proof.recovery_code is not None:
        await _use_recovery_code(deps, ctx, tx, tenant, account=account, code=proof.recovery_code)
    else:
        await _use_totp(deps, ctx, tx, account.id, code=proof.code or "")
    return factor


async def _use_totp(deps: Deps, ctx: Context, tx: Db, user_id: str, *, code: str) -> None:
    secret = await totp.get_confirmed(tx, app_id=ctx.app_id, user_id=user_id)
    step = None if secret is None else await step_of(deps, ctx, tx, secret, code=code)
    if secret is None or step is None:
        raise WrongFactorCode
    if not await totp.use_step(tx, app_id=ctx.app_id, id=secret.id, step=step):
        raise WrongFactorCode


async def step_of(deps: Deps, ctx: Context, db: Db, secret: TotpSecret, *, code: str) -> int | None:
    """Returns the time step of a code, or None if it is not a code of this secret."""
    digits = totp_codes.six_digits(code)
    if digits is None:
        return None
    place = ("totp_factors", "secret_sealed", secret.id)
    plain = await deps.sealer.open(db, ctx.app_id, place, secret.sealed)
    return totp_codes.matching_step(plain, digits, clock.now())


async def _use_recovery_code(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, *, account: Account, code: str
) -> None:
    if not await recovery_codes.consume(deps, ctx, tx, account.id, code=code):
        raise WrongFactorCode
    left = await recovery_code_rows.count_unused(tx, app_id=ctx.app_id, user_id=account.id)
    event = RecoveryCodeUsed(user_id=account.id, left=left)
    await audit.record(tx, ctx, event, user_id=account.id)
    await notices.send(
        deps, ctx, tx, tenant, owner=account, kind="recovery_code_used", left=str(left), ip=ctx.ip
    )

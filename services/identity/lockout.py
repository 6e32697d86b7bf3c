"""Lockouts: wrong passwords are counted by address, known or not. A try is reserved before the
password is verified, and counts only if it is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from common import audit, logs
from common.address_keys import address_key
from common.attempt_limits import AttemptLimit
from common.context import Context
from common.contracts.sign_in import Locked, WrongCredentials
from common.db import Db
from common.events.sessions import LoginFailed, SignInLocked
from common.problems import Problem, RateLimited
from identity.deps import Deps
from identity.hashing import PasswordVerdict
from identity.queries import lockouts, password_attempts
from identity.queries.accounts import Account

log = logs.get(__name__)


@dataclass
class SignInAdmission:
    """A reserved try of an address, or the seconds to wait until one is admitted."""

    address_hash: str = ""
    pending: bool = False
    wait: int = 0


async def begin(
    deps: Deps, ctx: Context, email: str, *counted: tuple[AttemptLimit, str | None]
) -> tuple[Account | None, SignInAdmission]:
    """Counts an attempt against limits, reserves a try for this address, and finds its account, in one
    statement that commits whatever follows. Raises RateLimited."""
    address = address_key(email)
    windows = deps.limits.windows(*counted)
    address_hash = deps.keys.hash("lockout", address)
    async with deps.db.autocommit(ctx) as db:
        attempt = await password_attempts.begin(
            db,
            app_id=ctx.app_id,
            limit_keys=windows.keys,
            seconds=windows.seconds,
            most=windows.most,
            address_hash=address_hash,
            email=email,
        )
        is_locked = attempt.wait is None and not attempt.is_reserved
        if is_locked:
            wait = await lockouts.locked_for(
                db, app_id=ctx.app_id, address_hashes=deps.keys.hashes("lockout", address)
            )
    if attempt.wait is not None:
        raise RateLimited(retry_after=max(1, attempt.wait))
    if is_locked:
        return attempt.account, SignInAdmission(address_hash, wait=max(1, wait))
    return attempt.account, SignInAdmission(address_hash, pending=True)


@asynccontextmanager
async def releasing(deps: Deps, ctx: Context, admission: SignInAdmission) -> AsyncIterator[None]:
    """Releases the reservation if the body raises an error other than a wrong password."""
    try:
        yield
    except BaseException:
        await asyncio.shield(release(deps, ctx, admission))
        raise


async def release(deps: Deps, ctx: Context, admission: SignInAdmission) -> None:
    """Releases the reservation. If that cannot be written, the reservation lapses by itself."""
    if not admission.pending:
        return
    admission.pending = False
    try:
        async with deps.db.autocommit(ctx) as db:
            await lockouts.release(db, app_id=ctx.app_id, address_hash=admission.address_hash)
    except Problem as problem:
        log.warning("reservation not released", code=problem.code)


async def verify_password(
    deps: Deps,
    ctx: Context,
    admission: SignInAdmission,
    password: str,
    *,
    phc: str | None,
    user_id: str | None,
    method: str = "password",
) -> PasswordVerdict:
    """Verifies the password. If it is right, the caller calls `forget` in the transaction that
    uses the result. Raises Locked, WrongCredentials, Busy."""
    if admission.wait:
        raise Locked(retry_after=admission.wait)
    verdict = await deps.hashing.verify(ctx.app_id, password, phc)
    if not verdict.ok:
        await _fail(deps, ctx, admission, user_id=user_id, method=method)
        raise WrongCredentials
    return verdict


async def _fail(
    deps: Deps, ctx: Context, admission: SignInAdmission, *, user_id: str | None, method: str
) -> None:
    admission.pending = False  # a wrong password is never released, written or not
    address = admission.address_hash
    async with deps.db.transaction(ctx) as tx:
        count = await lockouts.fail(tx, app_id=ctx.app_id, address_hash=address)
        failed = LoginFailed(
            method=method,
            reason="wrong_credentials",
            address_hash=None if user_id else address,
        )
        await audit.record(tx, ctx, failed, user_id=user_id)
        if count.seconds:
            locked = SignInLocked(failures=count.failures, seconds=count.seconds)
            await audit.record(tx, ctx, locked, user_id=user_id)


async def locked_until(deps: Deps, ctx: Context, db: Db, email: str) -> datetime | None:
    """Returns when this address takes a password again, or None if it takes one now."""
    return await lockouts.locked_until(
        db, app_id=ctx.app_id, address_hashes=deps.keys.hashes("lockout", address_key(email))
    )


async def forget(deps: Deps, ctx: Context, tx: Db, email: str) -> None:
    """Deletes the count of an address whose owner has proved who they are, with the next statement of the
    transaction."""
    hashes = deps.keys.hashes("lockout", address_key(email))
    await lockouts.forget(tx, app_id=ctx.app_id, address_hashes=hashes)


async def unlock(deps: Deps, ctx: Context, tx: Db, email: str) -> bool:
    """Deletes the count of an address. Returns False if nothing was counted."""
    hashes = deps.keys.hashes("lockout", address_key(email))
    return await lockouts.delete(tx, app_id=ctx.app_id, address_hashes=hashes)

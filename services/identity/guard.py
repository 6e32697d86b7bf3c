"""Wrong passwords, counted by address whether it is known or not, before they are tried."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.audit import LoginFailed, SignInLocked
from common.contracts.identity import Locked, WrongCredentials
from common.db import Db
from identity.deps import Deps
from identity.hashing import Verdict
from identity.queries import guards


async def proven(
    deps: Deps,
    ctx: Context,
    *,
    email: str,
    password: str,
    phc: str | None,
    user_id: str | None,
    method: str = "password",
) -> Verdict:
    """Whether the password matches; the caller forgets the guard in the transaction of what
    follows. Raises Locked, WrongCredentials, Busy."""
    address = email.lower()
    async with deps.db.transaction(ctx) as tx:
        reserved = await guards.reserve(
            tx, app_id=ctx.app_id, address_hash=deps.keys.hash("guard", address)
        )
        if reserved is None:
            wait = await guards.locked_for(
                tx, app_id=ctx.app_id, address_hashes=deps.keys.hashes("guard", address)
            )
    if reserved is None:
        raise Locked(retry_after=max(1, wait))
    verdict = await deps.hashing.verify(ctx.app_id, password, phc)
    if not verdict.ok:
        async with deps.db.transaction(ctx) as tx:
            failed = LoginFailed(method=method, reason="wrong_credentials")
            await audit.record(tx, ctx, failed, user_id=user_id)
            if reserved.seconds:
                locked = SignInLocked(failures=reserved.failures, seconds=reserved.seconds)
                await audit.record(tx, ctx, locked, user_id=user_id)
        raise WrongCredentials
    return verdict


async def forget(deps: Deps, ctx: Context, tx: Db, email: str) -> None:
    """The owner of the address has proven himself: the count starts anew."""
    await guards.forget(
        tx, app_id=ctx.app_id, address_hashes=deps.keys.hashes("guard", email.lower())
    )

"""Wrong passwords, counted by address whether it is known or not, before they are tried."""

from __future__ import annotations

from dataclasses import dataclass

from common import audit
from common.addresses import address_key
from common.context import Context
from common.contracts.sign_in import Locked, WrongCredentials
from common.db import Db
from common.events.sessions import LoginFailed, SignInLocked
from identity.deps import Deps
from identity.hashing import Verdict
from identity.queries import guards


@dataclass(frozen=True)
class Admission:
    """A try that is counted already, or the seconds to wait until one is admitted."""

    failures: int = 0
    seconds: int = 0
    wait: int = 0


async def admit(deps: Deps, ctx: Context, tx: Db, email: str) -> Admission:
    """Count a try of this address, in a transaction that commits whatever follows."""
    address = address_key(email)
    reserved = await guards.reserve(
        tx, app_id=ctx.app_id, address_hash=deps.keys.hash("guard", address)
    )
    if reserved is not None:
        return Admission(reserved.failures, reserved.seconds)
    wait = await guards.locked_for(
        tx, app_id=ctx.app_id, address_hashes=deps.keys.hashes("guard", address)
    )
    return Admission(wait=max(1, wait))


async def tried(
    deps: Deps,
    ctx: Context,
    admission: Admission,
    password: str,
    *,
    phc: str | None,
    user_id: str | None,
    method: str = "password",
) -> Verdict:
    """Whether the password matches; the caller forgets the guard in the transaction of what
    follows. Raises Locked, WrongCredentials, Busy."""
    if admission.wait:
        raise Locked(retry_after=admission.wait)
    verdict = await deps.hashing.verify(ctx.app_id, password, phc)
    if not verdict.ok:
        async with deps.db.transaction(ctx) as tx:
            failed = LoginFailed(method=method, reason="wrong_credentials")
            await audit.record(tx, ctx, failed, user_id=user_id)
            if admission.seconds:
                locked = SignInLocked(failures=admission.failures, seconds=admission.seconds)
                await audit.record(tx, ctx, locked, user_id=user_id)
        raise WrongCredentials
    return verdict


async def forget(deps: Deps, ctx: Context, tx: Db, email: str) -> bool:
    """The owner of the address has proven himself: the count starts anew. False where nothing was
    counted."""
    return await guards.forget(
        tx, app_id=ctx.app_id, address_hashes=deps.keys.hashes("guard", address_key(email))
    )

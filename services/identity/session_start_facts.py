"""The facts that a session starts from: of the user, and of the session that it replaces."""

from __future__ import annotations

from dataclasses import replace

from common.context import Context
from common.contracts.sessions import NoSession
from common.contracts.sign_in import AccountDisabled
from common.db import Db
from identity import remembered_devices
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps
from identity.queries import session_ends, session_starts, sign_in_facts
from identity.queries.accounts import Account
from identity.queries.sign_in_facts import SignInFacts


async def locked_facts(
    deps: Deps, ctx: Context, tx: Db, *, account: Account, result: AuthenticationResult
) -> SignInFacts:
    """Locks the user's row. Raises AccountDisabled if there is no such user."""
    hashes = [
        hash
        for device in result.devices
        for hash in deps.keys.hashes(remembered_devices.PURPOSE, device)
    ]
    facts = await sign_in_facts.lock(
        tx, app_id=ctx.app_id, user_id=account.id, device_hashes=hashes
    )
    if facts is None:
        raise AccountDisabled
    return facts


async def end_session_of_guest(
    ctx: Context, tx: Db, account: Account, result: AuthenticationResult
) -> None:
    """Ends the session in which a guest has become a user. It has shown no factor."""
    if result.previous is not None:
        await session_ends.revoke(
            tx, app_id=ctx.app_id, id=result.previous, user_id=account.id, reason="replaced"
        )


async def with_replaced(
    ctx: Context, tx: Db, account: Account, result: AuthenticationResult
) -> AuthenticationResult:
    """Returns the result with what the session takes over from the one it replaces. Raises NoSession
    if that one has ended."""
    if result.previous is None:
        return result
    earlier = await session_starts.get_replaced(
        tx,
        app_id=ctx.app_id,
        id=result.previous,
        user_id=account.id,
        with_actor=result.factor is None,
    )
    if earlier is None:
        raise NoSession
    return replace(
        result,
        earlier=earlier,
        idp_name=result.idp_name or earlier.idp_name,
        remember=earlier.remembered,
    )

"""The first proof of an address.

Somebody may create an account with the address of somebody else, and wait until its owner comes. As
soon as the owner proves the address, in a browser that the account does not know, everything ends that
the account got before: otherwise two people would share it.
"""

from __future__ import annotations

from common import audit
from common.address_keys import address_key
from common.context import Context
from common.contracts.sign_in import EmailUnverified
from common.contracts.tenants import Tenant
from common.db import Db
from common.events.identities import IdentityUnlinked, UnprovenCredentialsEnded
from identity import session_end
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps
from identity.devices import browser_hashes, device_hash, device_name
from identity.queries import (
    accounts,
    devices,
    first_proofs,
    identity_links,
    link_proofs,
    oauth_states,
)
from identity.queries.accounts import Account

REASON = "first_proof"


async def end_earlier_credentials(
    deps: Deps, ctx: Context, tx: Db, account: Account, *, browser: str | None
) -> list[str] | None:
    """Ends the account's credentials, sessions, links and pending changes if its address was never proven
    and the browser has not signed in to it. The caller has locked the user's row, and the user has just
    proven the address. Returns the ids of the ended sessions for `publish_revocations`, or None if
    nothing had to end."""
    if account.email_verified or account.email is None:
        return None
    if browser is not None and await devices.knows_browser(
        tx,
        app_id=ctx.app_id,
        email=account.email,
        device_hashes=browser_hashes(deps.keys, browser),
    ):
        return None
    ended = await session_end.end_all(ctx, tx, account.id, reason=REASON)
    await first_proofs.end_credentials(tx, app_id=ctx.app_id, user_id=account.id)
    await oauth_states.end_of_user(tx, app_id=ctx.app_id, user_id=account.id)
    await link_proofs.end_of_user(tx, app_id=ctx.app_id, user_id=account.id)
    for link in await identity_links.delete_all(tx, app_id=ctx.app_id, user_id=account.id):
        unlinked = IdentityUnlinked(
            user_id=account.id, link_id=link.id, provider=link.provider, by=REASON
        )
        await audit.record(tx, ctx, unlinked, user_id=account.id)
    event = UnprovenCredentialsEnded(user_id=account.id)
    await audit.record(tx, ctx, event, user_id=account.id)
    return ended


async def of_sign_in(
    deps: Deps, ctx: Context, tx: Db, *, account: Account, result: AuthenticationResult
) -> tuple[Account, list[str] | None]:
    """Ends what the account got earlier if this sign-in is the first proof of its address. The caller has
    locked the user's row. Returns the account as it is then, and what `end_earlier_credentials`
    returns."""
    if result.email is None or account.email_verified or result.first_proof_done:
        return account, None
    account = await accounts.by_id(tx, app_id=ctx.app_id, id=account.id) or account
    if account.email is None or address_key(account.email) != address_key(result.email):
        return account, None
    ended = await end_earlier_credentials(deps, ctx, tx, account, browser=result.browser)
    if ended is not None:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=account.id) or account
    return account, ended


async def check(
    deps: Deps, ctx: Context, tenant: Tenant, account: Account, *, browser: str | None
) -> None:
    """Raises EmailUnverified if the application needs a proven address. The user has shown their
    credential: the proof in this browser keeps it."""
    if tenant.settings.require_verified_email and not account.email_verified:
        await remember_browser(deps, ctx, user_id=account.id, browser=browser)
        raise EmailUnverified


async def remember_browser(deps: Deps, ctx: Context, *, user_id: str, browser: str | None) -> None:
    """Records that the user has shown their credential in this browser, although the sign-in is refused
    until the address is proven. The proof in this browser then keeps the credential."""
    if browser is None:
        return
    async with deps.db.transaction(ctx) as tx:
        await devices.remember_browser(
            tx,
            app_id=ctx.app_id,
            user_id=user_id,
            device_hash=device_hash(deps.keys, browser, ctx.agent),
            name=device_name(ctx.agent),
        )

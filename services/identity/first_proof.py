"""The first proof of an address.

Somebody may create an account with the address of somebody else, and wait until its owner comes. As
soon as the owner proves the address, in a browser that the account does not know, everything ends that
the account got before: otherwise two people would share it.
"""

from __future__ import annotations

from common import audit
from common.context import Context
from common.db import Db
from common.events.identities import IdentityUnlinked, UnprovenCredentialsEnded
from identity import session_end
from identity.deps import Deps
from identity.devices import browser_hashes
from identity.queries import devices, first_proofs, identity_links, link_proofs, oauth_states
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

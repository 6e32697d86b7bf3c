"""The caller's own address, for mails that they send to try something out."""

from __future__ import annotations

from common.context import Context
from common.contracts.mail_sender import OwnAddressUnverified
from common.ids import DASHBOARD
from identity.deps import Deps
from identity.queries import accounts
from identity.queries.accounts import Account


async def own_address(deps: Deps, ctx: Context) -> tuple[Account, str]:
    """Returns the account and the verified address of the caller. A developer is a user of the
    Dashboard. Raises OwnAddressUnverified."""
    caller = ctx.caller
    if caller.id is None or caller.kind not in ("user", "developer"):
        raise OwnAddressUnverified
    of_caller = ctx.with_application(DASHBOARD) if caller.kind == "developer" else ctx
    async with deps.db.reader(of_caller) as db:
        account = await accounts.by_id(db, app_id=of_caller.app_id, id=caller.id)
    if account is None or account.email is None:
        raise OwnAddressUnverified
    if account.disabled or not account.email_verified:
        raise OwnAddressUnverified
    return account, account.email

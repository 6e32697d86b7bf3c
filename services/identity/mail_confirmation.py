"""Confirming the session of a signed-in user by a mailed code."""

from __future__ import annotations

from typing import Final

from common.address_keys import address_key
from common.context import Context
from common.contracts.email_codes import ConfirmWithCode
from common.contracts.sessions import NoSession, SignedInSession
from common.contracts.sign_in import MethodOff, WrongCode
from identity import flows, session_start
from identity.authentication_result import AuthenticationResult
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.totp import locked_account

TYPES: Final = ["email_code"]


async def confirm(deps: Deps, ctx: Context, request: ConfirmWithCode) -> SignedInSession:
    """Proves again that the user of this session has their address, and replaces the session. Raises
    WrongCode, CodeSpent, MethodOff, NoSession, RateLimited."""
    tenant, user_id = await deps.tenants.get(ctx), the_user(ctx)
    session_id = ctx.caller.session_id
    if session_id is None:
        raise NoSession
    if "email_code" not in tenant.settings.auth_methods:
        raise MethodOff
    consumed_code = await flows.consume_code(deps, ctx, request.flow, request.code, types=TYPES)
    async with deps.db.transaction(ctx) as tx:
        account = await locked_account(ctx, tx, user_id)
        # The user may have changed their address since the mail was sent.
        is_own = account.email is not None and address_key(account.email) == consumed_code.email
        if consumed_code.user_id != user_id or not is_own:
            raise WrongCode
        result = AuthenticationResult(
            "confirm", "mail", ["otp"], email=consumed_code.email, previous=session_id
        )
        started = await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)
    return await session_start.finish(deps, ctx, started)

"""The record of sign-ins that the gate refuses.

The refusal rolls the transaction of the sign-in back, so the event has a transaction of its own afterwards.
The error carries what the event says as its cause, and leaves the service without it.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from common import audit
from common.address_keys import address_key
from common.bus import Handler
from common.context import ANONYMOUS, Context
from common.contracts.sign_in import AccountDisabled, SsoRequired
from common.contracts.tenants import Tenant
from common.db import Db
from common.events.sessions import LoginFailed
from identity import gate, sso
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps
from identity.gate import Missing
from identity.queries.accounts import Account
from identity.queries.sign_in_facts import SignInFacts


class GateRefusal(Exception):
    """The cause of the error that the user gets. `org_ids` are the organizations that require their own
    provider."""

    def __init__(
        self, account: Account, result: AuthenticationResult, org_ids: list[str] | None = None
    ) -> None:
        super().__init__(result.method)
        self.account, self.result, self.org_ids = account, result, org_ids or []


async def check(
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    facts: SignInFacts,
    *,
    account: Account,
    result: AuthenticationResult,
    operates: bool,
) -> Missing | None:
    """Returns what `gate.check` returns. Raises AccountDisabled; SsoRequired, with the provider to use
    instead. Their cause says what was refused."""
    try:
        return gate.check(tenant, facts, result, operates=operates)
    except SsoRequired:
        refusal = GateRefusal(account, result, facts.sso_org_ids)
        raise await sso.refusal(ctx, tx, facts.sso_org_ids) from refusal
    except AccountDisabled as disabled:
        raise disabled from GateRefusal(account, result)


def recorded(handler: Handler) -> Handler:
    """Returns the handler of a sign-in. If the gate refuses it, one event says why."""

    @wraps(handler)
    async def record_refusal(deps: Deps, ctx: Context, request: Any) -> Any:
        try:
            return await handler(deps, ctx, request)
        except (AccountDisabled, SsoRequired) as problem:
            if isinstance(problem.__cause__, GateRefusal):
                await _record(deps, ctx, problem.__cause__, reason=problem.code)
            raise

    return record_refusal


async def _record(deps: Deps, ctx: Context, refusal: GateRefusal, *, reason: str) -> None:
    """Records the refusal. A user whom the same sign-in created does not exist: the event has the hash of
    their address."""
    if ctx.caller.guest:
        ctx = ctx.with_caller(ANONYMOUS)
    account, result = refusal.account, refusal.result
    address = address_key(account.email or "") if result.new_user else None
    event = LoginFailed(
        method=result.method,
        reason=reason,
        address_hash=deps.keys.hash("lockout", address) if address else None,
        org_ids=refusal.org_ids,
    )
    async with deps.db.transaction(ctx) as tx:
        await audit.record(tx, ctx, event, user_id=None if result.new_user else account.id)

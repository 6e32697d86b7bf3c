"""The start of a session: every way of signing in ends here.

No other place starts sessions. So what must hold for all of them is checked here: what the gate
asks (`gate`), and that the password was not changed in the meantime.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from common import audit, logs
from common.context import Context
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import AccountDisabled
from common.contracts.tenants import Tenant
from common.db import Db
from common.events.users import UserVerified
from common.ids import DASHBOARD
from identity import (
    first_proof,
    gate_refusals,
    half_sessions,
    idempotency,
    operators,
    session_end,
    session_insert,
    session_lifetimes,
    session_start_facts,
)
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps
from identity.queries import accounts, trusted_devices
from identity.queries.accounts import Account
from identity.queries.sign_in_facts import SignInFacts
from identity.user_provisioning import provision_new_user

log = logs.get(__name__)


@dataclass(frozen=True)
class StartedSession:
    """A session, or the half session that comes before it. It is committed with the transaction;
    `finish` does what follows. With `undecided` there is no `reply` yet: `finish` asks whether the user
    is an operator, and then starts the session."""

    reply: SignedInSession | None = field(repr=False)
    account: Account
    verified: bool
    provisioned: bool
    replaced: str | None = None
    personal_team: bool = False
    undecided: AuthenticationResult | None = None
    ended: list[str] | None = None
    """The sessions that ended because the address was proven for the first time; None if nothing
    ended."""

    @property
    def user_id(self) -> str:
        return self.account.id


async def begin(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    account: Account,
    result: AuthenticationResult,
) -> StartedSession:
    """Starts a session in the transaction, or a half session if a second factor is missing. Raises
    AccountDisabled; SsoRequired; WrongCredentials if the password was changed in the meantime;
    NoSession if the session to replace has ended."""
    if operators.may_be_one(deps, ctx, result):
        provisioned = account.provisioned_at is not None
        return StartedSession(None, account, False, provisioned, undecided=result)
    return await _begin(deps, ctx, tx, tenant, account=account, result=result, operates=False)


async def _begin(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    account: Account,
    result: AuthenticationResult,
    operates: bool,
) -> StartedSession:
    """Starts what `begin` returns, now that it is known whether the user is an operator."""
    facts = await session_start_facts.locked_facts(deps, ctx, tx, account=account, result=result)
    account, ended = await first_proof.of_sign_in(deps, ctx, tx, account=account, result=result)
    if ended is not None:
        facts = await session_start_facts.locked_facts(
            deps, ctx, tx, account=account, result=result
        )
    started = await _begin_gated(
        deps, ctx, tx, tenant, account=account, result=result, facts=facts, operates=operates
    )
    return replace(started, ended=ended)


async def _begin_gated(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    account: Account,
    result: AuthenticationResult,
    facts: SignInFacts,
    operates: bool,
) -> StartedSession:
    """Asks the gate, and starts the session or the half session."""
    result = await session_start_facts.with_replaced(ctx, tx, account, result)
    missing = await gate_refusals.check(
        ctx, tx, tenant, facts, account=account, result=result, operates=operates
    )
    proven = await _record_sign_in(
        ctx, tx, account, result, completes=missing is None and result.actor is None
    )
    if missing is not None:
        reply = await half_sessions.begin(
            deps, ctx, tx, account=account, result=result, missing=missing, facts=facts
        )
        await session_start_facts.end_session_of_guest(ctx, tx, account, result)
        provisioned = account.provisioned_at is not None
        return StartedSession(reply, account, proven, provisioned, result.previous)
    return await _start(
        deps, ctx, tx, tenant, account=account, result=result, proven=proven, facts=facts
    )


async def _record_sign_in(
    ctx: Context, tx: Db, account: Account, result: AuthenticationResult, *, completes: bool
) -> bool:
    """Records the sign-in, and the proof of an address if it is one. Returns whether the address has just
    become verified. Raises AccountDisabled. `completes`: no second factor is missing."""
    if completes:
        await accounts.record_sign_in(tx, app_id=ctx.app_id, id=account.id)
    if result.email is None:
        return False  # the gate has read, under the lock, that the user is not disabled
    proven = await accounts.record_proof(tx, app_id=ctx.app_id, id=account.id, email=result.email)
    if proven is None:
        raise AccountDisabled
    if proven:
        await accounts.mark_unprovisioned(tx, app_id=ctx.app_id, id=account.id)
        await audit.record(tx, ctx, UserVerified(user_id=account.id), user_id=account.id)
    return proven


async def _start(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    account: Account,
    result: AuthenticationResult,
    proven: bool,
    facts: SignInFacts,
) -> StartedSession:
    """Starts the session, or returns that of the same form. `proven`: the address is newly verified."""
    token, earlier = await idempotency.session_token(
        deps, ctx, tx, user_id=account.id, result=result
    )
    must_change = bool(account.must_change and result.used_password)
    provisioned = account.provisioned_at is not None
    if earlier is not None:
        repeated = SignedInSession(token=token, session=earlier, must_change_password=must_change)
        return StartedSession(repeated, account, verified=False, provisioned=provisioned)
    if facts.device_id is not None:
        await trusted_devices.touch(tx, app_id=ctx.app_id, id=facts.device_id)
    session, new_device = await session_insert.insert(
        deps,
        ctx,
        tx,
        tenant,
        account=replace(account, email_verified=account.email_verified or proven),
        result=result,
        token=token,
        facts=facts,
    )
    reply = SignedInSession(token=token, session=session, must_change_password=must_change)
    reply = _with_news(reply, result, facts, new_device=new_device)
    personal_team = not provisioned and not result.joins_team
    return StartedSession(reply, account, proven, provisioned, result.previous, personal_team)


def _with_news(
    reply: SignedInSession, result: AuthenticationResult, facts: SignInFacts, *, new_device: bool
) -> SignedInSession:
    """Returns the reply with what the pages tell the user about a new session."""
    offers_passkey = result.used_password and facts.offers_passkey
    news = {"new_user": result.new_user, "new_device": new_device, "offers_passkey": offers_passkey}
    return reply.model_copy(update=news)


async def renew(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, *, account: Account, session_id: str
) -> StartedSession:
    """Gives the session a new id and token, because its rights change (OWASP ASVS, session
    management). Raises NoSession if it has ended."""
    result = AuthenticationResult(method="replaced", factor=None, amr=[], previous=session_id)
    return await begin(deps, ctx, tx, tenant, account=account, result=result)


async def _decide(
    deps: Deps, ctx: Context, user_id: str, result: AuthenticationResult
) -> StartedSession:
    """Starts the session of a sign-in that waited until it was known whether the user is an operator.
    Everything is read again."""
    operates, tenant = await operators.is_one(deps, ctx, user_id), await deps.tenants.get(ctx)
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=user_id)
        if account is None:
            raise AccountDisabled
        return await _begin(
            deps, ctx, tx, tenant, account=account, result=result, operates=operates
        )


async def finish(deps: Deps, ctx: Context, started: StartedSession) -> SignedInSession:
    """Does what follows the commit: caches forget the replaced session, and a new user is
    provisioned. Returns the session. Raises what `begin` raises, and Unavailable if rbac cannot say
    whether the user is an operator."""
    if started.undecided is not None:
        started = await _decide(deps, ctx, started.account.id, started.undecided)
    assert started.reply is not None
    account, session = started.account, started.reply.session
    if started.ended is not None:
        await session_end.publish_revocations(deps, ctx, account.id, started.ended)
    if started.replaced is not None:
        await deps.invalidation.publish(ctx, "session", started.replaced)
    if started.verified:
        await deps.invalidation.publish(ctx, "user", account.id)
    if not started.provisioned or started.verified:
        await provision_new_user(
            deps,
            ctx,
            account.id,
            email=account.email,
            verified=account.email_verified or started.verified,
            name=account.name,
            personal_team=started.personal_team,
        )
    if session is not None and session.actor is None and ctx.app_id == DASHBOARD:
        session = await session_lifetimes.of_dashboard(deps, ctx, session)
    return started.reply.model_copy(update={"session": session})
